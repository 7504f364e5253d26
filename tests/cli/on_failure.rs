//! `--on-failure rollback`, at the binary: what the plan says of it, what a run that rolls back says, and what it
//! leaves.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::fly::{EmulatorProcess, V1, V2, project, run};
use crate::fly_retry::FLY;
use crate::sandbox::Sandbox;

/// The second worker of the new version does not stay up.
const SECOND_WORKER_ENDS: &str = "\
[[fault]]
on = \"update\"
group = \"worker\"
effect = \"ends\"
code = 1
nth = 2
";

fn shop() -> Sandbox {
    let steady = "[groups.web.deploy]\nsteady = \"1s\"\n[groups.worker.deploy]\nsteady = \"1s\"\n";
    let sandbox = project(&format!(
        "[groups.web]\ncount = 2\n[groups.worker]\ncount = 3\n{steady}[deploy]\non_failure = \"rollback\"\n"
    ));
    sandbox.write("fly.toml", FLY);
    sandbox
}

fn images(platform: &EmulatorProcess) -> Vec<String> {
    let machines = platform.machines();
    let image = |machine: &Value| machine["config"]["image"].as_str().unwrap().to_owned();
    machines.iter().map(image).collect()
}

/// The lines of the state's Machines.
fn machine_lines(sandbox: &Sandbox) -> Vec<String> {
    let state = sandbox.read("state/shop.json");
    let lines = state.lines().filter(|line| line.contains("\"launch\""));
    lines.map(str::to_owned).collect()
}

/// The document of a command.
fn document(ran: &str) -> Value {
    let output = ran.split("\n--- stderr").next().unwrap();
    let text = output.find('{').map(|at| &output[at..]);
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// The text of a command without its line breaks.
fn joined(ran: &str) -> String {
    let words: Vec<&str> = ran.split_whitespace().collect();
    words.join(" ")
}

/// The configs of all Machines, metadata included.
fn bodies(platform: &EmulatorProcess) -> Vec<Value> {
    let machines = platform.machines();
    machines
        .iter()
        .map(|machine| machine["config"].clone())
        .collect()
}

#[test]
fn a_release_whose_machine_fails_its_gate_is_undone() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, SECOND_WORKER_ENDS);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let (before, known) = (bodies(&platform), machine_lines(&sandbox));
    let ran = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(ran.starts_with("exit 3\n"), "{ran}");
    let said = ran.lines().find(|line| line.starts_with("rolled back"));
    let said = said.unwrap_or_else(|| panic!("{ran}"));
    assert!(
        said.starts_with("rolled back to v1 after a failure: Machine "),
        "{ran}"
    );
    assert!(ran.contains("Apply rolled back: "), "{ran}");
    assert!(ran.contains("previous config again."), "{ran}");
    assert!(
        joined(&ran).contains("hint: fix the cause, then `aeroform apply"),
        "{ran}"
    );
    assert!(!ran.contains("until it passes"), "{ran}");
    assert!(ran.contains("now: web: 2 on v1; worker: 3 on v1"), "{ran}");
    // The whole bodies are those of before, stamps included, and so are the lines of the state.
    assert_eq!(bodies(&platform), before, "{ran}");
    assert_eq!(machine_lines(&sandbox), known, "{ran}");
    let releases = run(&sandbox, &platform, &["releases", "--json"]);
    assert_eq!(
        document(&releases)["releases"][0]["status"],
        "failed",
        "{releases}"
    );
    let plan = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(plan.contains("No changes."), "{plan}");
    let again = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(again.starts_with("exit 0\n"), "{again}");
    assert!(images(&platform).iter().all(|image| image == V2), "{again}");
}

#[test]
fn a_plan_says_what_would_be_rolled_back() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let settings = sandbox.read("aeroform.toml");
    let more = settings.replace("[groups.web]\ncount = 2", "[groups.web]\ncount = 3");
    sandbox.write("aeroform.toml", &more);
    let plan = run(&sandbox, &platform, &["plan", "--image", V2]);
    let web = "if a Machine fails its gate: rolled back, at most 2 with the previous config again, 1 destroyed";
    let worker =
        "if a Machine fails its gate: rolled back, at most 3 with the previous config again";
    let joined = joined(&plan);
    for text in [
        web,
        worker,
        "If a Machine fails its gate, at most 6 Machines are rolled back.",
    ] {
        assert!(joined.contains(text), "{plan}");
    }
    let document = run(&sandbox, &platform, &["plan", "--image", V2, "--json"]);
    let document = self::document(&document);
    assert_eq!(
        document["groups"][0]["rollback"],
        serde_json::json!({"put_back": 2, "restored": 0, "destroyed": 1})
    );
    let comment = run(
        &sandbox,
        &platform,
        &["plan", "--image", V2, "--format", "markdown"],
    );
    assert!(
        comment.contains("at most 6 Machines are rolled back"),
        "{comment}"
    );
    let stops = ["plan", "--image", V2, "--on-failure", "stop"];
    let stops = run(&sandbox, &platform, &stops);
    assert!(!stops.contains("rolled back"), "{stops}");
}

