//! Ctrl-C in the middle of an apply on provider `fly`: the leases are gone, the journal is settled, the
//! state is true, and the next apply does the rest.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use aeroform::core::fleet::Lineage;
use aeroform::journal::{Journal, SqliteJournal};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, on};
use crate::sandbox::Sandbox;

const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[http_service]
  internal_port = 8080
";

fn image(version: u32) -> String {
    format!("registry.fly.io/shop:v{version}@sha256:{version:064}")
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Applies and is interrupted once the first step has ended; gives what was said until the end.
fn interrupted(sandbox: &Sandbox, platform: &EmulatorProcess, image: &str) -> Vec<Value> {
    let args = [
        "apply",
        "-y",
        "--json",
        "--parallelism",
        "3",
        "--image",
        image,
    ];
    let mut child = on(sandbox, platform, &args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<Value> = Vec::new();
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let first = !said.iter().any(|line| line["event"] == "step_ended");
        if first && line["event"] == "step_ended" {
            interrupt(&child);
        }
        said.push(line);
    }
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130), "{said:#?}");
    said
}

fn code(sandbox: &Sandbox, platform: &EmulatorProcess, args: &[&str]) -> i32 {
    let output = on(sandbox, platform, args).stdin(Stdio::null()).output();
    output.unwrap().status.code().unwrap()
}

fn ids(machines: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = machines
        .iter()
        .map(|machine| machine["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn open_runs(dir: &Path, lineage: &str) -> usize {
    let journal = SqliteJournal::open(dir).unwrap();
    let lineage = Lineage::new(lineage).unwrap();
    journal.open_runs(&lineage).unwrap().len()
}

/// What must be true after an interrupt, and what the next apply must come to.
fn is_settled(sandbox: &Sandbox, platform: &EmulatorProcess, image: &str) {
    let machines = platform.machines();
    for id in ids(&machines) {
        let lease = format!("/v1/apps/shop/machines/{id}/lease");
        let (status, held) = platform.ask("GET", &lease, &Value::Null);
        assert_eq!(status, 404, "{id}: {held}");
    }
    let state: Vec<Value> = serde_json::from_str(&sandbox.read("state/shop.json")).unwrap();
    let lines = state.iter().filter_map(|line| line.get("machine"));
    let known: Vec<Value> = lines.cloned().collect();
    assert_eq!(ids(&known), ids(&machines), "{state:#?}");
    let lineage = state[0]["lineage"].as_str().unwrap();
    assert_eq!(open_runs(&sandbox.state_dir(), lineage), 0);
    // Field by field what is there is what the state says was sent.
    assert_eq!(
        code(sandbox, platform, &["drift", "--detailed-exitcode"]),
        0
    );
    assert_eq!(
        code(sandbox, platform, &["apply", "-y", "--image", image]),
        0
    );
    let again = ["plan", "--image", image, "--detailed-exitcode"];
    assert_eq!(code(sandbox, platform, &again), 0);
    let machines = platform.machines();
    assert_eq!(machines.len(), 9);
    for machine in machines {
        assert_eq!(
            (&machine["config"]["image"], &machine["state"]),
            (&json!(image), &json!("started"))
        );
    }
}

fn ended(said: &[Value], outcome: &str) -> usize {
    let ended = said.iter().filter(|line| line["event"] == "step_ended");
    ended.filter(|line| line["outcome"] == outcome).count()
}

#[test]
fn ctrl_c_in_the_middle_leaves_no_lease_no_open_run_and_a_true_state() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\n[groups.app]\ncount = 9\nregions = [\"ams\", \"gru\"]\n",
    );
    let platform = EmulatorProcess::with_app(&sandbox);
    // In the middle of creates, then of rolling updates.
    for version in [1, 2] {
        let said = interrupted(&sandbox, &platform, &image(version));
        assert_eq!(said.last().unwrap()["outcome"], "interrupted", "{said:#?}");
        assert!(ended(&said, "done") > 0 && ended(&said, "not_started") > 0);
        is_settled(&sandbox, &platform, &image(version));
    }
}
