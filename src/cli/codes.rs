//! The codes of the verbs, and all code tables of the project: docs/errors.md is generated from [`CODE_TABLES`].

use crate::core::code::{Code, codes};

codes! {
    ALREADY_THERE "already_there" Error:
        "`…` already exists",
        "`init` does not overwrite files.",
        "Edit the file, or move it first.";
    BAD_APP "bad_app" Error:
        "`FLY_APP` is `…`, which is not a valid app name",
        "The variable does not contain an app name.",
        "Unset it, or use `--app`.";
    BAD_COUNT "bad_count" Error:
        "group `…` has two counts",
        "`scale count` names the group twice, or once by name and once with `-g`.",
        "Name each group once.";
    BAD_PLAN_FILE "bad_plan_file" Error:
        "cannot read the plan in `…`",
        "The file is truncated, edited, not a saved plan, or from another version.",
        "Create one with `aeroform plan --out FILE`.";
    BAD_PORT "bad_port" Error:
        "`AEROFORM_LOCAL_PORTS` is `…`, which is not a valid first port",
        "The value is not a number from 1024 to 60000.",
        "Set such a number, or unset the variable.";
    BAD_STEADY "bad_steady" Error:
        "`AEROFORM_STEADY` is `…`, which is not a duration",
        "The value is not a duration such as 10s.",
        "Set a duration or 0, or unset the variable.";
    APP_LEASED "app_leased" Locked:
        "another client is changing this app",
        "Another run, `fly deploy` or `fly scale` holds the lease of a Machine.",
        "Wait until it is done, or use `--lock-timeout`.";
    BAD_FAULTS "bad_faults" Error:
        "cannot read the faults in `…`: …",
        "The file is not valid TOML, or names an unknown action or effect.",
        "Correct the entry; docs/emulator.md lists both.";
    BAD_SIZE "bad_size" Error:
        "there is no VM size `…`",
        "The name is misspelled, or Fly does not offer this CPU and memory combination; the message says which limit is violated.",
        "Use a size that the hint names; `aeroform platform vm-sizes` lists them all.";
    CANNOT_TELL "cannot_tell" Stale:
        "cannot determine the drift",
        "The provider's response lacks Machines, or belongs to another app than the state.",
        "Try again in a moment, or check app and state.";
    CHDIR "chdir" Error:
        "cannot change to folder `…`",
        "The folder of `-C` does not exist or is not accessible.",
        "Use another folder.";
    CONSENT_NEEDED "consent_needed" Refused:
        "this plan needs approval and stdin is not a terminal; nothing was changed",
        "Without a terminal a plan is approved by flags.",
        "Review the plan, then add the flag that the message names.";
    EDIT_INVALID "edit_invalid" Error:
        "this edit would make the manifests invalid; nothing was changed",
        "What a verb would write contradicts something else that is written; that is shown with its place.",
        "Make the change by hand, together with the settings that contradict it.";
    EMULATOR_DATA "emulator_data" Error:
        "cannot open the emulator's data file `…`: …",
        "The file of `--data` is not an emulator database, or is not writable.",
        "Use another file.";
    FILE_CHANGED "file_changed" Stale:
        "`…` was changed by another program since it was read; nothing was changed",
        "A manifest to edit changed after the plan was shown.",
        "Run the command again.";
    GROUP_EXISTS "group_exists" Error:
        "process group `…` already exists",
        "`group add` or `group rename` uses the name of another group.",
        "Use another name.";
    GROUP_MOVES "group_moves" Error:
        "Machines of group `…` have not moved to `…`",
        "A group would get a name that belongs to Machines with a pending move.",
        "Run `aeroform apply` first.";
    INVALID_MANIFEST "invalid_manifest" Error:
        "cannot parse …: …",
        "fly.toml or aeroform.toml has mistakes; each is shown with its place.",
        "Correct them.";
    LAST_GROUP "last_group" Error:
        "`…` is the only process group",
        "Without it fly.toml would define the default group `app`.",
        "Use `aeroform destroy` to destroy all Machines, or `aeroform scale count 0` to keep the group without Machines.";
    NEEDS_GROUP "needs_group" Error:
        "the app has several process groups, and none is named",
        "The command changes one group.",
        "Use `-g`; the hint lists the groups.";
    NEEDS_REFRESH "needs_refresh" Error:
        "`--refresh=false` cannot be combined with an apply",
        "An apply reads the provider first.",
        "Add `--plan-only` or `--edit-only`, or remove `--refresh=false`.";
    NOT_EDITABLE "not_editable" Error:
        "`…` cannot be edited without changing other entries; nothing was changed",
        "The entry is written in a form that cannot be changed alone, such as a table that another one extends.",
        "Make the printed change by hand.";
    NOT_TOML "not_toml" Error:
        "`…` is not TOML; only TOML files can be edited; nothing was changed",
        "The app is configured by a fly.json or fly.yaml.",
        "Make the printed edit by hand.";
    NO_FLY_TOML "no_fly_toml" Error:
        "there is no `…`",
        "The folder has no fly.toml.",
        "Run in the folder of fly.toml, or name it with `-C` or `-c`.";
    NO_FOLDER "no_folder" Error:
        "cannot find the folder `…`",
        "The folder of the manifests does not exist.",
        "Use another folder.";
    TOO_LARGE "file_too_large" Error:
        "cannot read `…`: it has … bytes, and the limit is …",
        "A manifest may have 1 MiB, a file that fly.toml names 64 MiB. A larger one is not read.",
        "Check the path; make the file smaller.";
    NO_GROUP "no_group" Error:
        "there is no process group `…`",
        "fly.toml does not define the group.",
        "Use a group that the hint lists.";
    NO_GROUP_NAMED "no_group_named" Error:
        "no group is named",
        "The command needs a group, and there is no terminal to choose one; each cause is a candidate.",
        "Name a group.";
    NO_HOME "no_home" Error:
        "cannot find a folder for the state of this user",
        "`AEROFORM_STATE_DIR`, `XDG_STATE_HOME` and `HOME` are not set.",
        "Set one of them.";
    NO_IMAGE_TO_PIN "no_image_to_pin" Error:
        "cannot pin the running image: …",
        "`import --pin-image` writes one image, but the Machines run several images or do not report theirs.",
        "Choose one with `--image`, or omit `--pin-image`.";
    NO_PLAN_FILE "no_plan_file" Error:
        "there is no saved plan `…`",
        "The file does not exist.",
        "Create one with `aeroform plan --out FILE`.";
    NO_PROGRAM "no_program" Error:
        "cannot find the path of this executable",
        "The executable was moved or deleted while it ran.",
        "Start it again.";
    NO_STATE_FILE "no_state_file" Error:
        "there is no `…`",
        "The state file to publish, or to plan from (`--state`), does not exist. It is not taken for an empty state.",
        "Use the file that the run printed, or an existing one.";
    NOT_TO_BE_TAKEN "not_to_be_taken" Error:
        "Machine … cannot be added to the state: …",
        "It is already in the state, belongs to another tool, or its host is unreachable.",
        "See the reason in the message.";
    FOREIGN_MACHINE "foreign_machine" Error:
        "Machine `…` is not in a group that Aeroform manages",
        "It is a console, a release Machine or belongs to another tool; no manifest describes it.",
        "Use `fly machine` for it.";
    NO_MACHINE_NAMED "no_machine_named" Error:
        "no Machine is named",
        "The command needs a Machine, and there is no terminal to choose one; each cause is a candidate.",
        "Name a Machine.";
    NO_PROVIDER_NAMED "no_provider_named" Error:
        "no provider is configured",
        "No flag, aeroform.toml or state names a provider, and a token, an image or `[build]` is set: the app may be \
         on Fly. Or `init` needs an answer and the terminal cannot show a list.",
        "Use `--provider fly` or `--provider local`, or write `provider` in aeroform.toml.";
    STANDBY "standby" Error:
        "Machine … is a standby …",
        "Standbys follow their primaries and cannot be cloned or moved.",
        "Use one of the primaries, or change `standby` in aeroform.toml.";
    STILL_RUNS "still_runs" Error:
        "Machine … is started",
        "A running Machine is destroyed only with `--force`.",
        "Stop it first, or add `--force`.";
    MACHINE_DOWN "machine_down" Error:
        "cannot … Machine …: it is …",
        "Only a running Machine can be restarted or suspended.",
        "Start it with `aeroform machine start ID`.";
    MACHINE_OF_OTHER_PROJECT "machine_of_other_project" Error:
        "Machine … belongs to the project in `…`",
        "Another project folder on this computer created it, and this state does not list it.",
        "Run the command in that folder, or adopt the Machine with `aeroform import ID`.";
    NO_SUCH_MACHINE "no_such_machine" Error:
        "… no … Machine `…`",
        "Neither the state nor the provider has it.",
        "`aeroform status` lists the Machines.";
    NO_SUCH_REGION "no_such_region" Error:
        "there is no region `…`",
        "Fly has no region with that code, and no group has Machines there.",
        "Use a region that `aeroform regions list` shows.";
    NO_REGION_LEFT "no_region_left" Error:
        "group `…` would have no region left",
        "The command removes all its regions.",
        "Add another region first, or scale the group to 0.";
    OTHER_APP "files_of_another_app" Error:
        "`…` belongs to app `…`, and … names `…`; nothing was changed",
        "A command that edits the manifests was run for another app than fly.toml names.",
        "Use the files of that app with `-c`, or remove `--app` and `FLY_APP`.";
    IN_GIT_FOLDER "in_git_folder" Error:
        "`…` is in a `.git` folder",
        "A manifest names a file in a `.git` folder, which can contain credentials, directly or through a link.",
        "Use another file.";
    OUTSIDE_PROJECT "outside_project" Error:
        "`…` is outside the project",
        "A manifest names a file outside its repository.",
        "Move the file, or name it with a flag.";
    EXCEEDS_EXPECTED "exceeds_expected" Stale:
        "plan … exceeds the expected plan …; nothing was changed",
        "The plan does more than the plan of `--expect` lists; each excess is a cause.",
        "Review the new plan and save or merge it again, or apply with the flags that the hint names.";
    OTHER_PLAN "other_plan" Error:
        "cannot use the saved plan: …",
        "The plan was made for another app, provider or account, or its command is another one.",
        "Create one for this app with `aeroform plan --out FILE`.";
    PLAN_OFFLINE "plan_offline" Stale:
        "cannot apply the saved plan: it was made without calling the provider",
        "A plan of `plan --refresh=false` does not say which Machines are changed.",
        "Review it, then use `aeroform apply --expect FILE`.";
    PLAN_REFUSED "plan_refused" Refused:
        "the plan is refused; nothing was changed",
        "A guard refused the plan; the causes are its refusals. Exit 4 if the state does not belong to this app.",
        "Follow the hint.";
    RUNTIME "runtime" Error:
        "cannot start the async runtime",
        "The system gives no more file descriptors.",
        "See the cause.";
    PLAN_SPENT "plan_spent" Stale:
        "cannot apply the saved plan: it was already applied",
        "A plan is applied once. For a plan older than the last 50 runs this is unknown, so it is refused.",
        "Create a new plan with `aeroform plan --out FILE` and review it.";
    NO_SETTINGS "no_settings" Error:
        "`…` has no settings: provider, counts, `protect` and `max_destroy` would be ignored",
        "There are settings files next to fly.toml, but none is for it.",
        "`aeroform -c FILE init` writes one; `config` in a settings file names its fly.toml.";
    SEVERAL_APPS "several_apps" Error:
        "several apps have a state here, and fly.toml does not name the app",
        "A read-only command without a valid fly.toml uses the only state, but there are several.",
        "Use `--app`.";
    SETTINGS_NAMED "settings_named" Error:
        "`…` is a settings file, and `-c` takes a fly.toml",
        "`-c` names an aeroform.toml.",
        "Use the fly.toml in the hint.";
    SETTINGS_TWICE "settings_twice" Error:
        "`…` and `…` are both for `…`",
        "Two settings files belong to one fly.toml, by name or by `config`.",
        "Keep one of them, or set its `config` to another file.";
    SETTINGS_UNCLEAR "settings_unclear" Error:
        "`…` may be for `…` or for `…`",
        "By its name a settings file matches both a JSON and a YAML file.",
        "Set `config` in it.";
    SCALE_FITS_NOT "scale_fits_not" Error:
        "group `…` cannot have … Machines in these regions",
        "`--max-per-region` or `max_per_region` in aeroform.toml limits them, or there is no region.",
        "Add regions with `--region`, or raise the limit.";
    CPUS_DIFFER "cpus_differ" Error:
        "the Machines of group `…` have different CPUs, and fly.toml does not set them: …",
        "`scale memory` keeps the CPUs, but the Machines have different ones or their CPUs are unknown.",
        "Set both with `aeroform scale vm`.";
    STATE_NOT_NEWEST "state_not_newest" Stale:
        "`…` is not the newest state: branch `…` of `…` has serial …, this one has serial …",
        "git tracks the state file, and the same file on its remote branch lists a run that this one does not: a job ran again, or the checkout is older than the last apply.",
        "Check out the branch instead of the commit of the job, or pull; `--no-fetch` leaves the check out.";
    STALE_PLAN "stale_plan" Stale:
        "…",
        "The saved or shown plan differs from the current plan; each difference is a cause.",
        "Run `aeroform plan` and review the new plan.";
    STATE_MOVED_ON "state_moved_on" Stale:
        "cannot publish this state: it does not follow the current one",
        "Another run has written the state since.",
        "Run `aeroform plan`: it shows the Machines of that run that the state does not list.";
    STATE_THERE "state_there" Error:
        "cannot move the state to `…`: another state is there",
        "`state migrate` replaces only an older version of the same state. The target has a state of another lineage, a newer one, or one of a run that this state does not list; or both places are one.",
        "Name another file or branch, or name that place in `[state]` of aeroform.toml to use its state.";
    STATE_NOT_HERE "state_not_here" Error:
        "the state is at `…`, and an offline plan does not use the network",
        "`[state] url` names a git remote, and `--refresh=false` neither starts a process nor opens a connection.",
        "Check the branch of the state out and use `--state FILE`; before the first apply `--state none`.";
    NOTHING_TO_IMPORT "nothing_to_import" Error:
        "app `…` has no Machine to import",
        "The app is empty, or its Machines are not managed by Fly Launch or Aeroform.",
        "Use `aeroform init`.";
    NOT_LISTENING "not_listening" Error:
        "cannot listen at …",
        "Another program uses the port, or the address does not belong to this computer.",
        "Use another address with `--listen`; port 0 chooses a free port.";
    UNKNOWN_RELEASE "unknown_release" Error:
        "the state has no release …",
        "The release is older than the last ten of the state, was made by another tool, or there is no earlier one.",
        "Use one that the message lists; `aeroform releases` shows what each of them changed.";
    HOLD_WITH_IMAGE "hold_with_image" Usage:
        "`--image` cannot be combined with [hold], which names release …",
        "`[hold]` is in aeroform.toml, or `rollback` writes it: the image is that of its release.",
        "Remove `--image`, or end the hold: `aeroform rollback --end --image IMAGE`.";
    UNKNOWN_PROVIDER "unknown_provider" Error:
        "there is no provider `…`",
        "The name is misspelled.",
        "The providers are `local` and `fly`.";
    UNREADABLE "unreadable" Error:
        "cannot read `…`",
        "The system denies access, or it is not a regular file.",
        "Check its permissions.";
}

