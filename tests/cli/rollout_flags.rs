//! The flags that say how a change is rolled out: what they take, what keeps them, and what they change.

use serde_json::Value;

use crate::fly::{EmulatorProcess, V1, V2, project, run};
use crate::fly_retry::FLY;
use crate::sandbox::Sandbox;

/// An app that runs, with another command in its group `web`.
fn changed() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let fly = Sandbox::FLY.replace("sleep 1000", "sleep 1002");
    sandbox.write("fly.toml", &fly);
    sandbox
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn web(sandbox: &Sandbox, flags: &[&str]) -> Value {
    let arguments: Vec<&str> = ["plan", "--json"].iter().chain(flags).copied().collect();
    let mut command = sandbox.command(&arguments);
    let output = command.env_remove("AEROFORM_STEADY").output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let groups = plan["groups"].as_array().unwrap().iter();
    let mut found = groups.filter(|group| group["name"] == "web");
    found.next().unwrap().clone()
}

#[test]
fn a_value_that_makes_no_rollout_is_refused_with_the_reason() {
    let sandbox = Sandbox::with_app();
    for (flag, reason) in [
        (
            "--max-unavailable=0",
            "above 0, or nothing could be updated",
        ),
        (
            "--max-unavailable=-1",
            "above 0, or nothing could be updated",
        ),
        ("--max-unavailable=nan", "this must be a number"),
        ("--max-unavailable=inf", "at most 4294967295"),
        (
            "--max-unavailable=33%",
            "expected a number of Machines (2) or a share of a group (0.33)",
        ),
        ("--wait-timeout=0", "0 and none are refused"),
        ("--wait-timeout=none", "0 and none are refused"),
        (
            "--wait-timeout=-1",
            "expected a duration such as 90s or 10m, or a number of seconds",
        ),
        (
            "--wait-timeout=soon",
            "expected a duration such as 90s or 10m, or a number of seconds",
        ),
        ("--steady=-1s", "expected a duration"),
        ("--smoke-checks=no", "possible values: true, false"),
    ] {
        for verb in ["plan", "apply", "restart"] {
            let shown = sandbox.run(&[verb, flag]);
            assert!(shown.starts_with("exit 64\n"), "{verb} {flag}: {shown}");
            assert!(joined(&shown).contains(reason), "{verb} {flag}: {shown}");
        }
    }
    let both = sandbox.run(&["apply", "--smoke-checks=false", "--steady", "5s"]);
    assert!(both.starts_with("exit 64\n"), "{both}");
}

#[test]
fn smoke_checks_that_are_off_are_no_steady_window() {
    let sandbox = changed();
    let usual = web(&sandbox, &[]);
    assert!(usual["steady_ms"].is_number(), "{usual}");
    for same in ["--smoke-checks", "--smoke-checks=true"] {
        assert_eq!(web(&sandbox, &[same]), usual);
    }
    let off = web(&sandbox, &["--steady", "0"]);
    assert_eq!(off.get("steady_ms"), None);
    assert_eq!(web(&sandbox, &["--smoke-checks=false"]), off);
}

#[test]
fn a_window_that_does_not_fit_into_the_wait_is_refused() {
    let sandbox = changed();
    let shown = sandbox.run(&["apply", "-y", "--wait-timeout", "5", "--steady", "5s"]);
    assert!(shown.starts_with("exit 6\n"), "{shown}");
    let reason = "group `jobs`: `--steady` is 5s, but `--wait-timeout` is only 5s";
    assert!(joined(&shown).contains(reason), "{shown}");
    // The usual window gives way.
    assert_eq!(web(&sandbox, &["--wait-timeout", "4s"])["steady_ms"], 2000);
}

#[test]
fn a_saved_plan_has_its_own_flags_of_the_rollout() {
    let sandbox = changed();
    let flags = [
        "--max-unavailable=2",
        "--wait-timeout=90s",
        "--smoke-checks=false",
        "--wake",
    ];
    let saved = sandbox.run(&[
        "plan",
        "--out",
        "p",
        "--max-unavailable=0.5",
        "--wait-timeout=90",
    ]);
    assert!(saved.starts_with("exit 0\n"), "{saved}");
    let text: Value = serde_json::from_str(&sandbox.read("p")).unwrap();
    assert_eq!(text["asked"]["max_unavailable"]["millionths"], 500_000);
    assert_eq!(text["asked"]["wait_timeout_s"], 90);
    for flag in flags {
        let refused = sandbox.run(&["apply", "p", flag]);
        assert!(refused.starts_with("exit 64\n"), "{flag}: {refused}");
        assert!(refused.contains("cannot be used with"), "{flag}: {refused}");
    }
    let applied = sandbox.run(&["apply", "p"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

#[test]
fn a_saved_plan_is_not_applied_after_the_files_roll_it_out_in_another_way() {
    let sandbox = changed();
    sandbox.run(&["plan", "--out", "p"]);
    let fly = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &format!("{fly}\n[deploy]\n  wait_timeout = \"9m\"\n"),
    );
    let applied = sandbox.run(&["apply", "p"]);
    assert!(applied.starts_with("exit 4\n"), "{applied}");
    let reason = "the rollout settings of group `web` differ";
    assert!(joined(&applied).contains(reason), "{applied}");
}

/// Holds rule 12.
#[test]
fn a_wait_that_was_too_short_is_repeated_with_a_longer_one() {
    let sandbox = project("[groups.web]\ncount = 2\n[groups.worker]\ncount = 1\n");
    let check = "  [[services.tcp_checks]]\n    interval = \"1s\"\n    timeout = \"1s\"\n";
    sandbox.write("fly.toml", &format!("{FLY}{check}"));
    let faults =
        "[[fault]]\non = \"update\"\ngroup = \"web\"\neffect = \"slow-start\"\nfor = \"5s\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let deploy = ["apply", "-y", "--image", V2, "--wait-timeout"];
    let short = run(&sandbox, &platform, &[&deploy[..], &["2"]].concat());
    assert!(short.starts_with("exit 3\n"), "{short}");
    assert!(
        joined(&short).contains("was not ready within 2 s"),
        "{short}"
    );
    let back = format!("`aeroform apply --image {V1} --wait-timeout 2s` rolls back");
    assert!(joined(&short).contains(&back), "{short}");
    let longer = run(&sandbox, &platform, &[&deploy[..], &["30s"]].concat());
    assert!(longer.starts_with("exit 0\n"), "{longer}");
    assert!(!longer.contains("state_behind"), "{longer}");
}
