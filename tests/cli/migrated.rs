//! A Machine that the platform moves to another host, with a fork of its volume.

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, FLY, V1, V2, project, run};
use crate::sandbox::Sandbox;

/// One Machine with a volume.
fn with_volume() -> Sandbox {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let mount = "\n[[mounts]]\n  source = \"data\"\n  destination = \"/data\"\n";
    sandbox.write("fly.toml", &format!("{FLY}{mount}"));
    sandbox
}

/// The volumes, each with whether a Machine has it.
fn volumes(platform: &EmulatorProcess) -> Vec<(String, bool)> {
    let (_, list) = platform.ask("GET", "/v1/apps/shop/volumes", &Value::Null);
    let volumes = list.as_array().unwrap().iter();
    volumes
        .map(|volume| {
            let id = volume["id"].as_str().unwrap().to_owned();
            (id, !volume["attached_machine_id"].is_null())
        })
        .collect()
}

/// What is said of the volume that was left behind.
fn left(old: &str) -> String {
    format!("the old volume {old} is unused and costs $0.15 a month (1 GB)")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_move_to_another_host_within_an_update_is_followed_and_the_old_volume_named_once() {
    let sandbox = with_volume();
    let fault = "[[fault]]\non = \"update\"\neffect = \"host-migration\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, fault);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let (old, _) = volumes(&platform)[0].clone();
    let id = platform.machines()[0]["id"].clone();
    let moved = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(moved.starts_with("exit 0\n"), "{moved}");
    assert!(words(&moved).contains(&left(&old)), "{moved}");
    let all = volumes(&platform);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|(id, held)| *held == (*id != old)));
    for verb in [&["drift"][..], &["plan", "--image", V2]] {
        let quiet = [verb, &["--detailed-exitcode"]].concat();
        let quiet = run(&sandbox, &platform, &quiet);
        assert!(
            quiet.starts_with("exit 0\n") && !quiet.contains(&old),
            "{quiet}"
        );
    }
    assert_eq!(platform.machines().len(), 1);
    assert_eq!(platform.machines()[0]["id"], id);
}

#[test]
fn a_move_to_another_host_between_two_runs_is_followed_as_well() {
    let sandbox = with_volume();
    let moves = "[[fault]]\non = \"metadata\"\neffect = \"host-migration\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, moves);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let (old, _) = volumes(&platform)[0].clone();
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let key = format!("/v1/apps/shop/machines/{id}/metadata/team");
    platform.ask("POST", &key, &json!({"value": "a"}));
    assert_eq!(volumes(&platform).len(), 2);
    let drift = run(&sandbox, &platform, &["drift", "--detailed-exitcode"]);
    assert!(drift.starts_with("exit 0\n"), "{drift}");
    let plan = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(words(&plan).contains(&left(&old)), "{plan}");
    assert!(!plan.contains("to replace"), "{plan}");
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let quiet = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(
        quiet.contains("No changes.") && !quiet.contains(&old),
        "{quiet}"
    );
    assert_eq!(platform.machines()[0]["id"], id.as_str());
}
