//! The codes of a plan's refusals, warnings, notes and records. docs/errors.md is generated from them.

use crate::core::code::codes;

codes! {
    ALL_MISSING "all_missing" Stale:
        "all Machines in the state are missing (…)",
        "The provider lists none of the Machines in the state: they were destroyed elsewhere, or this is another account.",
        "If it was on purpose, add `--accept-missing`.";
    FLEET_VANISHED "fleet_vanished" Stale:
        "the provider lists no Machines, but reports a count of …",
        "The list is empty and comes with another count or none, or the app is missing although the state has Machines of it. Such an answer is not acted on.",
        "Try again in a moment; if there is no count and the app has no Machines, add `--accept-missing`.";
    LIST_LAGS "list_lags" Stale:
        "the provider's list is missing … that exist (…), and may be missing others",
        "The list is older than what the API returns for single Machines.",
        "Try again in a moment.";
    OTHER_LINEAGE "other_lineage" Stale:
        "the state belongs to another app that was named `…`, or to another account",
        "The app was deleted and recreated, or the state is from another account.",
        "Check the state file and the app name; if the state should follow the new app, add `--take-over`.";
    STATE_BEHIND "state_behind" Stale:
        "…, but is not in the state (state at serial …, run at serial …)",
        "Somebody applied from another copy of the state.",
        "Get the state that contains the run, or adopt its changes with `--adopt-run`.";
    OLDER_COMMIT "older_commit" Stale:
        "this commit is … behind …, which run … applied",
        "A job of an older commit runs again, or a checkout is old: the plan would revert what newer commits want.",
        "To go back, apply a new commit that reverts the later ones (`git revert`); `--allow-older` applies this one as it is.";
    DIVERGED_COMMIT "diverged_commit" Warning:
        "run … applied commit …, which is on another branch…",
        "Neither commit is an ancestor of the other: a squash merge after an apply from the branch, another release branch, or a plan of a branch.",
        "Check that the plan does not revert what only the other branch has.";
    COMMIT_ORDER_UNKNOWN "commit_order_unknown" Warning:
        "cannot compare this commit with …, which run … applied…",
        "Without git, a work tree or a connection to its remote, or after a rebase, it is unknown which of two commits is newer.",
        "Check that the checkout is not older than what runs.";
    MAX_DESTROY "max_destroy" Refused:
        "… would be destroyed, but `[policy] max_destroy` allows … of …",
        "The plan destroys more Machines at once than the policy allows.",
        "Split the change, or raise `max_destroy`.";
    CANARY_NEEDS_VOLUME "canary_needs_volume" Refused:
        "… cannot be updated with the strategy `canary`: its Machines have mounts, and a canary would need another volume",
        "A canary is one Machine more, and each Machine with a mount has a volume of its own.",
        "Use `--strategy rolling` or `--strategy immediate`.";
    SOAK_WITHOUT_CANARY "soak_without_canary" Warning:
        "`--canary-soak` has no effect: no group has the strategy `canary`",
        "Only a canary stays under traffic for a time.",
        "Add `--strategy canary`, or leave the flag out.";
    NO_IMAGE "no_image" Refused:
        "no image is set for …, and the app has no Machine to take it from",
        "No manifest sets an image, and there is no Machine to take it from.",
        "Set it with `--image`, or as `image` in aeroform.toml.";
    TWO_IMAGES "two_images" Refused:
        "no image is set for …, and the app runs several: … and …",
        "No manifest sets an image, and the Machines of the newest run have different ones.",
        "Choose one with `--image`, or set `image` in aeroform.toml.";
    NO_REGION "no_region" Refused:
        "no region is set for group `…`",
        "No region is set, and there is no Machine to take it from.",
        "Set `primary_region`, or `regions` of the group.";
    NO_ROOM_IN_REGIONS "no_room_in_regions" Refused:
        "group `…` has a count of …, but its regions have room for …",
        "`max_per_region` is too small for the count.",
        "Add regions or raise `max_per_region`.";
    GROUPS_ORDER_CONFLICT "groups_order_conflict" Refused:
        "a Machine moves from `…` to `…` (…) once `…` has a new one, but `groups_order` (…) lets `…` go before `…`",
        "The Machine may move only when the new group that it leaves has a Machine in its place, and that group comes later.",
        "Put both groups in one list of `groups_order`, or the one that it leaves before the other.";
    PROTECTED_GROUP "protected_group" Refused:
        "group `…` is protected: …",
        "The plan would destroy a Machine or leave a volume of a group with `protect`.",
        "Remove `protect`, apply only that, then apply the change.";
    UNREACHABLE_VOLUME "unreachable_volume" Refused:
        "Machine … of group `…` must change, but … and …",
        "A replacement would leave the data behind.",
        "Wait for the host, or destroy the Machine and restore its volume from a snapshot.";
    RELEASE_COMMAND_UNKNOWN "release_command_unknown" Refused:
        "the release command (…) was started by an earlier run…, and how it ended cannot be found",
        "The run was cut off, and the platform no longer shows the exit of that Machine. The command may have done all of its work, a part of it or nothing.",
        "Look whether it did its work (`fly logs --machine ID`), then add `--release-command=rerun` or `--release-command=skip`.";
    MACHINE_CHECKS_NEEDED "machine_checks_needed" Refused:
        "the machine checks of … would not run: this version cannot run them",
        "A group with `machine_checks` in fly.toml changes or is new. `fly deploy` tests each of its changed Machines with another Machine.",
        "Add `--machine-checks=never`; `[deploy] verify` in aeroform.toml tests a release once.";
    HELD_RELEASE_UNKNOWN "held_release_unknown" Refused:
        "[hold] names release …, which the state does not have",
        "The release is older than the last ten of the state, was made by another tool, or is of another app.",
        "Write one that the message lists, or remove `[hold]`: `aeroform rollback --end`.";
    HELD_STANDBYS "held_standbys" Refused:
        "group `…` has services in release … and standbys now, and a standby serves no requests",
        "`[hold]` names a release in which all Machines of the group must serve.",
        "Write `standby = 0` for the group and apply that first, or leave the group out of `[hold]`.";
    HELD_VALUE_UNKNOWN "held_value_unknown" Warning:
        "the value of … of release … is not known: …",
        "The state has only a hash of values that look like secrets and of files; neither today's files nor the earlier versions of the Machines have this value.",
        "Check that today's value fits the release.";
    HOLD_KEEPS_GROUP "hold_keeps_group" Warning:
        "group `…` is not in release … and …",
        "`[hold]` names a release that did not have this group yet.",
        "To let it follow the files, name the other groups in `groups` of `[hold]`.";
    HOLD_LACKS_GROUP "hold_lacks_group" Warning:
        "group `…` of release … is not in fly.toml and is not created again",
        "`[hold]` names a release with a group that was removed since.",
        "Add the group to [processes] of fly.toml if it should run again.";
    HOLD_IGNORES_IMAGE "hold_ignores_image" Warning:
        "the image of the files (`…`) is not used: the image is that of release …",
        "`[hold]` names a release, and a file sets an image.",
        "Nothing; `aeroform rollback --end` follows the files again.";
    RELEASE_COMMAND_HELD "release_command_held" Warning:
        "the release command (…) does not run: [hold] goes back to a release: …",
        "Going back runs no release command: it prepares for newer code.",
        "If the database has to be changed for the older code, do it by hand.";
    SWAP_FINISHES_FIRST "swap_finishes_first" Incomplete:
        "group `…`: the swap of an earlier run is finished first; its other changes are not in this plan",
        "An earlier apply of a bluegreen group switched to its new Machines and ended before the old ones were gone.",
        "Apply again afterwards.";
    BLUEGREEN_WITH_MOUNTS "bluegreen_with_mounts" Refused:
        "group `…` has volumes, which its Machines cannot share with the second set of a bluegreen update",
        "The group has a mount, or its Machines have volumes. A volume belongs to one Machine, so the new Machines would start without the data.",
        "Use `rolling` or `immediate`: `--strategy rolling`, or `[groups.NAME.deploy] strategy = \"rolling\"`.";
    BLUEGREEN_WITHOUT_CHECKS "bluegreen_without_checks" Refused:
        "… would be updated with `bluegreen`, and no check says whether the new Machines work",
        "None of the groups that are swapped has a check. `fly deploy` refuses the same.",
        "Add a check to fly.toml, or use `--strategy rolling`.";
    BLUEGREEN_FILTERED "bluegreen_filtered" Refused:
        "`--… …` leaves out Machines of group `…`, which a bluegreen update replaces together",
        "`--regions`, `--exclude-regions`, `--only-machines` and `--exclude-machines` choose a part of a group.",
        "Choose complete groups with `--process-groups`, or use `--strategy rolling`.";
    SWAP_UNCHECKED "swap_unchecked" Warning:
        "group… …: services without checks, so before the switch it is only known that the new Machines started and stayed up",
        "Another group of the bluegreen update has checks, and this one has none.",
        "Add a check of its service.";
    WORKS_TWICE "works_twice" Warning:
        "group `…` has no services, so its old and its new Machines work side by side: …",
        "A bluegreen update runs both sets of Machines until the new ones have passed. A cordon keeps requests away; it does not stop work that a Machine takes from a queue or a clock.",
        "If the work must not be done twice, write `[groups.NAME.deploy] strategy = \"rolling\"`.";
    COMPOSE_NEEDED "compose_needed" Refused:
        "new Machines … would not have the containers of the compose file (…): this version does not read it",
        "fly.toml has `[build.compose]`, and the plan creates Machines. Existing Machines keep their containers.",
        "Write the containers as `machine_config`, or remove `[build.compose]`.";
    LINE_ENDS "line_ends" Warning:
        "group `…`: the line endings differ in … (CRLF, LF)",
        "A file, a variable or a command has the same lines as on the Machine, with other line endings.",
        "Check your editor and git's `core.autocrlf`; `eol=lf` in .gitattributes keeps LF.";
    RELEASE_COMMAND_RUNS "release_command_runs" Warning:
        "the release command (…) runs first, on its own Machine in …: …",
        "A group is new, or its image, environment, files or command change. Nothing is changed if the command fails.",
        "`--release-command=never` leaves it out.";
    RELEASE_COMMAND_NOT_NEEDED "release_command_not_needed" Warning:
        "the release command (…) does not run: no image, [env], [[files]] or command changes",
        "Counts, sizes, services and regions do not need it. `fly deploy` runs it every time.",
        "`--release-command=always` runs it anyway.";
    RELEASE_COMMAND_DONE "release_command_done" Warning:
        "the release command (…) does not run: an earlier run of the same content ended with code 0",
        "An earlier apply ran it and did not get to its end. It counts until a release is complete.",
        "`--release-command=rerun` runs it again.";
    RELEASE_COMMAND_BUSY "release_command_busy" Warning:
        "Machine … runs a release command already; the apply waits for it …",
        "An earlier run, or somebody's `fly deploy`, started it. It is never destroyed.",
        "Read its output with `fly logs --machine ID`.";
    VERIFY_RUNS "verify_runs" Warning:
        "the verify command (…) runs after the updates and before Machines are destroyed: …",
        "`[deploy] verify` tests a release in the runs in which a release command would run.",
        "`--verify=never` leaves it out.";
    VERIFY_SKIPPED "verify_skipped" Warning:
        "the verify command (…) is skipped (`--verify=never`)",
        "The release is complete without a test.",
        "To test it, apply without the flag.";
    RELEASE_COMMAND_SKIPPED "release_command_skipped" Warning:
        "the release command (…) is skipped (`--release-command=never`): …",
        "The plan makes a change that the command usually prepares.",
        "If this change needs the command, run it before the apply.";
    MACHINE_CHECKS_SKIPPED "machine_checks_skipped" Warning:
        "the machine checks of … are skipped (`--machine-checks=never`)",
        "A group with `machine_checks` in fly.toml changes or is new, and the flag says to go on without them.",
        "Nothing; `[deploy] verify` in aeroform.toml tests a release once.";
    UNKNOWN_MACHINES "unknown_machines" Refused:
        "… may belong to any group: their metadata cannot be read, and there is no state",
        "Their hosts do not respond, so these may be the Machines that the plan would create.",
        "Try again when the hosts respond; add `--accept-unknown` if they belong to no group.";
    VOLUME_ON_ANOTHER_HOST "volume_on_another_host" Refused:
        "Machine … of group `…` cannot move to another dedicated host: its volume cannot move",
        "`host_dedication_id` changed for a Machine that has a volume.",
        "Create a volume on the new host from a snapshot, or keep `host_dedication_id`.";
    REPLACES_NOBODY "replaces_nobody" Refused:
        "cannot replace …: no group of the app has it",
        "No Machine that Aeroform manages has this id or name.",
        "`aeroform machine list` lists all Machines.";
    FILTER_MATCHES_NOTHING "filter_matches_nothing" Refused:
        "`--… …` matches nothing: …",
        "The app has no such group or Machine, none of its Machines is or comes in that region, or the filters together \
        leave nothing.",
        "Use a name of the list in the message.";
    FILTER_EXCLUDES_REQUEST "filter_excludes_request" Usage:
        "… is requested, but `--… …` leaves it out",
        "A flag or verb names a Machine or group to replace, restart or edit, and a filter leaves it out.",
        "Remove one of the two.";
    RESTARTS_NOBODY "restarts_nobody" Refused:
        "cannot restart group `…`: the app has no such group",
        "`[processes]` has no group of that name.",
        "Use one of the groups in the message.";
    STEADY_TOO_LONG "steady_too_long" Refused:
        "group `…`: … is …, but … is only …s",
        "A Machine would have to stay up for longer than it is waited for.",
        "Shorten `--steady`, or raise `--wait-timeout`, or their keys in `[groups.NAME.deploy]`.";
    ALL_AT_ONCE "all_at_once" Warning:
        "group `…`: … allows all of its … to be down at once; of several in a region, one stays up",
        "`max_unavailable` is at least the number of Machines of the group.",
        "Lower it; by default a third may be down.";
    ORDER_WITHOUT_MACHINES "order_without_machines" Warning:
        "group `…`: `order` names …, where it has no Machines",
        "`order` in `[groups.NAME.deploy]` names a region that the group does not use.",
        "Remove the region, or nothing if Machines come there later.";
    STRATEGY_IGNORES "strategy_ignores" Warning:
        "group… … without effect, because the strategy is `…`",
        "A flag chose `immediate`, which waits for nothing, or `bluegreen`, whose new Machines start and switch together.",
        "Leave the setting out, or use `--strategy rolling`.";
    LEFT_AT_REST "left_at_rest" Warning:
        "group `…`: … not running and will not be restarted",
        "A restart affects running Machines only; somebody may have stopped the others on purpose.",
        "To start them, run `aeroform machine start`.";
    NOT_PROVEN "not_proven" Warning:
        "nothing of group `…` runs: its checks do not run, so the change is not proven",
        "All Machines of the group are stopped and stay stopped, so no check of theirs runs.",
        "`--wake` starts one first and waits for its checks.";
    WAKE_NOT_NEEDED "wake_not_needed" Warning:
        "`--wake` starts no Machine of …: …",
        "Where Machines run, one of them proves the change; `immediate` waits for none.",
        "Nothing.";
    AUTOSTOP_WITHOUT_AUTOSTART "autostop_without_autostart" Warning:
        "group `…`: `auto_stop_machines` stops its Machines, and …",
        "`auto_stop_machines` is set without `auto_start_machines`.",
        "Set both or neither.";
    PUT_BACK_LATER "put_back_later" Warning:
        "group `…`: the manifests differ, so the next apply reverts …",
        "A refresh recorded the current values in the state, and fly.toml still has others.",
        "To keep the current values, set them in fly.toml.";
    NOT_TAKEN_IN "not_taken_in" Warning:
        "group `…`: the state cannot record …, which no manifest sets; the next apply reverts it",
        "Somebody changed a field that fly.toml does not set. The state records only fields that the manifests set.",
        "To keep the change, add the lines in the hint to fly.toml.";
    MUTABLE_TAG "mutable_tag" Warning:
        "image `…` is a tag, which can change…",
        "The image that runs may not be the image that was reviewed.",
        "Use a digest.";
    NOT_RUNNING "not_running" Warning:
        "group `…`: none of its … Machines is running",
        "The group has Machines, nothing stops them automatically, and none is started.",
        "Start them with `aeroform machine start`, or check their logs.";
    RELEASE_IN_PROGRESS "release_in_progress" Warning:
        "release v… by … is in progress: it may be changing Machines now",
        "A `fly deploy` started less than 15 minutes ago and has not ended.",
        "Wait for it, then plan again; apply waits by itself.";
    APP_ID_UNKNOWN "app_id_unknown" Warning:
        "the API returned no id for app `…`: if the app was deleted and recreated, Aeroform cannot detect it",
        "The API's answer has no app `id`. The state keeps its lineage, or gets one derived from names.",
        "Nothing; the first answer with an id sets the lineage.";
    LINEAGE_TOLD "lineage_told" Warning:
        "the API now returns the app's id: it becomes the state's lineage",
        "The state was first written when the API returned no app id.",
        "Nothing.";
    RELEASE_UNKNOWN "release_unknown" Warning:
        "the newest release of `…` is not known: …",
        "The releases API did not respond, or returned an error.",
        "Nothing; only the number of the next release depends on it. The message has the API's error.";
    SHARED_PORT "shared_port" Warning:
        "groups … serve the same external port …: requests go to all of them…",
        "Services of several groups use one external port.",
        "If that is not intended, give one of them another port.";
    APP_REMOVED "app_removed" Warning:
        "group `app` will be removed: fly.toml now has `[processes]`, and `app` is not in it",
        "`[processes]` is the complete list of groups.",
        "If a new group is the old one, add the `[[moved]]` entry that the hint shows.";
    DECIDED_AT_APPLY "decided_at_apply" Warning:
        "which Machines are destroyed is decided at apply: this plan was made without calling the provider",
        "The plan was made with `--refresh=false`.",
        "To see the Machines, plan without `--refresh=false`.";
    CROWDED_REGION "crowded_region" Warning:
        "group `…` has more than `max_per_region` = … in …: without `regions`, Machines are not moved",
        "`max_per_region` limits new Machines; existing ones are spread only over listed regions.",
        "Set `regions` in `[groups.NAME]`.";
    PLACED_ELSEWHERE "placed_elsewhere" Warning:
        "… of group `…` is in … instead of …: the platform chose the region",
        "The platform created the Machine in another region than requested. Without `regions` it is not moved.",
        "`aeroform machine replace ID`, or set `regions` in `[groups.NAME]`.";
    HELD_BY_VOLUMES "held_by_volumes" Warning:
        "group `…` stays uneven: Machines with volumes are not moved out of …",
        "Moving a Machine would leave its volume behind.",
        "To set a count per region, write `regions` as a map.";
    HOST_UNREACHABLE "host_unreachable" Warning:
        "host unreachable: … (…)",
        "The hosts of these Machines do not respond.",
        "Wait; a step that needs one of them reports it.";
    CONFIG_UNREADABLE "config_unreadable" Warning:
        "config unreadable: … (…): …",
        "The API returned a Machine's config in a form that this version does not understand, or no config.",
        "Check the Machine with `fly machine status ID --display-config`; an apply does not update it in place.";
    UNREADABLE_ENTRIES "unreadable_entries" Warning:
        "the provider lists … that cannot be read: …",
        "Entries in the provider's list do not even have an id.",
        "Try again in a moment; they are left alone.";
    LEFT_UNREADABLE "left_unreadable" Warning:
        "group `…`: … (…) … over the count but kept: … cannot be read and the state does not list …, so it is unknown whether …",
        "A Machine with an unreadable config that the state does not list is never destroyed to reach a count.",
        "To destroy it, name it: `aeroform machine destroy ID`.";
    IGNORED_MACHINES "ignored_machines" Warning:
        "…: … (removed from the state with `state rm`, left alone)",
        "They were removed from the state on purpose.",
        "Nothing.";
    IMAGE_INHERITED "image_inherited" Warning:
        "new Machines of group `…` get `…`, the image that runs now",
        "No manifest sets an image, and the running Machines have one.",
        "Nothing; or set one with `--image` or in aeroform.toml.";
    MOVED_DONE "moved_done" Warning:
        "nothing is left to move from `…` to `…`",
        "The rename is complete.",
        "Remove the `[[moved]]` entry.";
    RENAMED_GROUP "renamed_group" Warning:
        "group `…` will be removed, and a new group looks like it",
        "This may be a rename.",
        "If it is one, add the `[[moved]]` entry that the hint shows.";
    SCALED_TO_ZERO "scaled_to_zero" Warning:
        "group `…` will have no Machines",
        "Its count is 0.",
        "Note that the next `fly deploy` creates new ones.";
    SIZES_DIFFER "sizes_differ" Warning:
        "the Machines of group `…` have different sizes (…); new ones get …, the size that was changed last",
        "No `[[vm]]` sets the size, and somebody changed it on some Machines.",
        "To give them all one size, set `[[vm]]` for the group in fly.toml.";
    SIZES_NOT_ENFORCED "sizes_not_enforced" Warning:
        "provider `…` shows sizes and images but does not enforce them",
        "Local Machines are processes.",
        "Nothing.";
    SMALLER_VOLUME "smaller_volume" Warning:
        "`initial_size` of group `…` is … GB, but …: it applies to new volumes only",
        "`initial_size` was raised, or volumes were created by hand.",
        "`fly volumes extend ID --size GB` makes a volume larger. Volumes cannot be made smaller.";
    VOLUME_FORKED "volume_forked" Warning:
        "a host migration gave Machine … volume …; the old volume … is unused and costs … a month (… GB)",
        "The platform moved the Machine to another host and forked its volume. The old volume remains and is billed.",
        "If you do not need its data, destroy it with `fly volumes destroy ID`.";
    SPECIAL_MACHINES "special_machines" Warning:
        "…: … (release-command, console, test or leftover canary Machines, in no process group)",
        "Other tools created them for their own purposes.",
        "Nothing.";
    STRANGERS "strangers" Warning:
        "…: … (not managed by Aeroform or Fly Launch, left alone)",
        "Somebody created them by hand.",
        "Nothing.";
    OTHER_PROJECT "other_project" Warning:
        "… of the same app in `…`: … (left alone)",
        "Another project folder on this computer created them, and the state does not list them (provider `local`).",
        "Nothing; `aeroform import ID` adopts one.";
    LATE_MACHINE "late_machine" Warning:
        "… of group `…` (…) … created late: the create call of run … got no answer, and its place was filled or dropped since",
        "The provider created a Machine long after its call seemed lost. By then another Machine had its place, or the plan had changed.",
        "Read the plan: it keeps the Machine if the group needs one, and otherwise destroys it first.";
    UNREACHABLE_STRANGERS "unreachable_strangers" Warning:
        "…: … (not in the state, and nothing readable identifies their owner; left alone)",
        "Their hosts do not respond or their configs cannot be read, and they are not in the state.",
        "Wait for the hosts.";
    UNRECORDED_RUN "unrecorded_run" Warning:
        "…, but is not in the state (state at serial …, run at serial …)",
        "A run changed Machines and could not publish its state. Adopting its changes is safe.",
        "Nothing: they are adopted.";
    FILLED_BY_PLATFORM "filled_by_platform" Warning:
        "the platform added … to …",
        "Machines of this run have a field that the run did not send: a default of the platform. It is neither a change nor drift as long as its value stays.",
        "Nothing; to choose the value yourself, set it in fly.toml.";
    KEPT_BY_PLATFORM "kept_by_platform" Warning:
        "… was removed from …, and the platform added it again",
        "fly.toml does not set it, an update removed it, and the Machines have it again with the same value.",
        "Set the value that you want in fly.toml.";
    PROTECTS "protects" Warning:
        "group `…` becomes protected",
        "`protect` was added.",
        "Nothing.";
    SECRETS_IN_STATE "secrets_in_state" Warning:
        "the state file contains a secret in cleartext…",
        "An earlier version stored a command, a path or a header that contains a secret.",
        "Apply, which replaces it with a hash, and rotate the secret: older versions of the file still contain it.";
    UNPROTECTS "unprotects" Warning:
        "group `…` is no longer protected",
        "`protect` was removed.",
        "Nothing; from the next plan on, Machines of the group can be destroyed.";
}

/// The code with this name, as a plan stores it.
pub fn named(name: &str) -> Option<crate::core::code::Code> {
    ALL.iter().copied().find(|code| code.name() == name)
}
