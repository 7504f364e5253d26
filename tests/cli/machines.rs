//! Verbs about single Machines, at the binary: over processes of this computer, and over the emulated
//! platform.

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, V1, hold, on, project, run};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

/// The ids of the Machines, in the order of the list.
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox
        .command(&["machine", "list", "-q"])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn json_of(sandbox: &Sandbox, args: &[&str]) -> Value {
    let output = sandbox.command(args).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether nothing is left to do.
fn settled(sandbox: &Sandbox) -> bool {
    let shown = sandbox.run(&["plan", "--detailed-exitcode"]);
    shown.starts_with("exit 0\n")
}

#[test]
fn a_machine_is_stopped_and_started_and_no_plan_undoes_it() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let id = &ids(&sandbox)[0];
    let stopped = sandbox.run(&["machine", "stop", id]);
    assert!(stopped.contains("stopped, was started"), "{stopped}");
    assert!(
        stopped.contains("a later plan does not undo this"),
        "{stopped}"
    );
    assert!(settled(&sandbox));
    let again = json_of(&sandbox, &["machine", "stop", id, "--json"]);
    assert_eq!(again["before"], again["after"]);
    let restarted = sandbox.run(&["machine", "restart", id]);
    assert!(
        restarted.starts_with("exit 1\n") && restarted.contains("it is stopped"),
        "{restarted}"
    );
    let name = json_of(&sandbox, &["machine", "status", id, "--json"])["machine"]["name"].clone();
    let started = sandbox.run(&["machine", "start", name.as_str().unwrap()]);
    assert!(started.contains("started, was stopped"), "{started}");
    let pid = |sandbox: &Sandbox| {
        json_of(sandbox, &["machine", "status", id, "--json"])["machine"]["pid"].clone()
    };
    let before = pid(&sandbox);
    sandbox.run(&["machine", "restart", id]);
    assert_ne!(pid(&sandbox), before);
    assert!(settled(&sandbox));
}

#[test]
fn running_machines_are_restarted_and_a_named_one_replaced_also_by_a_saved_plan() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let before = ids(&sandbox);
    let restarted = sandbox.run(&["restart", "-y", "-g", "web"]);
    assert!(
        restarted.contains("Apply complete: 1 restarted."),
        "{restarted}"
    );
    assert_eq!(ids(&sandbox), before);
    for args in [
        &["restart", "--plan-only"][..],
        &["machine", "replace", &before[0], "--plan-only"],
    ] {
        let planned = sandbox.run(args);
        assert!(planned.starts_with("exit 0\n"), "{planned}");
        assert_eq!(ids(&sandbox), before);
    }
    let planned = sandbox.run(&["plan", "--replace", &before[0], "--out", "next.plan"]);
    assert!(planned.contains("replacement requested"), "{planned}");
    let both = sandbox.run(&["apply", "next.plan", "--replace", &before[0]]);
    assert!(both.starts_with("exit 64\n"), "{both}");
    let applied = sandbox.run(&["apply", "next.plan"]);
    assert!(applied.contains("1 created, 1 destroyed"), "{applied}");
    let spent = sandbox.run(&["apply", "next.plan"]);
    assert!(spent.starts_with("exit 4\n"), "{spent}");
    let after = ids(&sandbox);
    assert!(!after.contains(&before[0]) && after.contains(&before[1]));
    let other = after.iter().find(|id| **id != before[1]).unwrap();
    let replaced = sandbox.run(&["machine", "replace", other, "-y"]);
    assert!(replaced.contains("1 created, 1 destroyed"), "{replaced}");
    let listed = sandbox.command(&["machine", "list", "--json"]).output();
    let listed: serde_json::Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    let name = listed["machines"][0]["name"].as_str().unwrap();
    let by_name = sandbox.run(&["machine", "replace", name, "--plan-only"]);
    assert!(by_name.contains("replacement requested"), "{by_name}");
    let unknown = sandbox.run(&["machine", "replace", other, "-y"]);
    assert!(
        unknown.starts_with("exit 6\n") && unknown.contains("no group of the app has it"),
        "{unknown}"
    );
    assert!(settled(&sandbox));
}

#[test]
fn a_restart_needs_approval_at_a_terminal() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let mut terminal = Terminal::start(sandbox.command(&["restart"]));
    terminal.expect("2 to restart");
    terminal.expect("[y/N]");
    terminal.type_line("");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    let silent = sandbox.run(&["restart"]);
    assert!(silent.contains("--auto-approve"), "{silent}");
}

