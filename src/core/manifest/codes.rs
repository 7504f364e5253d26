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
    COMMAND_NOT_RUN "command_not_run" Not:
        "`deploy.…` is not run by this version",
        "fly.toml has a release or seed command, and an apply does not run it.",
        "Run it yourself before the apply (`fly machine run`, or `fly deploy` for this change).";
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
    FILE_NOT_READ "file_not_read" Not:
        "… is not read: the file keeps the content it has",
        "`[[files]]` with `local_path` is not read in this version.",
        "Nothing; a file that is there already stays.";
    MACHINE_TWICE "machine_twice" Error:
        "Machine `…` is moved or removed twice",
        "Two `[[moved]]` entries name one Machine.",
        "Keep one of the two.";
    MERGE_CONFLICT "merge_conflict" Error:
        "the file has a merge conflict in it",
        "git left both sides in it.",
        "Choose between the two sides and take the marks away.";
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
    NO_PORTS "no_ports" Not:
        "a service without ports cannot be reached from outside",
        "`[[services]]` has no `[[services.ports]]`.",
        "Add one, or take the service away.";
    NOT_UTF8 "not_utf8" Error:
        "the file is …",
        "It was saved as UTF-16 or in an old encoding.",
        "Save it as UTF-8.";
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
        "the file is not valid TOML: …",
        "A bracket, quote or value is not as TOML wants it.",
        "Look at the place that is shown.";
    TOO_DEEP "too_deep" Error:
        "the file is nested deeper than any manifest is",
        "Tables in tables, more than any reader would follow.",
        "Flatten it.";
    TOO_LARGE "too_large" Error:
        "… process groups are too many for a file of this size",
        "Every group has a copy of what the file says to all.",
        "Split the app.";
    TOO_MANY_PER_REGION "too_many_per_region" Error:
        "group …: …",
        "The regions cannot hold the count with `max_per_region`.",
        "Raise `max_per_region`, or name more regions.";
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
    WRONG_TYPE "wrong_type" Error:
        "`…` takes …, not …",
        "A string where a number is meant, a table where a list is meant.",
        "Write it as the message says.";
}
