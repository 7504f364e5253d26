//! The codes of what a plan says beside its steps: refusals, warnings, notes and records.

use crate::core::code::codes;

codes! {
    ALL_MISSING "all_missing" Stale:
        "every known Machine is gone (…)",
        "The provider has none of the Machines of the state: they were destroyed elsewhere, or this is another account.",
        "If it was on purpose, add `--accept-missing`.";
    FLEET_VANISHED "fleet_vanished" Stale:
        "the provider lists no Machine, but says that there are …",
        "An empty list with a count or without any, or no app although the state knows Machines of it: an answer that nobody should act on.",
        "Look again in a moment; `--accept-missing` if there is no count and the app has no Machine.";
    LIST_LAGS "list_lags" Stale:
        "the provider's list lacks … that exist (…), and so may lack others",
        "The list lags behind what each Machine says of itself.",
        "Try again in a moment.";
    OTHER_LINEAGE "other_lineage" Stale:
        "the state belongs to another incarnation of `…` than the one there",
        "The app was deleted and made anew, or the state is of another account.",
        "Check which state and which app this is; `--take-over` if the state should follow.";
    STATE_BEHIND "state_behind" Stale:
        "…, and the state does not list it (it is at serial …, that run was to write …)",
        "Somebody applied from another copy of the state.",
        "Get the state that has it, or take over what it did with `--adopt-run`.";
    MAX_DESTROY "max_destroy" Refused:
        "… would be destroyed, and `[policy] max_destroy` allows … of …",
        "The plan destroys more at once than the policy allows.",
        "Split the change, or raise `max_destroy`.";
    NO_IMAGE "no_image" Refused:
        "nothing says which image …, and nothing of the app runs yet",
        "No manifest names an image, and there is no Machine to take it from.",
        "Name it with `--image`, or write `image` in aeroform.toml.";
    TWO_IMAGES "two_images" Refused:
        "new Machines of group `…` would run what runs, and that is … and …",
        "No manifest names an image, and the newest run left two.",
        "Say which with `--image`, or write `image` in aeroform.toml.";
    NO_REGION "no_region" Refused:
        "nothing says in which region group `…` starts",
        "No region is written and no Machine is there to start from.",
        "Write `primary_region`, or `regions` of the group.";
    NO_ROOM_IN_REGIONS "no_room_in_regions" Refused:
        "group `…` wants … Machines, and its regions hold …",
        "`max_per_region` is too small for the count.",
        "Add regions or raise `max_per_region`.";
    PROTECTED_GROUP "protected_group" Refused:
        "group `…` is protected: …",
        "A Machine or a volume of a group with `protect` would go.",
        "Remove `protect`, apply that by itself, then apply the change.";
    UNREACHABLE_VOLUME "unreachable_volume" Refused:
        "Machine … of group `…` must change, but … and …",
        "A replacement would leave the data behind.",
        "Wait for the host, or destroy the Machine and restore its volume from a snapshot.";
    RELEASE_COMMAND_NEEDED "release_command_needed" Refused:
        "the release command (…) has to run before this, and this version does not run it: …",
        "Image, environment, files or the command of a group change, or a group is new. New code would run on an old database schema.",
        "Run the command by hand, then add `--release-command=never`.";
    STRATEGY_UNSUPPORTED "strategy_unsupported" Refused:
        "… would be updated with the strategy `…`, which is not supported by this version",
        "`canary` and `bluegreen` cannot be carried out yet, and a rolling update takes running Machines down instead.",
        "Add `--strategy rolling`, or write `strategy = \"rolling\"` in fly.toml.";
    COMPOSE_NEEDED "compose_needed" Refused:
        "new Machines … would lack the containers of the compose file (…), which this version does not read",
        "`[build.compose]` is written, and a Machine would be made from nothing. One that exists keeps its containers.",
        "Write the containers as `machine_config`, or take `[build.compose]` away.";
    LINE_ENDS "line_ends" Not:
        "group `…`: the ends of lines in …, CRLF against LF",
        "A file, a variable or a command has the same lines as the Machine has, with other ends.",
        "Look at your editor and at git's `core.autocrlf`; `eol=lf` in .gitattributes keeps them.";
    RELEASE_COMMAND_SKIPPED "release_command_skipped" Not:
        "the release command (…) does not run, as `--release-command=never` says: …",
        "The plan changes what the command prepares for.",
        "Run it by hand before the apply, if this change needs it.";
    UNKNOWN_MACHINES "unknown_machines" Refused:
        "… may be of any group: nothing that can be read says whose they are, and there is no state that says it",
        "Their hosts do not answer, and Machines that seem to be missing may be these.",
        "Look again when the hosts answer; `--accept-unknown` if they are none of the groups'.";
    VOLUME_ON_ANOTHER_HOST "volume_on_another_host" Refused:
        "Machine … of group `…` cannot go to another dedicated host: its volume stays where it is",
        "`host_dedication_id` has changed for a Machine that has a volume.",
        "Make a volume on the new host from a snapshot, or keep `host_dedication_id` as it is.";
    REPLACES_NOBODY "replaces_nobody" Refused:
        "cannot replace …: no group of the app has it",
        "The id that a verb names is of no Machine that Aeroform manages, or it is gone.",
        "`aeroform machine list` names every Machine.";
    EXCLUDES_NOBODY "excludes_nobody" Refused:
        "cannot exclude …: no group of the app has it",
        "The id after `--exclude-machines` is of no Machine that Aeroform manages, or it is gone.",
        "`aeroform machine list` names every Machine.";
    EXCLUDED_MUST_CHANGE "excluded_must_change" Refused:
        "Machine … of group `…` is excluded and cannot stay as it is: …",
        "The plan would destroy or replace it, or a standby has to watch others.",
        "Take it out of `--exclude-machines`, or leave what needs it for another plan.";
    EXCLUDED_MACHINES "excluded_machines" Not:
        "group `…`: … excluded (…), neither changed nor waited for…",
        "`--exclude-machines` names them. They count for the group's number, and not as serving.",
        "Nothing; plan without the flag once they are well again.";
    RESTARTS_NOBODY "restarts_nobody" Refused:
        "cannot restart group `…`: the app has no such group",
        "`[processes]` has no group of that name.",
        "Name one of the groups that the message lists.";
    STEADY_TOO_LONG "steady_too_long" Refused:
        "group `…`: `--steady` is …, and a Machine is waited for only …s",
        "A Machine would have to stay up for longer than `wait_timeout` waits for it.",
        "Give `--steady` a shorter time, or `wait_timeout` in `[deploy]` of fly.toml a longer one.";
    LEFT_AT_REST "left_at_rest" Not:
        "group `…`: … not run and stay as they are",
        "A restart is of Machines that run; who stopped one has a reason.",
        "Start them with `aeroform machine start` if they are to run.";
    AUTOSTOP_WITHOUT_AUTOSTART "autostop_without_autostart" Not:
        "group `…`: its Machines stop by themselves and …",
        "`auto_stop_machines` without `auto_start_machines`.",
        "Set both, or none.";
    PUT_BACK_LATER "put_back_later" Not:
        "group `…`: the manifests say otherwise, so the next apply puts back …",
        "What is there was taken into the state, and fly.toml still says something else.",
        "To keep what is there, write it in fly.toml.";
    NOT_TAKEN_IN "not_taken_in" Not:
        "group `…`: the state cannot take in …, since no file says it; the next apply undoes it",
        "Somebody changed a field that fly.toml does not have; the state holds only what the files say.",
        "Write the lines that the hint shows in fly.toml, or let the next apply undo the change.";
    MUTABLE_TAG "mutable_tag" Not:
        "image `…` is a tag, which may move…",
        "What runs may not be what was reviewed.",
        "Name it by digest.";
    NOT_RUNNING "not_running" Not:
        "group `…`: none of its … Machines runs",
        "The group wants Machines, nothing stops them by itself, and none is started.",
        "Start them with `aeroform machine start`, or look at their logs.";
    NOT_RUN "not_run" Not:
        "this version does not run …",
        "fly.toml has machine checks, which `fly deploy` runs and Aeroform reads only.",
        "Run by hand what the change needs, before the apply.";
    RELEASE_IN_PROGRESS "release_in_progress" Not:
        "release v… by … is in progress: what is there may be about to change",
        "Somebody's `fly deploy` has begun and not ended, less than 15 minutes ago.",
        "Wait for it, and plan again; an apply waits by itself.";
    APP_ID_UNKNOWN "app_id_unknown" Not:
        "the platform does not tell the id of app `…`: whether it was deleted and made again cannot be seen",
        "The answer about the app has no `id`; the state keeps its lineage, or gets one that is derived from names.",
        "Nothing; the first answer with an id gives the state its lineage.";
    LINEAGE_TOLD "lineage_told" Not:
        "the platform tells the id of the app now: the state takes it as its lineage",
        "The state was first written when the platform did not tell the app's id.",
        "Nothing.";
    RELEASE_UNKNOWN "release_unknown" Not:
        "the newest release of `…` is not known: …",
        "The host that keeps releases did not answer, or said something else than that there is none.",
        "Nothing depends on it but the number of the next release; see what the host said.";
    SHARED_PORT "shared_port" Not:
        "groups … serve the same external port …: requests go to all of them…",
        "Two services answer on one port of one app.",
        "Give one of them another port, unless it is meant.";
    APP_REMOVED "app_removed" Not:
        "group `app` goes because `[processes]` appeared in fly.toml: that list is complete, and `app` is not in it",
        "The list of processes is the complete list of groups.",
        "Write the `[[moved]]` that is shown, if a new group is the old one.";
    DECIDED_AT_APPLY "decided_at_apply" Not:
        "which Machines go is decided at apply: this plan was made without asking the provider",
        "`--refresh=false`.",
        "Plan without it to see which.";
    CROWDED_REGION "crowded_region" Not:
        "group `…` keeps more than `max_per_region` = … in …: without `regions` every Machine stays where it is",
        "`max_per_region` says where additions go; only written regions are evened out.",
        "Write `regions` in `[groups.NAME]`.";
    PLACED_ELSEWHERE "placed_elsewhere" Not:
        "… of group `…` is in …, asked for …: the platform chose the region",
        "The platform made the Machine in another region than its create named. Without written `regions` a Machine stays where it is.",
        "`aeroform machine replace ID`, or write `regions` in `[groups.NAME]`.";
    HELD_BY_VOLUMES "held_by_volumes" Not:
        "group `…` stays uneven: Machines with volumes are not moved out of …",
        "Moving a Machine would leave its volume.",
        "An exact map of regions says where each is meant to be.";
    HOST_UNREACHABLE "host_unreachable" Not:
        "host unreachable: … (…)",
        "The hosts of these Machines do not answer.",
        "Wait; a step that needs one of them says so.";
    CONFIG_UNREADABLE "config_unreadable" Not:
        "config not readable: … (…): …",
        "The platform tells the config of a Machine in a form that this version does not understand, or not at all.",
        "Look at the Machine with `fly machine status ID --display-config`; an apply changes nothing of it in place.";
    UNREADABLE_ENTRIES "unreadable_entries" Not:
        "the provider lists … that cannot be read: …",
        "Entries of the provider's list have not even an id.",
        "Look again in a moment; they are left alone.";
    LEFT_UNREADABLE "left_unreadable" Not:
        "group `…`: … (…) … not wanted and …: … cannot be read and the state does not list …, so nobody knows whether …",
        "A Machine whose config cannot be read and that no state lists is never destroyed to reach a count.",
        "Destroy it by name if it is to go.";
    IGNORED_MACHINES "ignored_machines" Not:
        "…: … (taken out of the state with `state rm`, left alone)",
        "They were taken out of the state on purpose.",
        "Nothing.";
    IMAGE_INHERITED "image_inherited" Not:
        "new Machines of group `…` run `…`, as those that run do",
        "No manifest names an image, and what runs is one.",
        "Nothing; or name one with `--image` or in aeroform.toml.";
    MOVED_DONE "moved_done" Not:
        "nothing is left to move from `…` to `…`",
        "The rename was carried out.",
        "Take the `[[moved]]` entry away.";
    RENAMED_GROUP "renamed_group" Not:
        "group `…` goes and a new group looks like it",
        "It looks like a rename.",
        "Write the `[[moved]]` that is shown, if it is one.";
    SCALED_TO_ZERO "scaled_to_zero" Not:
        "group `…` will have no Machine",
        "Its count is 0.",
        "Mind that the next `fly deploy` makes new ones.";
    SIZES_DIFFER "sizes_differ" Not:
        "the Machines of group `…` have several sizes (…); new ones get …, as the one that was changed last",
        "No `[[vm]]` says the size, and somebody has changed it on some of them.",
        "Write `[[vm]]` for the group in fly.toml, and all of them get that.";
    SIZES_NOT_ENFORCED "sizes_not_enforced" Not:
        "provider `…` shows sizes and images and does not enforce them",
        "Local Machines are processes.",
        "Nothing.";
    SMALLER_VOLUME "smaller_volume" Not:
        "`initial_size` of group `…` is … GB and …: it is for volumes that are made, and those that exist stay as they are",
        "`initial_size` was raised, or volumes were made by hand.",
        "`fly volumes extend ID --size GB` makes one larger; none is ever made smaller.";
    VOLUME_FORKED "volume_forked" Not:
        "a move to another host gave Machine … volume … in place of …, which no Machine has and which costs … a month (… GB)",
        "The platform moved the Machine to another host and forked its volume; the old one stays and is billed.",
        "Destroy the old one with `fly volumes destroy ID` when you need nothing that is only in it.";
    SPECIAL_MACHINES "special_machines" Not:
        "…: … (release-command, console, test or leftover canary Machines, left alone)",
        "Other tools made them for a purpose of their own.",
        "Nothing.";
    STRANGERS "strangers" Not:
        "…: … (not managed by Aeroform or Fly Launch, left alone)",
        "Somebody made them by hand.",
        "Nothing.";
    OTHER_PROJECT "other_project" Not:
        "… of the same app in `…`: … (left alone)",
        "Another project folder on this computer made them, and the state does not list them (provider `local`).",
        "Nothing; `aeroform import ID` takes one over.";
    LATE_MACHINE "late_machine" Not:
        "… of group `…` (…) … made by a call that was not answered (run …), and turned up when nothing was owed any more",
        "The provider made a Machine whose create seemed lost, long after; meanwhile another took its place, or the plan changed.",
        "Look at the plan: it fills a place that is wanted, or is the first to go.";
    UNREACHABLE_STRANGERS "unreachable_strangers" Not:
        "…: … (not in the state, and nothing that can be read of them says whose they are; left alone)",
        "Their hosts do not answer or their configs cannot be read, and no state knows them.",
        "Wait for the hosts.";
    UNRECORDED_RUN "unrecorded_run" Not:
        "…, and the state does not list it (it is at serial …, that run was to write …)",
        "A run changed Machines and could not publish its state; what it made can be taken over safely.",
        "Nothing: it is taken over.";
    FILLED_BY_PLATFORM "filled_by_platform" Not:
        "the platform has added … to …",
        "Machines of this run show a field that was not sent to them: the platform fills it in. It is no change and no drift as long as its value stays.",
        "Nothing; write the line in fly.toml to decide about it yourself.";
    KEPT_BY_PLATFORM "kept_by_platform" Not:
        "… was removed from …, and the platform added it again",
        "fly.toml does not say it, an update took it away, and the Machines have it again with the same value.",
        "Write the value that you want in fly.toml.";
    PROTECTS "protects" Not:
        "group `…` becomes protected",
        "`protect` was written.",
        "Nothing.";
    SECRETS_IN_STATE "secrets_in_state" Not:
        "the state file has a secret in clear, …",
        "An earlier version wrote a command, a path or a header into the state that has a secret in it.",
        "Apply, which writes a hash in its place, and replace the secret where it is issued: older versions of the file still have it.";
    UNPROTECTS "unprotects" Not:
        "group `…` is no longer protected",
        "`protect` was taken away.",
        "Nothing; destroys of the group are possible from the next plan on.";
}

/// The code of this name, as it stands in a plan.
pub fn named(name: &str) -> Option<crate::core::code::Code> {
    ALL.iter().copied().find(|code| code.name() == name)
}
