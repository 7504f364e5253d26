//! The codes of mistakes in fly.toml and aeroform.toml.
//!
//! A mistake in fly.toml that flyctl overlooks is a warning; the rest ends the command.

use crate::core::code::codes;

codes! {
    AUTOSTOP_WITHOUT_AUTOSTART "autostop_without_autostart" Not:
        "Machines of this service are stopped by themselves …",
        "`auto_stop_machines` is on and `auto_start_machines` is not.",
        "Write `auto_start_machines = true`.";
    BAD_CHECK "bad_check" Error:
        "check … needs the type \"http\" or \"tcp\"",
        "A top-level check has no type, or one that there is not.",
        "Add `type = \"http\"` or `type = \"tcp\"`.";
    BAD_COMMAND "bad_command" Error:
        "the command of … cannot be split into words: …",
        "A quote is never closed, or the command ends in a backslash.",
        "Close the quote; Fly splits commands as google/shlex does, not as a shell.";
    BAD_MACHINE_CONFIG "bad_machine_config" Error:
        "… is not a Machine config: …",
        "`machine_config` is no JSON, or a key of it has another type than the platform gives it.",
        "Correct it; docs of the Machines API list the keys.";
    BAD_VALUE "bad_value" Error:
        "… is not …",
        "The type is right and the value is not one that the key takes.",
        "Write one of those that the message names.";
    CANARY_WITH_MOUNTS "canary_with_mounts" Error:
        "the strategy `canary` cannot go with mounts",
        "A canary would need a second volume.",
        "Use `strategy = \"rolling\"`.";
    CHECK_WITHOUT_PORT "check_without_port" Error:
        "check … has no port, and process group … has no [http_service] to take it from",
        "Nothing says which port is checked.",
        "Add `port` to the check.";
    CLAMPED "clamped" Not:
        "`…` is …: Fly …",
        "A check's interval or timeout lies outside of what Fly takes.",
        "Write what it is set to.";
    COMPOSE_NOT_READ "compose_not_read" Not:
        "the containers of a compose file are not read: Machines keep those that they have",
        "`[build.compose]` is not part of this version.",
        "Write the containers as `machine_config`.";
    COUNT_AND_REGIONS "count_and_regions" Error:
        "group … has `count = …`, and its regions add up to …",
        "A table of regions is exact, so it says the count by itself.",
        "Take `count` away, or make the two agree.";
    DUPLICATE_GROUP "duplicate_group" Error:
        "process group … is written twice",
        "Two entries make one name.",
        "Keep one of the two.";
    DUPLICATE_KEY "duplicate_key" Error:
        "… is written twice",
        "TOML knows each key and each table once.",
        "Keep one of the two.";
    DUPLICATE_REGION "duplicate_region" Error:
        "`…` names … twice",
        "A list of regions is evened out, so naming one twice weighs nothing.",
        "To weigh regions write `{ gru = 5, bog = 3 }`.";
    ENCODED_TWICE "encoded_twice" Not:
        "`raw_value` is base64 already, and flyctl encodes it once more: …",
        "Fly's docs ask for base64 in `raw_value`, and flyctl encodes whatever stands there.",
        "Write the content as it is, or name a file with `local_path`.";
    FILE_IN_EVERY_GROUP "file_in_every_group" Not:
        "flyctl writes a file into every group, whatever its `processes` say",
        "`[[files]]` has `processes`.",
        "Take `processes` away.";
    FILE_NOT_READ "file_not_read" Error:
        "… cannot be read: …",
        "A file that fly.toml names lies outside of the project, or is no ordinary file. A warning where files are not read at all.",
        "Move it into the project.";
    FILE_WITHOUT_CONTENT "file_without_content" Not:
        "this file has no content",
        "`[[files]]` has neither `local_path` nor `secret_name` nor `raw_value`.",
        "Add one of them.";
    GPUS_WITHDRAWN "gpus_withdrawn" Not:
        "Fly offers no Machines with GPUs any more",
        "A `[[vm]]` names a GPU, or a size that has one.",
        "Write a size without a GPU.";
    IMPOSSIBLE_SIZE "impossible_size" Error:
        "…",
        "Fly has no VM of this kind of CPU, number of CPUs and memory. A warning where sizes are only shown.",
        "Take the nearest that the message names; `aeroform platform vm-sizes` lists all.";
    KILL_TIMEOUT_TOO_LONG "kill_timeout_too_long" Not:
        "`…` is more than 5 minutes, the longest that Fly waits",
        "`kill_timeout` is above the platform's maximum.",
        "Write at most `\"5m\"`.";
    MACHINE_CONFIG_REPLACED "machine_config_replaced" Not:
        "Fly takes … from the sections of fly.toml, and not from `machine_config`",
        "`machine_config` has keys that the sections of fly.toml always replace.",
        "Write them as sections.";
    MACHINE_TWICE "machine_twice" Error:
        "Machine `…` is moved or removed twice",
        "Two `[[moved]]` entries name one Machine.",
        "Keep one of the two.";
    MAX_UNAVAILABLE_IGNORED "max_unavailable_ignored" Not:
        "`deploy.max_unavailable` says nothing to the strategy …",
        "Only `rolling` goes by it.",
        "Take it away, or write `strategy = \"rolling\"`.";
    MERGE_CONFLICT "merge_conflict" Error:
        "the file has a merge conflict in it",
        "git left both sides in it.",
        "Choose between the two sides and take the marks away.";
    MIN_ABOVE_COUNT "min_above_count" Not:
        "group … has … Machines, and `min_machines_running` is …",
        "More shall always run than there are.",
        "Lower it, or raise the count.";
    MISSING_KEY "missing_key" Error:
        "… needs …",
        "An entry lacks what makes it one.",
        "Add the key that the message names.";
    MOVED_BOTH "moved_both" Error:
        "[[moved]] has `from` and `machine`",
        "An entry moves a group or one Machine, not both.",
        "Keep one of the two.";
    MOVED_FROM_DEFINED "moved_from_defined" Error:
        "[[moved]] renames …, and … is still a process group",
        "The old name is still in use.",
        "Take the group out of `[processes]`, or the `[[moved]]` away.";
    MOVED_TWICE "moved_twice" Error:
        "group … is moved twice",
        "Its Machines can become those of one other group only.",
        "Keep one of the two.";
    NANOSECONDS "nanoseconds" Not:
        "Fly reads a number in `…` as nanoseconds: this is …",
        "A duration without a unit.",
        "Give it a unit (`\"10s\"`).";
    NOT_UTF8 "not_utf8" Error:
        "the file is …",
        "It was saved as UTF-16 or in an old encoding.",
        "Save it as UTF-8.";
    NO_APP "no_app" Error:
        "… names no app",
        "fly.toml has no `app`. A warning of `validate`, since a flag may name it.",
        "Add `app = \"name\"` as its first line, or say `--app NAME`.";
    NO_COMMAND "no_command" Error:
        "… no command …",
        "On this computer there is no image whose own command could run, and the group has none.",
        "Write `[groups.NAME.local] command = \"…\"` in aeroform.toml.";
    NO_INTERNAL_PORT "no_internal_port" Not:
        "… names no `internal_port`",
        "Fly takes 8080 then.",
        "Add the port that the app listens on.";
    NO_LOCAL_FILE "no_local_file" Error:
        "there is no file …",
        "`local_path` or `machine_config` names a file that is not there. A warning where no Machine would get it.",
        "A path counts from the folder of fly.toml.";
    NO_PORTS "no_ports" Not:
        "a service without ports cannot be reached from outside",
        "`[[services]]` has no `[[services.ports]]`.",
        "Add one, or take the service away.";
    NO_SUCH_SIGNAL "no_such_signal" Error:
        "there is no signal …",
        "`kill_signal` is misspelt.",
        "Write one of those that the message names.";
    PORT_OF_TWO_GROUPS "port_of_two_groups" Not:
        "port … is served by … and by …: Fly Proxy balances between them",
        "Two sections give one external port to different groups.",
        "Give one of them another port, unless both are meant to answer.";
    RELEASE_COMMAND_WITHOUT_IMAGE "release_command_without_image" Not:
        "no image is named for the release command: it runs in the one that the Machines have",
        "A deploy builds an image first; Aeroform takes one by name.",
        "Name it: `--image`, `image` in aeroform.toml or `[build] image`.";
    RESERVED_NAME "reserved_name" Not:
        "…: names that begin with `FLY_` are Fly's own",
        "A variable of `[env]` begins with `FLY_`.",
        "Call it something else.";
    RESTART_OF_DEFAULT_GROUP "restart_of_default_group" Not:
        "[[restart]] names no process groups, and flyctl gives it to … only: …",
        "Fly's docs say that it is for all groups; flyctl gives it to the default group and clears the others' policy.",
        "Name the groups: `processes = [\"web\", \"worker\"]`.";
    RETIRED_REGION "retired_region" Not:
        "… is not on Fly's list of regions any more",
        "Fly has closed the region for new Machines, or is about to.",
        "Machines that are there may still run; plan to move them.";
    SECRET_IN_ENV "secret_in_env" Not:
        "… looks like a secret, and everybody who reads this file reads it",
        "A variable of `[env]` has the name and the value of a secret.",
        "Set it with `fly secrets set`, and take the line away.";
    SERVICE_WITHOUT_GROUP "service_without_group" Error:
        "… does not say which process groups serve it, and there are …",
        "With several groups a service has to name its own.",
        "Add `processes = [\"web\"]`.";
    STANDBY_WITH_SERVICES "standby_with_services" Error:
        "group … has services, and a standby cannot serve",
        "A standby is stopped until its primary fails.",
        "Take `standby` away: with services, every Machine serves.";
    STATE_TWICE "state_twice" Error:
        "[state] has a `path` and a `url`",
        "The state lies in one place.",
        "Keep the one where it really is.";
    STRATEGY_NOT_SUPPORTED "strategy_not_supported" Not:
        "the strategy … is carried out as `rolling`",
        "`canary` and `bluegreen` are not part of this version.",
        "Nothing, or write `strategy = \"rolling\"`.";
    SYNTAX "syntax" Error:
        "the file is not valid …: …",
        "A bracket, quote or value is not as TOML, JSON or YAML wants it.",
        "Look at the place that is shown.";
    TOO_DEEP "too_deep" Error:
        "the file is nested deeper than any manifest is",
        "Tables in tables, more than any reader would follow.",
        "Flatten it.";
    TOO_LARGE "too_large" Error:
        "… process groups are too many for files of this size",
        "Every group has a copy of what the file says to all.",
        "Split the app.";
    TOO_MANY_PER_REGION "too_many_per_region" Error:
        "group …: …",
        "The regions cannot hold the count with `max_per_region`.",
        "Raise `max_per_region`, or name more regions.";
    TWO_BUILDS "two_builds" Not:
        "`…` and `…` are two ways to an image",
        "`[build]` names several, and flyctl takes one.",
        "Keep the one that is meant.";
    TWO_MOUNTS "two_mounts" Error:
        "process group … has two mounts, and a Machine takes one volume",
        "Two `[[mounts]]` name the group, or none.",
        "Give each mount its own group with `processes`.";
    UNDEFINED_GROUP "undefined_group" Error:
        "… names the process group …, which is not defined",
        "The name is misspelt, or the group is gone. Where flyctl ignores it, it is a warning.",
        "Use a name of `[processes]`.";
    UNKNOWN_KEY "unknown_key" Error:
        "unknown key …",
        "The key is misspelt, or belongs elsewhere. A warning in fly.toml, where Fly ignores it, unless `--strict` is given.",
        "Use the key that is meant.";
    UNKNOWN_REGION "unknown_region" Error:
        "… is not a region of Fly",
        "With provider `fly` a region is one of Fly's.",
        "Write one that `aeroform platform regions` lists.";
    UNLISTED_SIGNAL "unlisted_signal" Not:
        "`…`: Fly lists no signal …",
        "The signal exists, and the Machines API does not list it, or not in this spelling.",
        "Write `SIGTERM` or another of its list.";
    WRONG_TYPE "wrong_type" Error:
        "`…` takes …, not …",
        "A string where a number is meant, a table where a list is meant.",
        "Write it as the message says.";
}
