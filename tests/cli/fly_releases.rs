//! Releases of provider `fly` at the binary: those of others that are taken back or waited for, and our own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, V1, V2, on, project, run, update};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

/// `fly deploy` of this image, from its release to its end.
pub(crate) fn fly_deploy(platform: &EmulatorProcess, image: &str) {
    let body = json!({"app_name": "shop", "image": image, "strategy": "ROLLING"});
    let (status, created) = platform.ask("POST", "/api/v1/releases", &body);
    assert_eq!(status, 201, "{created}");
    let release = created["release"].clone();
    for machine in platform.machines() {
        update(platform, machine["id"].as_str().unwrap(), |config| {
            config["image"] = image.into();
            config["metadata"]["fly_release_id"] = release["id"].clone();
            config["metadata"]["fly_release_version"] = release["version"].to_string().into();
        });
    }
    let mark = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
    let complete = json!({"status": "complete"});
    assert_eq!(platform.ask("PATCH", &mark, &complete).0, 200);
}

/// Holds rule 11.
#[test]
fn a_newer_release_is_reverted_only_with_its_flag() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.contains("Registers release v1."), "{applied}");
    assert!(applied.contains("release v1 is registered"), "{applied}");
    fly_deploy(&platform, V2);
    let output = "everts release v2 (sha256:222222222222) to sha256:111111111111 on 1 Machine";
    let refused = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    assert!(refused.contains(&format!("R{output}.")), "{refused}");
    assert!(
        refused.contains(&format!("the plan r{output}")),
        "{refused}"
    );
    assert!(refused.contains("add `--allow-revert`"), "{refused}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
    let saved = run(
        &sandbox,
        &platform,
        &["plan", "--out", "next.plan", "--json"],
    );
    assert!(saved.contains("\"reverts\""), "{saved}");
    // Whoever deploys once more changes what was approved.
    fly_deploy(&platform, V2);
    let stale = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(stale.starts_with("exit 4\n"), "{stale}");
    run(&sandbox, &platform, &["plan", "--out", "next.plan"]);
    let applied = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
    fly_deploy(&platform, V2);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--allow-revert"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
    let quiet = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
}

#[test]
fn at_a_terminal_the_number_of_a_newer_release_is_typed_even_where_yes_was_said_before() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    fly_deploy(&platform, V2);
    let mut terminal = Terminal::start(on(&sandbox, &platform, &["apply", "-y"]));
    terminal.expect("Reverts release v2");
    terminal.expect("Type the release's number, v2, to continue:");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
    let mut terminal = Terminal::start(on(&sandbox, &platform, &["apply"]));
    terminal.expect("Type the release's number, v2, to continue:");
    terminal.type_line("v2");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
}

#[test]
fn a_deploy_during_an_apply_is_named_without_advice_to_revert_it() {
    let sandbox = project("[groups.app]\ncount = 3\n");
    let platform =
        EmulatorProcess::start(&sandbox, &["--rate-limits", "off", "--latency", "100ms"]);
    let platform = platform.and_app();
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let mut child = on(
        &sandbox,
        &platform,
        &["apply", "-y", "--json", "--image", V2],
    )
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"step_began\"") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "no step began");
    }
    // One that is not yet under way.
    let all = platform.machines();
    let ids = all.iter().map(|machine| machine["id"].as_str().unwrap());
    let id = ids.filter(|id| !line.contains(id)).max().unwrap();
    let body = json!({"app_name": "shop", "image": V1, "strategy": "ROLLING"});
    let (_, created) = platform.ask("POST", "/api/v1/releases", &body);
    update(&platform, id, |config| {
        config["env"]["NEW"] = "1".into();
        config["metadata"]["fly_release_id"] = created["release"]["id"].clone();
        config["metadata"]["fly_release_version"] = "3".into();
        config["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("aeroform_run");
    });
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest}");
    let mark = format!(
        "/api/v1/releases/{}",
        created["release"]["id"].as_str().unwrap()
    );
    platform.ask("PATCH", &mark, &json!({"status": "complete"}));
    let changed =
        rest.contains("release v3 by ") && rest.contains("has changed it: `aeroform plan`");
    assert!(changed, "{rest}");
    let plan = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(
        plan.contains("everts what release v3 changed") || plan.contains("everts release v3"),
        "{plan}"
    );
    assert!(plan.starts_with("exit 6\n"), "{plan}");
}

/// A command beside a `fly deploy` that has begun, once it has said that it waits.
pub(crate) fn waits(
    sandbox: &Sandbox,
    platform: &EmulatorProcess,
    args: &[&str],
) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = on(sandbox, platform, args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("for release v") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it did not wait");
    }
    (child, said, line)
}