#[test]
fn every_machine_is_listed_and_unmanaged_ones_are_marked() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let body = json!({"region": "gru", "config": {"image": "busybox"}});
    let (_, created) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    let stranger = created["id"].as_str().unwrap().to_owned();
    let wait = format!("/v1/apps/shop/machines/{stranger}/wait");
    assert_eq!(platform.ask("GET", &wait, &Value::Null).0, 200);
    let listed = run(&sandbox, &platform, &["machine", "list"]);
    assert!(
        listed.contains(&stranger) && listed.contains("(-)"),
        "{listed}"
    );
    let gru = run(
        &sandbox,
        &platform,
        &["machine", "ls", "--region", "gru", "-q"],
    );
    assert!(gru.contains(&format!("--- stdout\n{stranger}\n")), "{gru}");
    let shown = run(&sandbox, &platform, &["machine", "status", &stranger]);
    assert!(
        shown.contains("not in the state") && shown.contains("Events"),
        "{shown}"
    );
}

#[test]
fn actions_on_a_machine_hold_its_lease_and_name_another_holder() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let machines = platform.machines();
    let id = machines[0]["id"].as_str().unwrap();
    let state = |id: &str| {
        let machines = platform.machines();
        let machine = machines.iter().find(|m| m["id"] == id).unwrap().clone();
        (machine["state"].clone(), machine["cordoned"].clone())
    };
    let suspended = run(&sandbox, &platform, &["machine", "suspend", id]);
    assert!(suspended.contains("suspended, was started"), "{suspended}");
    let started = run(&sandbox, &platform, &["machine", "start", id]);
    assert!(started.contains("started, was suspended"), "{started}");
    run(&sandbox, &platform, &["machine", "cordon", id]);
    assert_eq!(state(id), ("started".into(), true.into()));
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    run(&sandbox, &platform, &["machine", "uncordon", id]);
    assert_eq!(state(id).1, false);
    let restarted = run(&sandbox, &platform, &["machine", "restart", id]);
    assert!(restarted.starts_with("exit 0\n"), "{restarted}");
    let lease = format!("/v1/apps/shop/machines/{id}/lease");
    assert_eq!(
        platform.ask("GET", &lease, &Value::Null).0,
        404,
        "let go of"
    );
    hold(&platform, id, 300);
    let other = machines[1]["id"].as_str().unwrap();
    let args = ["machine", "stop", id, other, "--lock-timeout", "0s"];
    let refused = run(&sandbox, &platform, &args);
    assert!(refused.starts_with("exit 5\n"), "{refused}");
    assert!(refused.contains("deploying v7"), "{refused}");
    assert!(
        refused.contains(&format!("not started: {other}")),
        "{refused}"
    );
    assert_eq!(state(other).0, "started");
}

#[test]
fn a_restart_reaches_machines_of_the_platform_as_a_new_version() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let instances = || -> Vec<Value> {
        let machines = platform.machines();
        machines.iter().map(|m| m["instance_id"].clone()).collect()
    };
    let before = instances();
    let restarted = run(&sandbox, &platform, &["restart", "-y"]);
    assert!(
        restarted.contains("Apply complete: 2 restarted."),
        "{restarted}"
    );
    assert!(before.iter().zip(instances()).all(|(a, b)| *a != b));
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    let status = on(&sandbox, &platform, &["status", "--json"])
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["last_run"]["command"], "restart");
    assert_eq!(status["drift"]["changed"], 0);
}

#[test]
fn a_status_is_watched_in_place_and_the_terminal_is_as_before() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let mut terminal = Terminal::start(sandbox.command(&["status", "--watch", "--every", "2s"]));
    terminal.expect("Ctrl-C to stop");
    let id = &ids(&sandbox)[0];
    sandbox.run(&["machine", "stop", id]);
    terminal.expect("stopped");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(
        screen.contains("stopped") && !screen.contains("Ctrl-C to stop"),
        "{screen}"
    );
}

#[test]
fn elsewhere_a_watched_status_is_one_after_the_other_until_the_reader_goes() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let too_fast = sandbox.run(&["status", "--watch", "--every", "1s"]);
    assert!(too_fast.starts_with("exit 64\n"), "{too_fast}");
    let args = ["status", "--watch", "--every", "2s", "--json"];
    let mut child = sandbox
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..2 {
        let status: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(status["machines"].as_array().unwrap().len(), 2);
    }
    drop(lines);
    assert!(child.wait().unwrap().success());
}

#[test]
fn ctrl_c_while_a_machine_stops_says_what_was_requested() {
    let sandbox = Sandbox::new();
    let stubborn = "sh -c \\\"trap '' INT; exec sleep 1000\\\"";
    sandbox.write("fly.toml", &Sandbox::FLY.replace("sleep 1000", stubborn));
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 1\n[groups.jobs]\ncount = 0\n",
    );
    sandbox.apply();
    let id = ids(&sandbox).remove(0);
    let mut terminal = Terminal::start(sandbox.command(&["machine", "stop", &id]));
    terminal.expect("waiting until it is stopped");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("the result of stop is unknown"), "{screen}");
}
