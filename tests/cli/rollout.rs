//! What `fly deploy` does around a change: the release command, and what this version refuses until a flag says
//! otherwise.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, V1, V2, project, run};
use crate::sandbox::Sandbox;

/// Its last words and how it ends.
fn error_of(shown: &str, code: u8, words: &[&str]) {
    assert!(shown.starts_with(&format!("exit {code}\n")), "{shown}");
    // Lines are broken at the width of a terminal.
    let flat: Vec<&str> = shown.split_whitespace().collect();
    let flat = flat.join(" ");
    for words in words {
        assert!(flat.contains(words), "{words}: {shown}");
    }
}

const NEVER: &str = "--release-command=never";
const NEEDED: &str = "the release command (fly.toml:9) runs first, on its own Machine in ams: the \
                      command of group `web` changes";
const FAILED: &str = "release_command_failed";

/// An app that runs, before a release command and another command of its group `web` are written.
fn migrating() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let fly = Sandbox::FLY.replace("sleep 1000", "sleep 1002");
    sandbox.write(
        "fly.toml",
        &format!("{fly}[deploy]\n  release_command = \"sh -c 'cat note; exit 1'\"\n"),
    );
    sandbox.write("note", "no such table\n");
    sandbox
}

/// Holds rule 28.
#[test]
fn an_apply_that_needs_the_release_command_changes_nothing_if_it_fails() {
    let sandbox = migrating();
    error_of(&sandbox.run(&["plan", "--detailed-exitcode"]), 2, &[NEEDED]);
    let skipped = sandbox.run(&["plan", "--detailed-exitcode", NEVER]);
    error_of(&skipped, 2, &["is skipped"]);
    let said = [
        "no such table",
        FAILED,
        "exit code 1",
        "not started: 1 change",
    ];
    error_of(&sandbox.run(&["apply", "-y"]), 3, &said);
    error_of(&sandbox.run(&["restart", "-y"]), 3, &[FAILED]);
    let scaled = sandbox.run(&["scale", "count", "jobs=2", "-y"]);
    error_of(&scaled, 3, &[FAILED]);
    assert_eq!(sandbox.machines(), 2);
    error_of(&sandbox.run(&["apply", "-y", NEVER]), 0, &["1 updated"]);
    // The count that the verb wrote needs no release command any more.
    error_of(&sandbox.run(&["restart", "-y"]), 0, &["restarted"]);
    error_of(&sandbox.run(&["plan", "--detailed-exitcode"]), 0, &[]);
}

#[test]
fn a_saved_plan_keeps_whether_the_release_command_runs() {
    let sandbox = migrating();
    let saved = sandbox.run(&["plan", "--out", "first.plan"]);
    error_of(&saved, 0, &[NEEDED]);
    error_of(&sandbox.run(&["apply", "first.plan"]), 3, &[FAILED]);
    let saved = sandbox.run(&["plan", NEVER, "--out", "next.plan"]);
    error_of(&saved, 0, &["saved"]);
    let text = fs::read_to_string(sandbox.project().join("next.plan")).unwrap();
    assert!(text.contains("never"));
    let both = sandbox.run(&["apply", NEVER, "next.plan"]);
    error_of(&both, 64, &["cannot be used with"]);
    error_of(&sandbox.run(&["apply", "next.plan"]), 0, &["1 updated"]);
}

