//! The codes of mistakes in fly.toml and aeroform.toml.
//!
//! A mistake in fly.toml that flyctl overlooks is a warning; the rest ends the command.

use crate::core::code::codes;

codes! {
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
        "`machine_config` is, or names, JSON that the Machines API would not take.",
        "Correct it; inline JSON begins with `{`.";
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
        "the containers of a compose file are not read: Machines keep those that they have, and a plan that makes new ones on Fly is refused",
        "`[build.compose]` leads to a file that Aeroform does not read.",
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
        "… is base64 already, and flyctl encodes it once more",
        "Fly's docs ask for base64 in `raw_value`, and flyctl encodes whatever stands there.",
        "Write the content as it is, or name a file with `local_path`.";
    FILE_IN_EVERY_GROUP "file_in_every_group" Not:
        "flyctl writes a file into every group, whatever its `processes` say",
        "`processes` of `[[files]]` has no effect.",
        "Take `processes` away.";
    FILE_IGNORED "file_ignored" Not:
        "… is ignored by git and would be sent to the Machines",
        "fly.toml names a file that is not part of the repository.",
        "Name a file of the repository, or set the value with `fly secrets set`.";
    FILE_NOT_READ "file_not_read" Error:
        "… cannot be read: …",
        "`local_path` or `machine_config` names a file that is no ordinary one, or lies outside of the project.",
        "Move it into the project, or name another.";
    FILE_WITHOUT_CONTENT "file_without_content" Not:
        "this file has no content",
        "`[[files]]` names none of `local_path`, `secret_name` and `raw_value`.",
        "Add one of them.";
    GPUS_WITHDRAWN "gpus_withdrawn" Not:
        "Fly offers no Machines with GPUs any more",
        "`[[vm]]` names a GPU.",
        "Choose a size without one.";
    HOST_WITHOUT_SIZE "host_without_size" Not:
        "`host_dedication_id` is sent with a `[[vm]]` only, and process group … has none",
        "flyctl puts the top-level `host_dedication_id` into sizes that fly.toml writes.",
        "Add a `[[vm]]` with `size` for the group.";
    IMPOSSIBLE_SIZE "impossible_size" Error:
        "…",
        "CPUs and memory do not go together as Fly's rules want it. A warning where Fly does not run the app.",
        "Write the nearest size that the message names.";
    KEY_OF_ANOTHER_TABLE "key_of_another_table" Not:
        "… in `[…]` is a key of …",
        "`[processes]` and `[env]` take any name, so a key that slipped below their header is read as one.",
        "Move the line to the table that the message names.";
    KILL_TIMEOUT_TOO_LONG "kill_timeout_too_long" Not:
        "`…` is more than 5 minutes, the longest that Fly waits",
        "The platform stops waiting earlier.",
        "Write at most \"5m\".";
    MACHINE_CONFIG_REPLACED "machine_config_replaced" Not:
        "Fly takes … from the sections of fly.toml, and not from `machine_config`",
        "A field of `machine_config` that a section of fly.toml always replaces.",
        "Write it as a section of fly.toml.";
    MACHINE_TWICE "machine_twice" Error:
        "Machine `…` is moved or removed twice",
        "Two `[[moved]]` entries name one Machine.",
        "Keep one of the two.";
    MAX_UNAVAILABLE_IGNORED "max_unavailable_ignored" Not:
        "`deploy.max_unavailable` says nothing to the strategy …",
        "Only `rolling` and `canary` count the Machines that are away.",
        "Take it away, or write `strategy = \"rolling\"`.";
    MERGE_CONFLICT "merge_conflict" Error:
        "the file has a merge conflict in it",
        "git left both sides in it.",
        "Choose between the two sides and take the marks away.";
    MIN_ABOVE_COUNT "min_above_count" Not:
        "group … has …, and `min_machines_running` is …",
        "Fly starts no Machine that is not there.",
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
    NEVER_STARTED_AGAIN "never_started_again" Not:
        "Machines of this service are stopped by themselves …",
        "`auto_stop_machines` without `auto_start_machines`: nothing says that a stopped Machine starts again when a request comes.",
        "Write `auto_start_machines = true`.";
    NOT_UTF8 "not_utf8" Error:
        "the file is …",
        "It was saved as UTF-16 or in an old encoding.",
        "Save it as UTF-8.";
    NO_APP "no_app" Error:
        "… names no app",
        "fly.toml has no `app`.",
        "Add `app = \"name\"` as its first line.";
    NO_COMMAND "no_command" Error:
        "… no command …",
        "On this computer there is no image whose own command could run, and the group has none.",
        "Write `[groups.NAME.local] command = \"…\"` in aeroform.toml.";
    NO_INTERNAL_PORT "no_internal_port" Not:
        "[http_service] names no `internal_port`",
        "Fly takes 8080 then.",
        "Add the port that the app listens on.";
    NO_LOCAL_FILE "no_local_file" Error:
        "there is no file …",
        "`local_path` or `machine_config` names a file that is not there. A warning where nothing is sent to Fly.",
        "A path counts from the folder of fly.toml.";
    NO_PORTS "no_ports" Not:
        "a service without ports cannot be reached from outside",
        "`[[services]]` has no `[[services.ports]]`.",
        "Add one, or take the service away.";
    NO_SUCH_SIGNAL "no_such_signal" Error:
        "there is no signal …",
        "`kill_signal` is misspelt.",
        "Use one of those that the message names.";
    NUMBER_IGNORED "number_ignored" Not:
        "flyctl ignores a whole number in `…` of a YAML file: no time is set",
        "flyctl's patches of old syntax know the numbers of TOML and JSON only.",
        "Give it a unit (`10s`).";
    PORT_OF_TWO_GROUPS "port_of_two_groups" Not:
        "port … is served by … and by …: Fly Proxy balances between them",
        "Two services of different groups take requests on one port of the app.",
        "Give one of them another port, unless both are meant to answer.";
    PORT_TWICE "port_twice" Not:
        "two services of one process group take requests on port … (…)",
        "Two services of one group with different internal ports have one external port.",
        "Give one of them another port.";
    PROCESS_WITHOUT_COMMAND "process_without_command" Not:
        "an entry of `[[processes]]` has no `command`: the group runs the image's own",
        "flyctl takes such an entry, and reads no other key for it.",
        "Add `command`.";
    RELEASE_COMMAND_WITHOUT_IMAGE "release_command_without_image" Not:
        "no image is named: an apply keeps the one that runs, and this version does not run the release command",
        "fly.toml has a release command, which belongs to a new image, and nothing names one.",
        "Name it with `--image`, `image` in aeroform.toml or `[build] image`, and run the command by hand.";
    RESERVED_NAME "reserved_name" Not:
        "…: names that begin with `FLY_` are Fly's own",
        "Fly may set that variable itself.",
        "Choose another name.";
    RESTART_OF_DEFAULT_GROUP "restart_of_default_group" Not:
        "[[restart]] names no process groups, and flyctl gives it to … only",
        "Fly's docs say that it is for all groups; flyctl gives it to the default group and clears it in the others.",
        "Add `processes` with every group that is meant.";
    RETIRED_REGION "retired_region" Not:
        "… is not on Fly's list of regions any more",
        "Fly closed the region to new Machines.",
        "Choose another of `aeroform platform regions`; Machines that are there may still run.";
    SECRET_IN_ENV "secret_in_env" Not:
        "… looks like a secret, and everybody who reads this file reads it",
        "A variable whose name or value looks like a secret stands in `[env]`.",
        "Set it with `fly secrets set`, and take the line away.";
    SERVICE_TWICE "service_twice" Not:
        "two services of process group … listen on port … (…)",
        "Two services of one group with one internal port and protocol.",
        "Keep one of them, or give it its own `internal_port`.";
    SECRET_IN_TEXT "secret_in_text" Not:
        "… looks like a secret or has one in it, and everybody who reads this file reads it",
        "A command, a path, a header, an address or an image reference has a token, a password or a key in it.",
        "Set it with `fly secrets set`, and let the program read it from its environment.";
    SERVICE_WITHOUT_GROUP "service_without_group" Error:
        "… does not say which process groups serve it, and there are …",
        "With several groups a service has to name its own.",
        "Add `processes = [\"web\"]`.";
    SHELL_SYNTAX "shell_syntax" Not:
        "the command of … has …, and no shell reads it",
        "Fly splits a command into words and starts the first one. Operators, variables and `cd` are for a shell.",
        "Write `sh -c '…'`.";
    STANDBY_WITH_SERVICES "standby_with_services" Error:
        "group … has services, and a standby cannot serve",
        "A standby is stopped until its primary fails.",
        "Take `standby` away: with services, every Machine serves.";
    STATE_TWICE "state_twice" Error:
        "[state] has a `path` and a `url`",
        "The state lies in one place.",
        "Keep the one where it really is.";
    STRATEGY_NOT_SUPPORTED "strategy_not_supported" Not:
        "the strategy … is not part of this version: a plan that updates running Machines is refused",
        "`canary` and `bluegreen` cannot be carried out yet.",
        "Add `--strategy rolling`, or write `strategy = \"rolling\"`.";
    SYNTAX "syntax" Error:
        "the file is not valid TOML: …",
        "A bracket, quote or value is not as TOML wants it.",
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
        "`build.…` and `build.…` are two ways to an image",
        "flyctl builds in one way and says nothing of the other.",
        "Keep the one that is meant.";
    TWO_MOUNTS "two_mounts" Error:
        "process group … has two mounts, and a Machine takes one volume",
        "Two `[[mounts]]` name the group, or none.",
        "Give each mount its own group with `processes`.";
    TWO_SIZES "two_sizes" Not:
        "two `[[vm]]` entries are for …: …, and this one is not used",
        "flyctl takes one size for a group.",
        "Keep one of them, or name different groups in `processes`.";
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
        "The code is misspelt. Where the provider was not asked for its regions this is a warning: the list that comes with Aeroform grows old.",
        "Use a code of `aeroform platform regions`.";
    UNLISTED_SIGNAL "unlisted_signal" Not:
        "Fly lists no signal …",
        "`kill_signal` is a signal of Linux that Fly's docs do not name, or is spelt in another way.",
        "Write it as the message says.";
    UNLISTED_WORD "unlisted_word" Not:
        "`…`: Fly knows no …",
        "flyctl passes any word on, and Fly documents others than this one.",
        "Use one of those that the message names.";
    WRONG_TYPE "wrong_type" Error:
        "`…` takes …, not …",
        "A string where a number is meant, a table where a list is meant.",
        "Write it as the message says.";
}
