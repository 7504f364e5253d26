//! Hosts that do not answer and Machines of other purposes, as an operator meets them: no second fleet.

use serde_json::{Value, json};

use crate::fly::{Platform, V1, project, run};
use crate::sandbox::Sandbox;

fn scene(faults: &str) -> (Sandbox, Platform) {
    let sandbox = project(&format!("image = \"{V1}\"\n\n[groups.app]\ncount = 2\n"));
    let platform = Platform::with_faults(&sandbox, faults);
    (sandbox, platform)
}

fn away(effect: &str) -> String {
    format!("[[fault]]\non = \"get\"\neffect = \"{effect}\"\ntimes = 2\n")
}

/// Two Machines of `fly deploy` whose hosts are gone.
fn outage(effect: &str) -> (Sandbox, Platform) {
    let (sandbox, platform) = scene(&away(effect));
    for _ in 0..2 {
        let id = platform.deployed("app", "ams", V1);
        let path = format!("/v1/apps/shop/machines/{id}");
        assert_eq!(platform.ask("GET", &path, &Value::Null).0, 200);
    }
    let away = |machine: &Value| machine["host_status"] == "unreachable";
    assert!(platform.machines().iter().all(away));
    (sandbox, platform)
}

#[test]
fn a_host_outage_without_a_state_makes_no_second_fleet() {
    let (sandbox, platform) = outage("host-unreachable");
    let told = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(told.starts_with("exit 0\n"), "{told}");
    assert!(told.contains("host unreachable: 2 Machines"), "{told}");
    assert_eq!(platform.machines().len(), 2);
}

#[test]
fn machines_that_nobody_can_tell_keep_an_apply_without_a_state_from_making_others() {
    let (sandbox, platform) = outage("host-silent");
    let told = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(told.starts_with("exit 6\n"), "{told}");
    assert!(told.contains("--accept-unknown"), "{told}");
    assert_eq!(platform.machines().len(), 2);
    let told = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(told.starts_with("exit 6\n"), "{told}");
    let told = run(&sandbox, &platform, &["apply", "-y", "--accept-unknown"]);
    assert!(told.starts_with("exit 0\n"), "{told}");
    assert_eq!(platform.machines().len(), 4);
}

/// Holds rule 5.
#[test]
fn a_canary_that_fly_deploy_left_is_named_and_left_alone() {
    let (sandbox, platform) = scene("");
    let ours = [
        platform.deployed("app", "ams", V1),
        platform.deployed("app", "ams", V1),
    ];
    let canary = platform.deployed("app", "ams", V1);
    let path = format!("/v1/apps/shop/machines/{canary}/metadata/fly_canary");
    let (status, _) = platform.ask("POST", &path, &json!({"value": "true"}));
    assert_eq!(status, 204);
    let told = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(told.starts_with("exit 0\n"), "{told}");
    assert!(told.contains(&canary), "{told}");
    let left: Vec<Value> = platform.machines();
    assert_eq!(left.len(), 3);
    let state = sandbox.read("state/shop.json");
    assert!(ours.iter().all(|id| state.contains(id)) && !state.contains(&canary));
}