/// Once in a run, in the project's folder, with the environment that fly.toml gives it, and `verify` after the updates.
#[test]
fn both_commands_run_once_on_this_computer_and_leave_nothing() {
    let sandbox = migrating();
    let fly = sandbox.read("fly.toml");
    let release = "echo release:$RELEASE_COMMAND:$FLY_PROCESS_GROUP >> ran";
    sandbox.write("fly.toml", &fly.replace("cat note; exit 1", release));
    let aeroform = sandbox.read("aeroform.toml");
    let verify = "echo verify:$AEROFORM_VERIFY:$FLY_PROCESS_GROUP:$RELEASE_COMMAND >> ran; exit 4";
    sandbox.write(
        "aeroform.toml",
        &format!("{aeroform}\n[deploy]\nverify = \"sh -c '{verify}'\"\n"),
    );
    error_of(&sandbox.run(&["plan"]), 0, &[NEEDED, "2 commands to run"]);
    let failed = [
        "the verify command (aeroform.toml:",
        "exit code 4",
        "1 updated",
    ];
    error_of(&sandbox.run(&["apply", "-y"]), 3, &failed);
    let ran = "release:1:fly_app_release_command\nverify:1:fly_app_test_machine_command:\n";
    assert_eq!(sandbox.read("ran"), ran);
    assert_eq!(sandbox.machines(), 2);
    // Until a release is complete, the command of the same content that ended with 0 counts.
    let fly = sandbox.read("fly.toml");
    sandbox.write("fly.toml", &fly.replace("sleep 1002", "sleep 1003"));
    let applied = sandbox.run(&["apply", "-y", "--verify=never"]);
    let counts = "an earlier run of the same content ended with code 0";
    error_of(&applied, 0, &[counts, "complete: 1 updated."]);
    assert_eq!(sandbox.read("ran"), ran);
    // The release after that runs it again.
    sandbox.write("fly.toml", &fly.replace("sleep 1002", "sleep 1004"));
    let applied = sandbox.run(&["apply", "-y", "--verify=never"]);
    error_of(&applied, 0, &["1 updated, 1 command run"]);
    let ran = format!("{ran}release:1:fly_app_release_command\n");
    assert_eq!(sandbox.read("ran"), ran);
    assert_eq!(sandbox.machines(), 2);
    // Nothing changes, but the command is wanted in every apply.
    let always = sandbox.run(&["apply", "-y", "--release-command=always"]);
    error_of(&always, 0, &["1 command run"]);
    assert_eq!(
        sandbox.read("ran"),
        format!("{ran}release:1:fly_app_release_command\n")
    );
}

#[test]
fn what_the_flags_do_not_take_is_said() {
    let sandbox = migrating();
    let word = sandbox.run(&["apply", "--release-command=sometimes"]);
    error_of(
        &word,
        64,
        &["possible values: auto, always, never, rerun, skip"],
    );
    let both = sandbox.run(&["plan", "--skip-release-command", "--release-command=always"]);
    error_of(&both, 64, &["cannot be used with"]);
    let timeout = sandbox.run(&["plan", "--release-command-timeout", "soon"]);
    error_of(&timeout, 64, &["90s or 10m, a number of seconds, or none"]);
    for flag in ["--verify", "--machine-checks"] {
        let word = sandbox.run(&["plan", flag, "always"]);
        error_of(&word, 64, &["possible values: auto, never"]);
    }
    let strategy = sandbox.run(&["plan", "--strategy", "blue-green"]);
    let words = "possible values: rolling, immediate, canary, bluegreen";
    error_of(&strategy, 64, &[words]);
}

#[test]
fn flyctls_flag_skips_the_release_command_too() {
    let sandbox = migrating();
    let skipped = sandbox.run(&["apply", "-y", "--skip-release-command"]);
    error_of(&skipped, 0, &["`--release-command=never`", "1 updated"]);
}

#[test]
fn a_saved_plan_keeps_every_flag_about_commands() {
    let sandbox = migrating();
    let flags = [
        ("--release-command=rerun", "release_command", json!("rerun")),
        ("--release-command=skip", "release_command", json!("skip")),
        (
            "--release-command=always",
            "release_command",
            json!("always"),
        ),
        ("--skip-release-command", "release_command", json!("never")),
        (
            "--release-command-timeout=1m30s",
            "release_command_timeout_s",
            json!(90),
        ),
        (
            "--release-command-timeout=45",
            "release_command_timeout_s",
            json!(45),
        ),
        (
            "--release-command-timeout=100ms",
            "release_command_timeout_s",
            json!(1),
        ),
        (
            "--release-command-timeout=none",
            "release_command_timeout_s",
            json!(0),
        ),
        ("--verify=never", "verify", json!("never")),
        ("--machine-checks=never", "machine_checks", json!("never")),
    ];
    for (flag, key, value) in flags {
        error_of(&sandbox.run(&["plan", flag, "--out", "next.plan"]), 0, &[]);
        let saved = sandbox.read("next.plan");
        let saved: Value = serde_json::from_str(&saved).unwrap();
        assert_eq!(saved["asked"][key], value, "{flag}: {saved}");
        let beside = sandbox.run(&["apply", flag, "next.plan"]);
        error_of(&beside, 64, &["cannot be used with"]);
    }
}

