//! The codes of mistakes in fly.toml and aeroform.toml.
//!
//! Mistakes in fly.toml that flyctl accepts are warnings; all others are errors.

use crate::core::code::codes;

codes! {
    BAD_CHECK "bad_check" Error:
        "check … needs the type \"http\" or \"tcp\"",
        "A top-level check has no type, or an unknown one.",
        "Add `type = \"http\"` or `type = \"tcp\"`.";
    BAD_COMMAND "bad_command" Error:
        "the command of … cannot be split into words: …",
        "A quote is not closed, or the command ends in a backslash.",
        "Close the quote; Fly splits commands like google/shlex, not like a shell.";
    BAD_MACHINE_CONFIG "bad_machine_config" Error:
        "… is not a Machine config: …",
        "`machine_config` is JSON, or a file with JSON, that the Machines API would reject.",
        "Correct it; inline JSON starts with `{`.";
    BAD_VALUE "bad_value" Error:
        "… is not …",
        "The value has the right type but is not allowed.",
        "Use a value that the message lists.";
    BLUEGREEN_SPLIT "bluegreen_split" Error:
        "the groups … are updated with \"bluegreen\" and have one switch, but `deploy.groups_order` has them in different lists",
        "All groups with `strategy = \"bluegreen\"` switch to their new Machines together, so none can come first.",
        "Put them in one list, or give one of them `strategy = \"rolling\"`.";
    CANARY_WITH_MOUNTS "canary_with_mounts" Error:
        "the strategy `canary` does not support mounts",
        "A canary would need a second volume.",
        "Use `strategy = \"rolling\"`.";
    CHECK_WITHOUT_PORT "check_without_port" Error:
        "check … has no port, and process group … has no [http_service]",
        "The check has no port to connect to.",
        "Add `port` to the check.";
    CLAMPED "clamped" Warning:
        "`…` is …: Fly …",
        "A check's interval or timeout is outside Fly's limits.",
        "Write the value that Fly uses.";
    COMPOSE_NOT_READ "compose_not_read" Warning:
        "containers of a compose file are not supported: existing Machines keep theirs, and a plan that creates Machines on Fly is refused",
        "Aeroform does not read the file of `[build.compose]`.",
        "Define the containers in `machine_config`.";
    COUNT_AND_REGIONS "count_and_regions" Error:
        "group … has `count = …`, but its regions add up to …",
        "A table of regions sets exact counts, which contradict `count`.",
        "Remove `count`, or make the two agree.";
    DUPLICATE_GROUP "duplicate_group" Error:
        "process group … is defined twice",
        "Two entries define the same name.",
        "Keep one of the two.";
    DUPLICATE_KEY "duplicate_key" Error:
        "… is defined twice",
        "TOML allows each key and table once.",
        "Keep one of the two.";
    DUPLICATE_REGION "duplicate_region" Error:
        "`…` names … twice",
        "`regions` is spread evenly, and `order` updates each region once; a repeated region has no effect.",
        "Keep one of the two; in `regions`, write `{ gru = 5, bog = 3 }` for other counts.";
    ENCODED_TWICE "encoded_twice" Warning:
        "… is base64 already, and flyctl encodes it again",
        "Fly's docs ask for base64 in `raw_value`, but flyctl encodes any value itself.",
        "Write the plain content, or set `local_path`.";
    FILE_IN_EVERY_GROUP "file_in_every_group" Warning:
        "flyctl writes files into every group and ignores their `processes`",
        "`processes` of `[[files]]` has no effect.",
        "Remove `processes`.";
    FILE_IGNORED "file_ignored" Warning:
        "… is ignored by git and would be sent to the Machines",
        "fly.toml names a file that git ignores.",
        "Use a file of the repository, or set the value with `fly secrets set`.";
    FILE_NOT_READ "file_not_read" Error:
        "… cannot be read: …",
        "`local_path` or `machine_config` names something other than a regular file, or a file outside the project.",
        "Move it into the project, or use another file.";
    FILE_WITHOUT_CONTENT "file_without_content" Warning:
        "this file has no content",
        "`[[files]]` has none of `local_path`, `secret_name` and `raw_value`.",
        "Add one of them.";
    GPUS_WITHDRAWN "gpus_withdrawn" Warning:
        "Fly no longer offers GPU Machines",
        "`[[vm]]` names a GPU.",
        "Choose a size without one.";
    HOST_WITHOUT_SIZE "host_without_size" Warning:
        "`host_dedication_id` needs a `[[vm]]`, and process group … has none",
        "flyctl adds the top-level `host_dedication_id` only to `[[vm]]` sections.",
        "Add a `[[vm]]` with `size` for the group.";
    IGNORED_BY_STRATEGY "ignored_by_strategy" Warning:
        "`…` has no effect with the strategy …",
        "`immediate` updates all Machines at the same time and waits for nothing. The new Machines of `bluegreen` start and switch together, in every region.",
        "Remove the key, or write `strategy = \"rolling\"`.";
    IMPOSSIBLE_SIZE "impossible_size" Error:
        "…",
        "CPUs and memory do not fit Fly's rules. A warning where Fly does not run the app.",
        "Use the nearest size, which the message names.";
    KEY_OF_ANOTHER_TABLE "key_of_another_table" Warning:
        "… in `[…]` is a key of …",
        "`[processes]` and `[env]` accept any name, so a key below their header belongs to them.",
        "Move the line to the table that the message names.";
    KILL_TIMEOUT_TOO_LONG "kill_timeout_too_long" Warning:
        "`…` is more than 5 minutes, Fly's maximum",
        "Fly waits at most 5 minutes.",
        "Write at most \"5m\".";
    MACHINE_CONFIG_REPLACED "machine_config_replaced" Warning:
        "Fly takes … from the sections of fly.toml, not from `machine_config`",
        "A section of fly.toml always overrides this field of `machine_config`.",
        "Set it in a section of fly.toml.";
    MACHINE_TWICE "machine_twice" Error:
        "Machine `…` is moved or removed twice",
        "Two `[[moved]]` entries name one Machine.",
        "Keep one of the two.";
    MAX_UNAVAILABLE_IGNORED "max_unavailable_ignored" Warning:
        "`…` has no effect with the strategy …",
        "Only `rolling` and `canary` limit how many Machines are unavailable.",
        "Remove it, or write `strategy = \"rolling\"`.";
    MERGE_CONFLICT "merge_conflict" Error:
        "the file contains merge conflict markers",
        "A merge left both versions in the file.",
        "Resolve the conflict and remove the markers.";
    MIN_ABOVE_COUNT "min_above_count" Warning:
        "group … has …, and `min_machines_running` is …",
        "Fly only starts Machines that exist.",
        "Lower it, or raise `count`.";
    MISSING_KEY "missing_key" Error:
        "… needs …",
        "A required key is missing.",
        "Add the key that the message names.";
    MOVED_BOTH "moved_both" Error:
        "[[moved]] has both `from` and `machine`",
        "An entry moves either a group or one Machine.",
        "Keep one of the two.";
    MOVED_FROM_DEFINED "moved_from_defined" Error:
        "[[moved]] renames …, but … is still a process group",
        "The old name is still defined.",
        "Remove the group from `[processes]`, or remove the `[[moved]]`.";
    MOVED_TWICE "moved_twice" Error:
        "group … is moved twice",
        "A group can be moved to one other group only.",
        "Keep one of the two.";
    NANOSECONDS "nanoseconds" Warning:
        "Fly reads a number in `…` as nanoseconds: this is …",
        "The duration has no unit.",
        "Add a unit (`\"10s\"`).";
    NEVER_STARTED_AGAIN "never_started_again" Warning:
        "Machines of this service are stopped automatically …",
        "`auto_stop_machines` is set without `auto_start_machines`, so a request may not start a stopped Machine.",
        "Write `auto_start_machines = true`.";
    NOT_UTF8 "not_utf8" Error:
        "the file is …",
        "It was saved as UTF-16 or in another encoding.",
        "Save it as UTF-8.";
    NO_APP "no_app" Error:
        "… has no `app`",
        "fly.toml has no `app`.",
        "Add `app = \"name\"` as its first line.";
    NO_COMMAND "no_command" Error:
        "… no command …",
        "Provider `local` runs no image, so the group needs a command.",
        "Write `[groups.NAME.local] command = \"…\"` in aeroform.toml.";
    NO_INTERNAL_PORT "no_internal_port" Warning:
        "[http_service] has no `internal_port`",
        "Fly then uses 8080.",
        "Add the port that the app listens on.";
    NO_LOCAL_FILE "no_local_file" Error:
        "there is no file …",
        "`local_path` or `machine_config` names a file that does not exist. A warning where nothing is sent to Fly.",
        "Paths are relative to fly.toml's folder.";
    NO_PORTS "no_ports" Warning:
        "a service without ports cannot be reached from outside",
        "`[[services]]` has no `[[services.ports]]`.",
        "Add one, or remove the service.";
    NO_SUCH_SIGNAL "no_such_signal" Error:
        "unknown signal …",
        "`kill_signal` is misspelt.",
        "Use a value that the message lists.";
    NUMBER_IGNORED "number_ignored" Warning:
        "flyctl ignores a whole number in `…` of a YAML file: no time is set",
        "flyctl converts numbers of old syntax only in TOML and JSON.",
        "Add a unit (`10s`).";
    ORDERED_TWICE "ordered_twice" Error:
        "`…` names group … twice",
        "A group has one place in the order.",
        "Keep one of the two.";
    PORT_OF_TWO_GROUPS "port_of_two_groups" Warning:
        "port … is served by … and …: Fly Proxy balances between them",
        "Two services of different groups use the same external port.",
        "Give one of them another port, unless both should answer.";
    PORT_TWICE "port_twice" Warning:
        "two services of one process group use external port … (…)",
        "Two services of one group with different internal ports use the same external port.",
        "Give one of them another port.";
    PROCESS_WITHOUT_COMMAND "process_without_command" Warning:
        "an entry of `[[processes]]` has no `command`: the group runs the image's command",
        "flyctl accepts such an entry and reads no other key for the command.",
        "Add `command`.";
    RESERVED_NAME "reserved_name" Warning:
        "…: names that begin with `FLY_` are reserved by Fly",
        "Fly may set this variable itself.",
        "Choose another name.";
    RESTART_OF_DEFAULT_GROUP "restart_of_default_group" Warning:
        "[[restart]] names no process groups, so flyctl applies it to … only",
        "Fly's docs say that it applies to all groups; flyctl applies it to the default group and clears it in the others.",
        "Add `processes` with the groups it applies to.";
    RETIRED_REGION "retired_region" Warning:
        "… is no longer in Fly's list of regions",
        "Fly closed the region to new Machines.",
        "Choose another from `aeroform platform regions`; existing Machines may keep running.";
    SECRET_IN_ENV "secret_in_env" Warning:
        "… looks like a secret, and anyone with this file can read it",
        "A variable in `[env]` has a name or value that looks like a secret.",
        "Set it with `fly secrets set` and remove the line.";
    SERVICE_TWICE "service_twice" Warning:
        "two services of process group … listen on port … (…)",
        "Two services of one group have the same internal port and protocol.",
        "Keep one of them, or give it its own `internal_port`.";
    SECRET_IN_TEXT "secret_in_text" Warning:
        "… looks like or contains a secret, and anyone with this file can read it",
        "A command, path, header, address or image reference contains a token, password or key.",
        "Set it with `fly secrets set` and read it from the environment.";
    SERVICE_WITHOUT_GROUP "service_without_group" Error:
        "… has no `processes`, and there are several process groups: …",
        "With several groups, a service must name its groups.",
        "Add `processes = [\"web\"]`.";
    SHELL_SYNTAX "shell_syntax" Warning:
        "the command of … has …, but no shell interprets it",
        "Fly splits a command into words and executes it directly. Operators, variables and `cd` need a shell.",
        "Write `sh -c '…'`.";
    STANDBY_WITH_SERVICES "standby_with_services" Error:
        "group … has services, and a standby serves no requests",
        "A standby stays stopped until its primary's host fails.",
        "Remove `standby`: all Machines of a group with services must serve.";
    STATE_TWICE "state_twice" Error:
        "[state] has both `path` and `url`",
        "The state is stored in one place.",
        "Keep the one where the state is stored.";
    SYNTAX "syntax" Error:
        "the file is not valid TOML: …",
        "A bracket, quote or value is invalid.",
        "Correct the line that is shown.";
    TOO_DEEP "too_deep" Error:
        "the file is nested too deeply",
        "Tables are nested too deeply.",
        "Flatten it.";
    TOO_LARGE "too_large" Error:
        "… process groups are too many for manifests of this size",
        "Every group gets a copy of what applies to all groups.",
        "Split the app.";
    TOO_MANY_PER_REGION "too_many_per_region" Error:
        "group …: …",
        "`count` does not fit into the regions with `max_per_region`.",
        "Raise `max_per_region`, or add regions.";
    TWO_BUILDS "two_builds" Warning:
        "`build.…` and `build.…` both say how to get the image",
        "flyctl uses one of them and silently ignores the other.",
        "Keep one of the two.";
    TWO_MOUNTS "two_mounts" Error:
        "process group … has two mounts, but a Machine can have one volume",
        "Two `[[mounts]]` apply to the group.",
        "Give each mount its own process group with `processes`.";
    TWO_SIZES "two_sizes" Warning:
        "two `[[vm]]` entries are for …: …, and this one is not used",
        "flyctl uses one size per group.",
        "Keep one of them, or name different groups in `processes`.";
    UNDEFINED_GROUP "undefined_group" Error:
        "… names the process group …, which is not defined",
        "The name is misspelt, or the group was removed. A warning where flyctl ignores it.",
        "Use a name from `[processes]`.";
    UNKNOWN_KEY "unknown_key" Error:
        "unknown key …",
        "The key is misspelt or in the wrong section. A warning in fly.toml, where Fly ignores it, unless `--strict` is given or the missing section causes errors.",
        "Correct the key.";
    UNKNOWN_REGION "unknown_region" Error:
        "… is not a Fly region",
        "The code is misspelt. A warning where the provider's list was not read, because Aeroform's own list may be outdated.",
        "Use a code from `aeroform platform regions`.";
    UNLISTED_SIGNAL "unlisted_signal" Warning:
        "Fly does not document the signal …",
        "`kill_signal` is a Linux signal that Fly does not document, or uses another spelling.",
        "Write it as the message says.";
    UNLISTED_WORD "unlisted_word" Warning:
        "`…`: Fly does not document …",
        "flyctl passes on any value, but Fly does not document this one.",
        "Use a value that the message lists.";
    WRONG_TYPE "wrong_type" Error:
        "`…` takes …, not …",
        "For example a string instead of a number, or a table instead of a list.",
        "Write it as the message says.";
}