#[test]
fn a_rollback_is_told_in_every_form() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, SECOND_WORKER_ENDS);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let ran = run(
        &sandbox,
        &platform,
        &["apply", "-y", "--image", V2, "--json"],
    );
    let lines = ran.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let begun = lines.iter().find(|line| line["event"] == "rolling_back");
    assert_eq!(begun.unwrap()["to"], 1, "{ran}");
    assert!(lines.iter().any(|line| line["undoes"] == true), "{ran}");
    let last = lines.last().unwrap();
    assert_eq!(last["outcome"], "failed", "{ran}");
    assert_eq!(last["rollback"]["complete"], true, "{ran}");
    assert_eq!(last["rollback"]["to"], 1, "{ran}");
    assert_eq!(
        last["rollback"]["put_back"],
        begun.unwrap()["steps"],
        "{ran}"
    );
    assert_eq!(last["done"], 0, "{ran}");
}

/// A project on this computer whose program ends in its second version.
fn on_this_computer(count: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", &local_fly(1));
    let settings = format!(
        "[groups.worker]\ncount = {count}\n[groups.worker.deploy]\nsteady = \"1s\"\n[deploy]\non_failure = \"rollback\"\n"
    );
    sandbox.write("aeroform.toml", &settings);
    sandbox
}

fn local_fly(version: u32) -> String {
    format!(
        "app = \"shop\"\nprimary_region = \"ams\"\n\n[env]\n  VERSION = \"{version}\"\n\n[processes]\n  \
         worker = \"sh -c 'test $VERSION = 1 && exec sleep 1000; exit 7'\"\n"
    )
}

fn apply_here(sandbox: &Sandbox) -> String {
    let mut apply = sandbox.command(&["apply", "-y"]);
    apply.env_remove("AEROFORM_STEADY");
    sandbox.show(&apply.output().unwrap())
}

#[test]
fn a_rollback_on_this_computer_leaves_what_ran_before() {
    let sandbox = on_this_computer(2);
    let first = apply_here(&sandbox);
    assert!(first.starts_with("exit 0\n"), "{first}");
    let known = machine_lines(&sandbox);
    assert_eq!(known.len(), 2, "{first}");
    sandbox.write("fly.toml", &local_fly(2));
    let settings = sandbox
        .read("aeroform.toml")
        .replace("count = 2", "count = 3");
    sandbox.write("aeroform.toml", &settings);
    let ran = apply_here(&sandbox);
    assert!(ran.starts_with("exit 3\n"), "{ran}");
    assert!(ran.contains("\nrolled back"), "{ran}");
    assert!(ran.contains("Apply rolled back: "), "{ran}");
    assert_eq!(machine_lines(&sandbox), known, "{ran}");
    let status = document(&sandbox.run(&["status", "--json"]));
    let machines = status["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 2, "{status}");
    assert!(
        machines.iter().all(|machine| machine["state"] == "started"),
        "{status}"
    );
    sandbox.write("fly.toml", &local_fly(1));
    let again = apply_here(&sandbox);
    assert!(again.starts_with("exit 0\n"), "{again}");
    assert_eq!(machine_lines(&sandbox).len(), 3, "{again}");
}

/// Applies until the rollback begins, and dies there.
fn die_in_the_rollback(sandbox: &Sandbox) {
    let mut apply = sandbox.command(&["apply", "-y"]);
    apply.env_remove("AEROFORM_STEADY");
    apply.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut apply = apply.spawn().unwrap();
    let said = BufReader::new(apply.stderr.take().unwrap());
    let mut lines = said.lines().map(Result::unwrap);
    let begun = lines.any(|line| line.starts_with("rolling back"));
    assert!(begun, "the rollback begins");
    apply.kill().unwrap();
    apply.wait().unwrap();
}

#[test]
fn a_run_that_dies_in_its_rollback_is_continued_by_the_next_apply_either_way() {
    let mended = local_fly(3).replace("= 1 &&", "= 3 &&");
    for files in [local_fly(1), mended] {
        let sandbox = on_this_computer(2);
        let first = apply_here(&sandbox);
        assert!(first.starts_with("exit 0\n"), "{first}");
        sandbox.write("fly.toml", &local_fly(2));
        die_in_the_rollback(&sandbox);
        let plan = sandbox.run(&["plan"]);
        assert!(plan.contains("did not finish its rollback"), "{plan}");
        // Back to the old files, or forward to ones that work.
        sandbox.write("fly.toml", &files);
        let again = apply_here(&sandbox);
        assert!(again.starts_with("exit 0\n"), "{again}");
        let status = document(&sandbox.run(&["status", "--json"]));
        let machines = status["machines"].as_array().unwrap();
        let up = machines.iter().filter(|m| m["state"] == "started");
        assert_eq!(up.count(), 2, "{status}");
        let plan = sandbox.run(&["plan"]);
        assert!(plan.contains("No changes."), "{plan}");
    }
}