#[test]
fn a_release_in_progress_is_waited_for_and_a_plan_warns_of_it() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let body = json!({"app_name": "shop", "image": V1, "strategy": "ROLLING"});
    let (_, created) = platform.ask("POST", "/api/v1/releases", &body);
    let mark = format!(
        "/api/v1/releases/{}",
        created["release"]["id"].as_str().unwrap()
    );
    let status = |word: &str| {
        assert_eq!(
            platform.ask("PATCH", &mark, &json!({"status": word})).0,
            200
        );
    };
    status("running");
    let plan = run(&sandbox, &platform, &["plan", "--image", V2]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    assert!(plan.contains("warning: release v2 by "), "{plan}");
    assert!(plan.contains(" is in progress: it may be"), "{plan}");

    let apply = ["apply", "-y", "--image", V2];
    let (mut child, _, said) = waits(&sandbox, &platform, &apply);
    assert!(
        said.contains("release v2 by ") && said.contains("waiting up to 1"),
        "{said}"
    );
    assert!(said.contains("(until 2026-01-02T03:1"), "{said}");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(platform.machines()[0]["config"]["image"], V1);

    let (mut child, mut said, _) = waits(&sandbox, &platform, &apply);
    status("complete");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("release v3 is registered"), "{rest}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
}

/// Applies until its release is registered, and is killed then. Gives the platform's releases.
fn killed(sandbox: &Sandbox, platform: &EmulatorProcess) -> Value {
    let args = ["apply", "-y", "--json", "--image", V1];
    let mut child = on(sandbox, platform, &args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"release\"") || !line.contains("\"event\"") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "no release");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    releases(platform)
}

fn releases(platform: &EmulatorProcess) -> Value {
    let path = "/api/v1/apps/shop/releases";
    let (_, list) = platform.ask("GET", path, &Value::Null);
    let rows = list["releases"].as_array().unwrap().iter();
    rows.map(|release| release["status"].clone()).collect()
}

#[test]
fn a_run_that_died_with_its_release_in_progress_is_not_waited_for() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let faults = "[[fault]]\non = \"create\"\neffect = \"rate-limited\"\nfor = \"1s\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    assert_eq!(killed(&sandbox, &platform), json!(["running"]));
    assert_eq!(platform.machines(), [Value::Null; 0]);
    let plan = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(!plan.contains("is in progress"), "{plan}");
    let mut child = on(&sandbox, &platform, &["apply", "-y", "--image", V1])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("for release v") {
            child.kill().unwrap();
            panic!("{line}");
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(releases(&platform), json!(["complete", "interrupted"]));
    assert_eq!(platform.machines().len(), 1);
}

/// Ends of releases are lost for as long as a first apply tries.
const ENDS_ARE_LOST: &str =
    "[[fault]]\non = \"release\"\neffect = \"lose-before\"\nnth = 3\ntimes = 3\n";

#[test]
fn a_release_that_could_not_be_ended_is_said_and_the_next_apply_ends_it_and_does_not_wait() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_faults(&sandbox, ENDS_ARE_LOST);
    let first = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(first.starts_with("exit 0\n"), "{first}");
    assert!(
        first.contains("warning: release v1 could not be marked as finished"),
        "{first}"
    );
    assert_eq!(releases(&platform), json!(["running"]));
    let second = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(second.starts_with("exit 0\n"), "{second}");
    assert!(!second.contains("for release v"), "{second}");
    assert_eq!(releases(&platform), json!(["complete", "complete"]));
}

#[test]
fn an_apply_with_nothing_to_do_ends_the_release_that_an_earlier_one_left() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_faults(&sandbox, ENDS_ARE_LOST);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let second = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(second.starts_with("exit 0\n"), "{second}");
    assert!(!second.contains("for release v"), "{second}");
    assert_eq!(releases(&platform), json!(["complete"]));
}

#[test]
fn one_failure_to_end_a_release_is_tried_again() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let faults = ENDS_ARE_LOST.replace("times = 3", "times = 1");
    let platform = EmulatorProcess::with_faults(&sandbox, &faults);
    let first = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(!first.contains("could not be marked"), "{first}");
    assert_eq!(releases(&platform), json!(["complete"]));
}

#[test]
fn a_flag_skips_the_wait_for_a_release() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let body = json!({"app_name": "shop", "image": V1, "strategy": "ROLLING"});
    let (_, created) = platform.ask("POST", "/api/v1/releases", &body);
    let mark = format!(
        "/api/v1/releases/{}",
        created["release"]["id"].as_str().unwrap()
    );
    platform.ask("PATCH", &mark, &json!({"status": "running"}));
    let args = ["apply", "-y", "--no-wait-release", "--image", V1];
    let applied = run(&sandbox, &platform, &args);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(!applied.contains("for release v"), "{applied}");
    assert_eq!(platform.machines().len(), 1);
}
