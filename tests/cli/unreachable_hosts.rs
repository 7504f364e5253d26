//! Hosts that do not answer and Machines of other purposes, as an operator meets them: no second fleet.

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, V1, project, run};
use crate::sandbox::Sandbox;

fn scene(faults: &str) -> (Sandbox, EmulatorProcess) {
    let sandbox = project(&format!("image = \"{V1}\"\n\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    (sandbox, platform)
}

fn away(effect: &str) -> String {
    format!("[[fault]]\non = \"get\"\neffect = \"{effect}\"\ntimes = 2\n")
}

/// Two Machines of `fly deploy` whose hosts are gone.
fn outage(effect: &str) -> (Sandbox, EmulatorProcess) {
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
    let output = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert!(output.contains("host unreachable: 2 Machines"), "{output}");
    assert_eq!(platform.machines().len(), 2);
}

#[test]
fn unidentified_machines_block_creates_of_an_apply_without_a_state() {
    let (sandbox, platform) = outage("host-silent");
    let output = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(output.starts_with("exit 6\n"), "{output}");
    assert!(output.contains("--accept-unknown"), "{output}");
    assert_eq!(platform.machines().len(), 2);
    let output = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(output.starts_with("exit 6\n"), "{output}");
    let output = run(&sandbox, &platform, &["apply", "-y", "--accept-unknown"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert_eq!(platform.machines().len(), 4);
}

#[test]
fn a_saved_destroy_that_leaves_unreadable_machines_is_not_complete_either() {
    let (sandbox, platform) = outage("host-silent");
    let id = platform.deployed("app", "ams", V1);
    let destroy = ["plan", "--destroy", "--out", "d.plan"];
    let planned = run(&sandbox, &platform, &destroy);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let output = run(&sandbox, &platform, &["apply", "d.plan"]);
    assert!(output.starts_with("exit 3\n"), "{output}");
    assert!(!platform.machines().iter().any(|m| m["id"] == id.as_str()));
}

#[test]
fn a_destroy_that_leaves_unreadable_machines_says_so_and_is_incomplete() {
    let destroy = ["destroy", "-y", "--allow-destroy=all,app:1"];
    for effect in ["host-unreachable", "host-silent"] {
        let (sandbox, platform) = outage(effect);
        let output = run(&sandbox, &platform, &destroy);
        assert!(output.starts_with("exit 3\n"), "{output}");
        assert!(!output.contains("nothing left"), "{output}");
        assert!(
            output.contains("Machines that cannot be read remain"),
            "{output}"
        );
        // Beside one that goes.
        platform.deployed("app", "ams", V1);
        let output = run(&sandbox, &platform, &destroy);
        assert!(output.starts_with("exit 3\n"), "{output}");
        assert!(
            output.contains("Destroy incomplete: 1 destroyed"),
            "{output}"
        );
        let output = run(
            &sandbox,
            &platform,
            &["destroy", "-y", "--allow-destroy=all,app:1", "--json"],
        );
        assert!(output.contains(r#""outcome":"incomplete""#), "{output}");
        assert_eq!(platform.machines().len(), 2);
    }
}

/// Holds rule 9.
#[test]
fn status_fills_unreadable_machines_from_the_state_as_a_plan_does() {
    let (sandbox, platform) = scene(&away("host-silent"));
    // The hosts go while the apply verifies, and the state lists both Machines.
    let output = run(&sandbox, &platform, &["apply", "-y", "--steady", "0"]);
    assert!(
        output.contains("2 created; see the errors above"),
        "{output}"
    );
    let away = |machine: &Value| machine["host_status"] == "unreachable";
    assert!(platform.machines().iter().all(away));
    let output = run(&sandbox, &platform, &["status"]);
    assert!(output.contains("app  2 of 2"), "{output}");
    assert!(!output.contains("no group"), "{output}");
    assert!(!output.contains("not known who manages it"), "{output}");
    let output = run(&sandbox, &platform, &["machine", "list"]);
    assert!(!output.contains("(-)"), "{output}");
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
    let output = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert!(output.contains(&canary), "{output}");
    let left: Vec<Value> = platform.machines();
    assert_eq!(left.len(), 3);
    // Nor does it count for its group where one only looks.
    let output = run(&sandbox, &platform, &["status"]);
    assert!(output.contains("app  2 of 2 · 2 started"), "{output}");
    assert!(output.contains(&canary), "{output}");
    let state = sandbox.read("state/shop.json");
    assert!(ours.iter().all(|id| state.contains(id)) && !state.contains(&canary));
}

#[test]
fn an_empty_list_without_a_count_stops_every_verb_until_a_flag_accepts_it() {
    let without_count =
        "[[fault]]\non = \"app\"\neffect = \"omits\"\nfield = \"machine_count\"\ntimes = 10000\n";
    let empty = "[[fault]]\non = \"list\"\neffect = \"empty-list\"\ntimes = 10000\n";
    let (sandbox, platform) = scene(&format!("{without_count}{empty}"));
    for _ in 0..2 {
        platform.deployed("app", "ams", V1);
    }
    for verb in [
        &["plan"][..],
        &["apply", "-y"],
        &["destroy", "-y", "--allow-destroy=all"],
        &["refresh", "-y"],
        &["drift"],
    ] {
        let output = run(&sandbox, &platform, verb);
        let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
        let why = "the provider lists no Machines and gives no count";
        assert!(output.contains(why), "{verb:?}: {output}");
        assert!(output.contains("--accept-missing"), "{verb:?}: {output}");
        assert_eq!(output.starts_with("exit 0 "), verb == ["plan"], "{output}");
        let is_named = output.contains("run `aeroform refresh --accept-missing`");
        assert_eq!(is_named, verb == ["drift"], "{verb:?}: {output}");
    }
    assert!(!sandbox.project().join("state").exists());
    let command = ["refresh", "--accept-missing", "-y"];
    let output = run(&sandbox, &platform, &command);
    assert!(output.starts_with("exit 0\n"), "{output}");
}

#[test]
fn without_an_id_of_the_app_everything_goes_on_and_the_first_id_is_taken() {
    let without_id = "[[fault]]\non = \"app\"\neffect = \"omits\"\nfield = \"id\"\ntimes = 6\n";
    let (sandbox, platform) = scene(without_id);
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let warning = "the API returned no id for app `shop`";
    assert!(applied.contains(warning), "{applied}");
    let derived = "\"lineage\": \"app-without-id-";
    assert!(sandbox.read("state/shop.json").contains(derived));
    let output = run(&sandbox, &platform, &["status"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    // Until the fault is over.
    for _ in 0..6 {
        platform.ask("GET", "/v1/apps/shop", &Value::Null);
    }
    let output = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert!(!output.contains("take-over"), "{output}");
    let planned = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    assert_eq!(platform.machines().len(), 2);
    assert!(!sandbox.read("state/shop.json").contains(derived));
}
