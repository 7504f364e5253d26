//! What stands on the screen: warnings where they matter, and results that can be read.

use crate::fly::{Platform, V1, project, run};
use crate::sandbox::Sandbox;

/// Groups of words without line breaks.
fn flat(shown: &str) -> String {
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An app on Fly with a strategy and a release command that this version does not have, and a key that is none.
fn deployed() -> (Sandbox, Platform) {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = Platform::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let fly = sandbox.read("fly.toml");
    let deploy = "[deploy]\n  strategy = \"bluegreen\"\n  release_command = \"bin/migrate\"\n";
    sandbox.write("fly.toml", &format!("kil_timeout = 5\n{fly}\n{deploy}"));
    (sandbox, platform)
}

#[test]
fn a_warning_appears_with_the_verb_that_it_concerns() {
    let (sandbox, platform) = deployed();
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    let valid = at(&["validate", "--provider", "fly"]);
    for code in ["strategy_not_supported", "release_command_without_image"] {
        assert!(valid.contains(code), "{valid}");
    }
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let looks: [&[&str]; 9] = [
        &["status"],
        &["logs"],
        &["machine", "list"],
        &["machine", "status", &id],
        &["machine", "stop", &id],
        &["drift"],
        &["refresh", "-y"],
        &["scale", "show"],
        &["state", "list"],
    ];
    for args in looks {
        let shown = at(args);
        assert!(shown.starts_with("exit 0\n"), "{args:?}: {shown}");
        assert!(!shown.contains("warning["), "{args:?}: {shown}");
    }
    let acts: [&[&str]; 6] = [
        &["plan"],
        &["scale", "count", "3", "--plan-only"],
        &["scale", "count", "3", "--edit-only", "-y"],
        &["regions", "add", "gru", "--plan-only"],
        &["restart", "--plan-only"],
        &["apply", "-y"],
    ];
    for args in acts {
        let shown = at(args);
        assert!(shown.contains("warning[unknown_key]"), "{args:?}: {shown}");
        let others = shown.matches("warning[").count();
        assert_eq!(others, 1, "{args:?}: {shown}");
    }
    // Where a plan needs one of them, it is refused; that is no warning.
    let restart = at(&["restart", "-y"]);
    assert!(restart.starts_with("exit 6\n"), "{restart}");
}

#[test]
fn what_is_worst_about_a_count_stands_beside_it() {
    let sandbox = project("[groups.app]\ncount = 3\n");
    let platform = Platform::with_app(&sandbox);
    let fly = sandbox.read("fly.toml");
    sandbox.write("fly.toml", &format!("{fly}  min_machines_running = 2\n"));
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    at(&["apply", "-y", "--image", V1]);
    let few = at(&["scale", "count", "1", "--plan-only"]);
    let beside = "~ app 3 → 1 ams · fewer than `min_machines_running`";
    assert!(flat(&few).contains(beside), "{few}");
    let after = "warning: group `app` has 1 Machine, and `min_machines_running` is 2";
    assert!(few.find(after) > few.find("to destroy"), "{few}");
    assert!(!few.contains("min_above_count"), "{few}");
    let none = at(&["scale", "count", "0", "--plan-only"]);
    let beside = "~ app 3 → 0 ams · no Machine is left";
    assert!(flat(&none).contains(beside), "{none}");
    // Without a plan the warning is of the edit.
    let edited = at(&["scale", "count", "1", "--edit-only", "-y"]);
    assert!(edited.contains("warning[min_above_count]"), "{edited}");
}
