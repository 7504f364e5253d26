//! A program that crashes after its start, on this computer: no verb calls that a success.

use crate::sandbox::Sandbox;
use crate::single_machines::ids;

const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[processes]
  worker = \"sh -c 'sleep 1; exit 7'\"
";

fn crashing() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write(
        "aeroform.toml",
        "[groups.worker]\ncount = 1\n\n[groups.worker.deploy]\nsteady = \"3s\"\n",
    );
    sandbox
}

#[test]
fn a_program_that_crashes_after_its_start_is_no_success() {
    let sandbox = crashing();
    let mut apply = sandbox.command(&["apply", "-y"]);
    apply.env_remove("AEROFORM_STEADY");
    let shown = sandbox.show(&apply.output().unwrap());
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(
        shown.contains("does not stay up: it ended 2 times, last with exit code 7"),
        "{shown}"
    );
}

#[test]
fn a_start_by_hand_of_a_program_that_crashes_is_no_success() {
    let sandbox = crashing();
    // The sandbox turns the window off.
    sandbox.apply();
    let id = &ids(&sandbox, "worker")[0];
    let stopped = sandbox.run(&["machine", "stop", id]);
    assert!(stopped.starts_with("exit 0\n"), "{stopped}");
    let started = sandbox.run(&["machine", "start", id, "--steady", "3s"]);
    assert!(started.starts_with("exit 1\n"), "{started}");
    assert!(started.contains("last with exit code 7"), "{started}");
}

#[test]
fn a_window_that_does_not_fit_into_the_waiting_is_an_error_of_the_file() {
    let sandbox = crashing();
    let fly = format!("{FLY}\n[deploy]\n  wait_timeout = \"2s\"\n");
    sandbox.write("fly.toml", &fly);
    let shown = sandbox.run(&["validate"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(
        shown.contains("`groups.worker.deploy.steady` is not shorter than `wait_timeout`"),
        "{shown}"
    );
    assert!(shown.contains("aeroform.toml:5"), "{shown}");
}

#[test]
fn a_saved_plan_keeps_the_window() {
    let sandbox = crashing();
    let planned = sandbox.run(&["plan", "--steady", "2s", "--out", "next.plan"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    assert!(sandbox.read("next.plan").contains("\"steady_ms\": 2000"));
    let applied = sandbox.run(&["apply", "next.plan"]);
    assert!(applied.starts_with("exit 3\n"), "{applied}");
    let both = sandbox.run(&["apply", "next.plan", "--steady", "1s"]);
    assert!(both.starts_with("exit 64\n"), "{both}");
}
