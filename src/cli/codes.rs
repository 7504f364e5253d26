//! The codes of the verbs, and all codes of the project in one place: docs/errors.md is made of [`CODE_TABLES`].

use crate::core::code::{Code, codes};

codes! {
    ALREADY_THERE "already_there" Error:
        "`…` is there already",
        "`init` writes no file over another.",
        "Change it by hand, or move it away first.";
    BAD_APP "bad_app" Error:
        "`FLY_APP` is `…`, which is no app name",
        "The variable holds something else than the name of an app.",
        "Unset it, or name the app with `--app`.";
    BAD_COUNT "bad_count" Error:
        "group `…` is given two counts",
        "`scale count` names it twice, or once by name and once by `-g`.",
        "Name each group once.";
    BAD_PLAN_FILE "bad_plan_file" Error:
        "cannot read the plan in `…`",
        "The file is cut off, was edited, is no saved plan, or comes from a newer or older version.",
        "Make one with `aeroform plan --out FILE`.";
    BAD_PORT "bad_port" Error:
        "`AEROFORM_LOCAL_PORTS` is `…`, which is no port to begin at",
        "The variable holds something else than a number from 1024 to 60000.",
        "Set it to such a number, or unset it.";
    BAD_STEADY "bad_steady" Error:
        "`AEROFORM_STEADY` is `…`, which is no duration",
        "The variable holds something else than a time like 10s.",
        "Set it to such a time, or to 0, or unset it.";
    APP_LEASED "app_leased" Locked:
        "somebody else is at work on this app",
        "Another run, `fly deploy` or `fly scale` holds the lease of a Machine.",
        "Wait until that is done, or give `--lock-timeout`.";
    BAD_FAULTS "bad_faults" Error:
        "cannot read the faults in `…`: …",
        "The file is no TOML, or names an action or an effect that there is not.",
        "Correct the entry; docs/emulator.md lists both.";
    BAD_SIZE "bad_size" Error:
        "there is no VM size `…`",
        "The size is misspelt, or Fly sells no VM with that memory; the message says what does not fit.",
        "Use one of those that the hint names; `aeroform platform vm-sizes` lists them.";
    CANNOT_TELL "cannot_tell" Error:
        "cannot tell what has drifted",
        "The provider's answer lacks Machines, or is about another app than the state.",
        "Look again in a moment, or check which state and which app this is.";
    CHDIR "chdir" Error:
        "cannot go to `…`",
        "The folder of `-C` is not there or not yours.",
        "Name another.";
    CONSENT_NEEDED "consent_needed" Refused:
        "the plan needs a yes, and there is no terminal to ask at; nothing was changed",
        "Standard input is no terminal.",
        "Review the plan, then add the flag that the message names.";
    EDIT_INVALID "edit_invalid" Error:
        "this change would make the manifests invalid; nothing was changed",
        "What a verb would write contradicts something else that is written; that is shown with its place.",
        "Make the change by hand, together with what it contradicts.";
    EMULATOR_DATA "emulator_data" Error:
        "cannot keep the emulated platform in `…`: …",
        "The file of `--data` is no database of the emulator, or cannot be written.",
        "Name another file.";
    FILE_CHANGED "file_changed" Stale:
        "`…` was changed by somebody else since it was read; nothing was changed",
        "A manifest that a verb edits is not any more what it was when the plan was shown.",
        "Run the command again.";
    GROUP_EXISTS "group_exists" Error:
        "there is a process group `…` already",
        "A group is added or renamed to a name that another one has.",
        "Use another name.";
    GROUP_MOVES "group_moves" Error:
        "Machines of group `…` are still to move to `…`",
        "A group is to get a name whose own Machines have not moved away yet: the two would be mixed up.",
        "Run `aeroform apply` first.";
    INVALID_MANIFEST "invalid_manifest" Error:
        "cannot parse …: …",
        "fly.toml or aeroform.toml has mistakes; each is shown with its place.",
        "Correct them.";
    LAST_GROUP "last_group" Error:
        "`…` is the only process group",
        "Without it fly.toml would mean the group `app`.",
        "`aeroform destroy` takes the whole app, `aeroform scale count 0` its Machines.";
    NEEDS_GROUP "needs_group" Error:
        "there are several process groups, and none is named",
        "The verb is about one group.",
        "Name it with `-g`; the hint lists them.";
    NEEDS_REFRESH "needs_refresh" Error:
        "without looking at the provider nothing is applied",
        "`--refresh=false` shows or writes an edit, and cannot carry it out.",
        "Add `--plan-only` or `--edit-only`, or take it away.";
    NOT_EDITABLE "not_editable" Error:
        "`…` cannot be edited without changing other entries; nothing was changed",
        "The entry stands in a form that has no smallest change, such as a table that another one completes.",
        "Make the change that is printed by hand.";
    NOT_TOML "not_toml" Error:
        "`…` is not TOML; only TOML files can be edited; nothing was changed",
        "The app is configured by a fly.json or fly.yaml.",
        "Make the change that is printed by hand.";
    NO_FLY_TOML "no_fly_toml" Error:
        "there is no `…`",
        "The folder has no fly.toml.",
        "Go to the folder of fly.toml, or name it with `-C` or `-c`.";
    NO_FOLDER "no_folder" Error:
        "cannot find the folder `…`",
        "The folder of the manifests is gone.",
        "Name another.";
    NO_GROUP "no_group" Error:
        "there is no process group `…`",
        "`-g` names a group that fly.toml does not define.",
        "Use one of those that the hint lists.";
    NO_GROUP_NAMED "no_group_named" Error:
        "no group is named",
        "The verb needs one, and there is no terminal to choose it at; each cause is one that could be meant.",
        "Name one of them.";
    NO_HOME "no_home" Error:
        "there is no place for what belongs to this user",
        "Neither `AEROFORM_STATE_DIR`, `XDG_STATE_HOME` nor `HOME` is set.",
        "Set one of them.";
    NO_IMAGE_TO_PIN "no_image_to_pin" Error:
        "cannot pin the image that runs: …",
        "`import --pin-image` writes one image, and the Machines run several, or do not say which.",
        "Say which with `--image`, or leave `--pin-image` away.";
    NO_PLAN_FILE "no_plan_file" Error:
        "there is no saved plan `…`",
        "The file is not there.",
        "Make one with `aeroform plan --out FILE`.";
    NO_PROGRAM "no_program" Error:
        "cannot find this program's own file",
        "It was moved or deleted while it ran.",
        "Start it anew.";
    NO_STATE_FILE "no_state_file" Error:
        "there is no `…`",
        "The file to be published is not there.",
        "Name the copy that the run has printed.";
    NOT_TO_BE_TAKEN "not_to_be_taken" Error:
        "Machine … cannot be taken into the state: …",
        "It is known already, another tool made it for a purpose of its own, or its host does not say what it is.",
        "See what the message says of it.";
    FOREIGN_MACHINE "foreign_machine" Error:
        "Machine `…` is of no group that Aeroform manages",
        "It belongs to a console, a release or another tool, and no manifest says anything of it.",
        "`fly machine` does what is to be done to it.";
    NO_MACHINE_NAMED "no_machine_named" Error:
        "no Machine is named",
        "The verb needs one, and there is no terminal to choose it at; each cause is one that could be meant.",
        "Name one of them.";
    NO_PROVIDER_NAMED "no_provider_named" Error:
        "nothing says where the Machines run",
        "No flag, aeroform.toml or state names a provider, and a token is set or an image is named or built: the app \
         may be on Fly or is to run here. Or `init` asks for it, and the terminal cannot draw a list.",
        "Name it with `--provider`, or let `aeroform init` write it down.";
    STANDBY "standby" Error:
        "Machine … is a standby …",
        "Standbys follow their primaries and are never cloned or moved by themselves.",
        "Name one of the primaries, or change `standby` in aeroform.toml.";
    STILL_RUNS "still_runs" Error:
        "Machine … is started",
        "A Machine that runs is not destroyed without a word more.",
        "Stop it first, or add `--force`.";
    MACHINE_DOWN "machine_down" Error:
        "cannot … Machine …: it is …",
        "Only a Machine that runs can be restarted or suspended.",
        "Start it with `aeroform machine start ID`.";
    MACHINE_OF_OTHER_PROJECT "machine_of_other_project" Error:
        "Machine … belongs to the project in `…`",
        "Another project folder on this computer made it, and this state does not list it.",
        "Run the command in that folder, or take the Machine over with `aeroform import ID`.";
    NO_SUCH_MACHINE "no_such_machine" Error:
        "… no … Machine `…`",
        "Neither the state nor the provider knows it.",
        "`aeroform status` lists them.";
    NO_SUCH_REGION "no_such_region" Error:
        "there is no region `…`",
        "Fly has no region of that code, and no group is there.",
        "Use one that `aeroform regions list` shows.";
    NO_REGION_LEFT "no_region_left" Error:
        "group `…` would have no region left",
        "Its only regions are taken away.",
        "Add another one first, or scale it to 0.";
    OTHER_APP "files_of_another_app" Error:
        "`…` is of app `…`, and … names `…`; nothing was changed",
        "A verb that writes fly.toml or aeroform.toml was started for another app than the one that fly.toml names.",
        "Name the files of the app that is meant with `-c`, or leave `--app` and `FLY_APP` away.";
    IN_GIT_FOLDER "in_git_folder" Error:
        "`…` is in a folder of git's own",
        "A manifest names a file below a folder `.git`, where git keeps credentials, directly or through a link.",
        "Name another file.";
    OUTSIDE_PROJECT "outside_project" Error:
        "`…` leads out of the project",
        "A manifest names a file outside of its repository.",
        "Move the file, or name it by a flag.";
    PLAN_REFUSED "plan_refused" Refused:
        "the plan is refused; nothing was changed",
        "A guard says no; the causes are the refusals of the plan. Exit 4 where state and world do not belong together.",
        "Do what the hint says.";
    RUNTIME "runtime" Error:
        "cannot begin to work",
        "The system gives no more file descriptors.",
        "See the cause.";
    PLAN_SPENT "plan_spent" Stale:
        "cannot apply the saved plan: it was applied already",
        "A plan is applied once, also where the world is again as it was when the plan was made; a plan older than the last 50 runs cannot be known not to have been.",
        "Make another one with `aeroform plan --out FILE` and review it.";
    NO_SETTINGS "no_settings" Error:
        "`…` has no settings: provider, counts, `protect` and `max_destroy` would be dropped",
        "Beside fly.toml there are settings files, and none of them is for it.",
        "`aeroform -c FILE init` writes one for it; `config` in a settings file names its fly.toml.";
    SEVERAL_APPS "several_apps" Error:
        "several apps have a state here, and fly.toml does not say which is meant",
        "A verb that only looks goes on without fly.toml where one state says the app, and there are more.",
        "Name the app with `--app`.";
    SETTINGS_NAMED "settings_named" Error:
        "`…` holds settings, and `-c` takes the fly.toml that they are for",
        "`-c` names an aeroform.toml.",
        "Name the fly.toml that the hint names.";
    SETTINGS_TWICE "settings_twice" Error:
        "`…` and `…` are both for `…`",
        "Two settings files go with one fly.toml, by name or by `config`.",
        "Keep one of them, or let its `config` name another file.";
    SETTINGS_UNCLEAR "settings_unclear" Error:
        "`…` may be for `…` or for `…`",
        "By its name a settings file goes with two files, as JSON and as YAML.",
        "Write in it which: `config`.";
    SCALE_FITS_NOT "scale_fits_not" Error:
        "group `…` cannot have … Machines there",
        "The regions hold fewer, as `--max-per-region` or `max_per_region` in aeroform.toml says, or there is no region.",
        "Name more regions with `--region`, or raise the limit.";
    CPUS_DIFFER "cpus_differ" Error:
        "the Machines of group `…` have different CPUs, and fly.toml does not say which: …",
        "Memory alone is no size, and the Machines do not agree on the rest, or nobody knows what they have.",
        "Say it whole with `aeroform scale vm`.";
    STALE_PLAN "stale_plan" Stale:
        "…",
        "The saved or shown plan is not what would be done now; each difference is a cause.",
        "Run `aeroform plan` and review it again.";
    STATE_MOVED_ON "state_moved_on" Stale:
        "cannot publish this state: it does not follow the one there",
        "The state was written by another run since.",
        "Run `aeroform plan`: it shows what that run made and the state does not list.";
    STATE_URL "state_url" Error:
        "a state at `…` is not part of this version",
        "`[state] url` names a remote place.",
        "Keep it in a file: `[state] path`.";
    NOTHING_TO_IMPORT "nothing_to_import" Error:
        "app `…` has no Machine that could be imported",
        "It is empty, or none of its Machines is managed by Fly Launch or Aeroform.",
        "`aeroform init` begins anew.";
    NOT_LISTENING "not_listening" Error:
        "cannot listen at …",
        "Another program listens there, or the address is not of this computer.",
        "Name another with `--listen`; port 0 takes a free one.";
    UNKNOWN_PROVIDER "unknown_provider" Error:
        "there is no provider `…`",
        "The name is misspelt.",
        "The providers are `local` and `fly`.";
    UNREADABLE "unreadable" Error:
        "cannot read `…`",
        "The system refuses it, or it is no ordinary file.",
        "Look at its permissions.";
    UNWRITABLE "unwritable" Error:
        "cannot write `…`",
        "The system refuses it.",
        "Look at its permissions and the space there.";
}