#[test]
fn an_apply_that_needs_machine_checks_is_refused_and_never_lifts_it() {
    let sandbox = Sandbox::with_app();
    let checks = "[[machine_checks]]\n  command = [\"bin/smoke\"]\n";
    sandbox.write("fly.toml", &format!("{}{checks}", Sandbox::FLY));
    let needed =
        "the machine checks of groups `jobs` and `web` would not run: this version cannot run them";
    let hint = "`[deploy] verify = \"…\"` in aeroform.toml tests a release once";
    let never = "--machine-checks=never";
    error_of(&sandbox.run(&["plan"]), 0, &[needed, "Refused: "]);
    error_of(&sandbox.run(&["apply", "-y"]), 6, &[needed, hint]);
    assert_eq!(sandbox.machines(), 0);
    let skipped = "the machine checks of groups `jobs` and `web` are skipped";
    error_of(
        &sandbox.run(&["apply", "-y", never]),
        0,
        &[skipped, "2 created"],
    );
    // Neither a restart nor another count is a deploy.
    error_of(&sandbox.run(&["restart", "-y"]), 0, &["restarted"]);
    let scaled = sandbox.run(&["scale", "count", "jobs=2", "-y"]);
    error_of(&scaled, 0, &["1 created"]);
    let fly = Sandbox::FLY.replace("sleep 1000", "sleep 1002");
    sandbox.write("fly.toml", &format!("{fly}{checks}"));
    let one = "the machine checks of group `web` would not run";
    error_of(&sandbox.run(&["apply", "-y"]), 6, &[one]);
    error_of(&sandbox.run(&["apply", "-y", never]), 0, &["1 updated"]);
    error_of(&sandbox.run(&["plan", "--detailed-exitcode"]), 0, &[]);
}

#[test]
fn a_bluegreen_app_is_swapped_and_one_without_checks_is_refused() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let fly = sandbox.read("fly.toml");
    let strategy = "[deploy]\n  strategy = \"bluegreen\"\n";
    sandbox.write("fly.toml", &format!("{fly}\n{strategy}"));
    let platform = EmulatorProcess::with_app(&sandbox);
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    let ids = || {
        let machines = platform.machines();
        let ids = machines
            .iter()
            .map(|machine| machine["id"].as_str().unwrap().to_owned());
        ids.collect::<BTreeSet<String>>()
    };
    error_of(&at(&["apply", "-y", "--image", V1]), 0, &["2 created"]);
    let first = ids();
    let needed = "group `app` would be updated with `bluegreen`, and no check says whether the new Machines work";
    error_of(
        &at(&["plan", "--image", V2, "--detailed-exitcode"]),
        6,
        &[needed],
    );
    error_of(
        &at(&["apply", "-y", "--image", V2]),
        6,
        &[needed, "`--strategy rolling`"],
    );
    let rolling = at(&["apply", "-y", "--image", V2, "--strategy", "rolling"]);
    error_of(&rolling, 0, &["2 updated"]);
    assert_eq!(ids(), first);
    // Neither a replacement nor a restart on request swaps anything.
    let id = first.first().unwrap();
    let replaced = at(&["machine", "replace", id, "-y", "--image", V2]);
    error_of(&replaced, 0, &["1 created, 1 destroyed"]);
    error_of(&at(&["restart", "-y", "--image", V2]), 0, &["2 restarted"]);
    let before = ids();
    let check = "  [[http_service.checks]]\n    path = \"/up\"\n    interval = \"5s\"\n    timeout = \"2s\"\n";
    sandbox.write("fly.toml", &format!("{fly}\n{check}\n{strategy}"));
    let swap = ["apply", "-y", "--image", V1];
    error_of(
        &at(&["plan", "--image", V1, "--detailed-exitcode"]),
        2,
        &["2 to swap, bluegreen: 2 beside 2, one switch, then 2 to destroy"],
    );
    let part = at(&[
        "plan",
        "--image",
        V1,
        "--only-machines",
        before.first().unwrap(),
    ]);
    error_of(
        &part,
        0,
        &["which a bluegreen update replaces together", "Refused: "],
    );
    error_of(&at(&swap), 0, &["switched", "Apply complete: 2 swapped."]);
    assert!(ids().is_disjoint(&before));
    assert_eq!(ids().len(), 2);
    error_of(&at(&["plan", "--image", V1, "--detailed-exitcode"]), 0, &[]);
}
