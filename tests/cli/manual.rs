//! `state rm` and `import ID`: one Machine leaves the state, or enters it, and none is touched.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, on};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

const IMAGE: &str =
    "registry.fly.io/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\nprimary_region = \"ams\"\n[processes]\n  web = \"bin/web\"\n",
    );
    let ours = format!("provider = \"fly\"\nimage = \"{IMAGE}\"\n[groups.web]\ncount = 2\n");
    sandbox.write("aeroform.toml", &ours);
    sandbox
}

fn run(sandbox: &Sandbox, platform: &EmulatorProcess, args: &[&str]) -> String {
    let mut command = on(sandbox, platform, args);
    let output = command.stdin(Stdio::null()).output().unwrap();
    sandbox.show(&output)
}

/// A manually created Machine without a group, or of a console.
fn create_manual(platform: &EmulatorProcess, metadata: &Value) -> String {
    let config = json!({"image": IMAGE, "metadata": metadata});
    let body = json!({"region": "ams", "config": config});
    let (status, create_manual) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    assert_eq!(status, 200, "{create_manual}");
    let id = create_manual["id"].as_str().unwrap().to_owned();
    let wait = format!("/v1/apps/shop/machines/{id}/wait");
    assert_eq!(platform.ask("GET", &wait, &Value::Null).0, 200);
    id
}

fn instances(platform: &EmulatorProcess) -> Vec<Value> {
    let machines = platform.machines();
    machines.iter().map(|m| m["instance_id"].clone()).collect()
}

/// Holds rule 33.
#[test]
fn a_machine_that_leaves_the_state_is_left_alone_until_it_is_imported() {
    let sandbox = project();
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let before = instances(&platform);
    let out = run(&sandbox, &platform, &["state", "rm", &id]);
    assert!(out.starts_with("exit 0\n"), "{out}");
    assert!(out.contains("is now at serial 2"), "{out}");
    assert!(
        out.contains(&format!("`aeroform import {id}` adds it again")),
        "{out}"
    );
    let state = sandbox.read("state/shop.json");
    assert!(state.contains("\"ignored\""), "{state}");
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(
        plan.contains("removed from the state with `state rm`, left"),
        "{plan}"
    );
    assert!(plan.contains("1 to create"), "{plan}");
    let twice = run(&sandbox, &platform, &["state", "rm", &id]);
    assert!(twice.starts_with("exit 1\n"), "{twice}");

    let output = run(&sandbox, &platform, &["import", &id]);
    assert!(output.starts_with("exit 6\n"), "{output}");
    assert!(output.contains(&format!("= web {id} ams")), "{output}");
    assert!(output.contains("add `--auto-approve`"), "{output}");
    let mut terminal = Terminal::start(on(&sandbox, &platform, &["import", &id]));
    terminal.expect("Add it to the state? [y/N]");
    terminal.type_line("");
    assert_eq!(terminal.end().0, 6);
    let imported = run(&sandbox, &platform, &["import", &id, "-y", "--json"]);
    assert!(
        imported.contains("\"serial\": 3") || imported.contains("\"serial\":3"),
        "{imported}"
    );
    assert_eq!(instances(&platform), before);
    let quiet = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    assert!(!quiet.contains("state rm"), "{quiet}");
}

#[test]
fn a_machine_made_by_hand_is_taken_in_and_one_of_another_purpose_is_not() {
    let sandbox = project();
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let stranger = create_manual(&platform, &json!({}));
    let imported = run(&sandbox, &platform, &["import", &stranger, "-y"]);
    assert!(imported.starts_with("exit 0\n"), "{imported}");
    assert!(
        imported.contains(&format!("Machine {stranger} is now in group `web`")),
        "{imported}"
    );
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("3 → 2"), "{plan}");
    let console = create_manual(&platform, &json!({"fly_process_group": "fly_app_console"}));
    for (id, why) in [
        (&console, "it was created by another tool"),
        (&stranger, "it is already in the state"),
    ] {
        let refused = run(&sandbox, &platform, &["import", id, "-y"]);
        assert!(refused.starts_with("exit 1\n"), "{refused}");
        assert!(refused.contains(why), "{refused}");
    }
    let unknown = run(&sandbox, &platform, &["import", "148ed599c14189", "-y"]);
    assert!(
        unknown.contains("has no Machine `148ed599c14189`"),
        "{unknown}"
    );
}

/// What an import ends with of a Machine that the state knows.
pub(crate) fn known(error_of: impl FnOnce(Command) -> String) -> String {
    let sandbox = project();
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    error_of(on(&sandbox, &platform, &["import", &id, "-y", "--json"]))
}