/// The codes of one room, under the heading that docs/errors.md gives them.
#[derive(Debug, Clone, Copy)]
pub struct CodeTable {
    /// Heading.
    pub title: &'static str,
    /// What they have in common, for people.
    pub about: &'static str,
    /// The codes.
    pub codes: &'static [Code],
}

/// Every code that there is.
pub const CODE_TABLES: &[CodeTable] = &[
    CodeTable {
        title: "Commands",
        about: "A command ends with one of these; `--json` prints it as a document.",
        codes: ALL,
    },
    CodeTable {
        title: "State, journal, streams",
        about: "A command ends with one of these, whichever it is.",
        codes: crate::ui::codes::ALL,
    },
    CodeTable {
        title: "Text of a state file",
        about: "A command ends with one of these when it reads a state.",
        codes: crate::core::state::codes::ALL,
    },
    CodeTable {
        title: "Manifests",
        about: "Each stands beside its place in the file; a command then ends with `invalid_manifest`. \
                Those without an exit code are warnings.",
        codes: crate::core::manifest::codes::ALL,
    },
    CodeTable {
        title: "Plans",
        about: "A plan lists them as refusals, warnings, notes and records. Refusals end an apply with \
                `plan_refused`; those without an exit code end nothing.",
        codes: crate::core::plan::codes::ALL,
    },
    CodeTable {
        title: "Steps of an apply",
        about: "A step ends with one of these or with an answer of the provider; what depends on it is \
                skipped, and the apply is not complete.",
        codes: crate::apply::codes::ALL,
    },
    CodeTable {
        title: "Answers of providers",
        about: "A command that only reads ends with one of these; as the end of a step it makes the \
                apply incomplete, which is exit 3.",
        codes: crate::provider::codes::ALL,
    },
    CodeTable {
        title: "Answers of provider `fly`",
        about: "The same, beside those that all providers share.",
        codes: crate::provider::fly::codes::ALL,
    },
    CodeTable {
        title: "Answers of provider `local`",
        about: "The same, from processes of this computer.",
        codes: crate::provider::local::codes::ALL,
    },
];