/// The codes of one module, with their heading in docs/errors.md.
#[derive(Debug, Clone, Copy)]
pub struct CodeTable {
    /// Heading.
    pub title: &'static str,
    /// Introduction.
    pub about: &'static str,
    /// The codes.
    pub codes: &'static [Code],
}

/// Every code.
pub const CODE_TABLES: &[CodeTable] = &[
    CodeTable {
        title: "Commands",
        about: "A command ends with one of these; `--json` prints it as a document.",
        codes: ALL,
    },
    CodeTable {
        title: "State, journal, streams",
        about: "Any command can end with one of these.",
        codes: crate::ui::codes::ALL,
    },
    CodeTable {
        title: "Text of a state file",
        about: "A command ends with one of these when it reads a state.",
        codes: crate::core::state::codes::ALL,
    },
    CodeTable {
        title: "Manifests",
        about: "Each is shown with its location in the file, and the command ends with `invalid_manifest`. \
                Those without an exit code are warnings.",
        codes: crate::core::manifest::codes::ALL,
    },
    CodeTable {
        title: "Plans",
        about: "A plan lists them as refusals, warnings, notes and records. A refusal ends an apply with \
                `plan_refused`; those without an exit code do not.",
        codes: crate::core::plan::codes::ALL,
    },
    CodeTable {
        title: "Plans with a base",
        about: "`plan --base` shows them above the plan. They are warnings.",
        codes: crate::core::plan::comparison::codes::ALL,
    },
    CodeTable {
        title: "Steps of an apply",
        about: "A step fails with one of these or with an error of the provider; steps that depend on it are \
                skipped, and the apply is incomplete.",
        codes: crate::apply::codes::ALL,
    },
    CodeTable {
        title: "Errors of providers",
        about: "A read-only command ends with one of these. If a step of an apply fails with one, the apply is \
                incomplete, which is exit 3.",
        codes: crate::provider::codes::ALL,
    },
    CodeTable {
        title: "Errors of provider `fly`",
        about: "The same, in addition to those of all providers.",
        codes: crate::provider::fly::codes::ALL,
    },
    CodeTable {
        title: "Errors of provider `local`",
        about: "The same, for processes on this computer.",
        codes: crate::provider::local::codes::ALL,
    },
];
