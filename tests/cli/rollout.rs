//! What `fly deploy` does around a change and this version cannot do: refused until a flag says otherwise.

use std::fs;

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
const NEEDED: &str = "the release command (fly.toml:9) has to run before this plan, and this version \
                      cannot run it: the command of group `web` changes";

/// An app that runs, before a release command and another command of its group `web` are written.
fn migrating() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let fly = Sandbox::FLY.replace("sleep 1000", "sleep 1002");
    sandbox.write(
        "fly.toml",
        &format!("{fly}[deploy]\n  release_command = \"bin/migrate\"\n"),
    );
    sandbox
}

/// Holds rule 28.
#[test]
fn an_apply_that_needs_the_release_command_is_refused_and_never_lifts_it() {
    let sandbox = migrating();
    let hint = "hint: run it by hand, then plan again with `--release-command=never`";
    error_of(&sandbox.run(&["plan"]), 0, &[NEEDED, "Refused: "]);
    error_of(&sandbox.run(&["plan", "--detailed-exitcode"]), 6, &[NEEDED]);
    error_of(
        &sandbox.run(&["plan", "--detailed-exitcode", NEVER]),
        2,
        &["is skipped"],
    );
    error_of(&sandbox.run(&["apply", "-y"]), 6, &[NEEDED, hint]);
    error_of(&sandbox.run(&["restart", "-y"]), 6, &[NEEDED]);
    let scaled = sandbox.run(&["scale", "count", "jobs=2", "-y"]);
    error_of(&scaled, 6, &[NEEDED]);
    assert_eq!(sandbox.machines(), 2);
    error_of(&sandbox.run(&["apply", "-y", NEVER]), 0, &["1 updated"]);
    error_of(
        &sandbox.run(&["scale", "count", "jobs=2", "-y"]),
        0,
        &["1 created"],
    );
    error_of(&sandbox.run(&["restart", "-y"]), 0, &["restarted"]);
    error_of(&sandbox.run(&["plan", "--detailed-exitcode"]), 0, &[]);
}

#[test]
fn a_saved_plan_keeps_what_lifts_the_refusal() {
    let sandbox = migrating();
    error_of(
        &sandbox.run(&["plan", "--out", "refused.plan"]),
        0,
        &[NEEDED],
    );
    error_of(&sandbox.run(&["apply", "refused.plan"]), 6, &[NEEDED]);
    error_of(
        &sandbox.run(&["plan", NEVER, "--out", "next.plan"]),
        0,
        &["saved"],
    );
    assert!(
        fs::read_to_string(sandbox.project().join("next.plan"))
            .unwrap()
            .contains("never")
    );
    error_of(
        &sandbox.run(&["apply", NEVER, "next.plan"]),
        64,
        &["cannot be used with"],
    );
    error_of(&sandbox.run(&["apply", "next.plan"]), 0, &["1 updated"]);
}

#[test]
fn what_the_flags_do_not_take_is_said() {
    let sandbox = migrating();
    let always = sandbox.run(&["apply", "--release-command=always"]);
    error_of(
        &always,
        64,
        &["this version cannot run the release command; use `never`"],
    );
    let canary = sandbox.run(&["plan", "--strategy", "canary"]);
    error_of(&canary, 64, &["use `rolling` or `immediate`"]);
}

#[test]
fn a_bluegreen_app_is_not_rolled_without_a_word() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let fly = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &format!("{fly}\n[deploy]\n  strategy = \"bluegreen\"\n"),
    );
    let platform = EmulatorProcess::with_app(&sandbox);
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    error_of(&at(&["apply", "-y", "--image", V1]), 0, &["2 created"]);
    let needed = "group `app` would be updated with the strategy `bluegreen`, which this version does not support";
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
    let rolling = [
        "plan",
        "--image",
        V2,
        "--strategy",
        "rolling",
        "--detailed-exitcode",
    ];
    error_of(
        &at(&rolling),
        2,
        &["to update in place (a running Machine restarts), rolling"],
    );
    let applied = at(&["apply", "-y", "--image", V2, "--strategy", "rolling"]);
    error_of(&applied, 0, &["2 updated"]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    error_of(
        &at(&["machine", "replace", &id, "-y", "--image", V2]),
        6,
        &[needed],
    );
    let immediate = at(&["restart", "-y", "--image", V2, "--strategy", "immediate"]);
    error_of(&immediate, 0, &["immediate: all at once", "2 restarted"]);
}
