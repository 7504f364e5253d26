//! `releases` at the binary: what the platform and the state know, and what Machines run.

use serde_json::Value;

use crate::fly::{EmulatorProcess, FLY, V1, V2, project, run};
use crate::fly_releases::fly_deploy;

fn json(text: &str) -> Value {
    let document = text.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(document).unwrap()
}

#[test]
fn releases_of_everybody_are_listed_with_the_machines_that_run_them() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let none = run(&sandbox, &platform, &["releases"]);
    assert!(none.starts_with("exit 0\n"), "{none}");
    assert!(none.contains("no releases"), "{none}");
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let one = run(&sandbox, &platform, &["releases"]);
    assert!(one.contains("v1"), "{one}");
    assert!(one.contains("complete"), "{one}");
    assert!(!one.contains('*'), "{one}");
    fly_deploy(&platform, V2);
    sandbox.write("fly.toml", &format!("{FLY}[env]\n  MODE = \"a\"\n"));
    run(&sandbox, &platform, &["apply", "-y", "--allow-revert"]);
    let listed = json(&run(&sandbox, &platform, &["releases", "--json"]));
    let rows = listed["releases"].as_array().unwrap();
    let column = |key: &str| -> Vec<Value> { rows.iter().map(|row| row[key].clone()).collect() };
    assert_eq!(column("release"), [3, 2, 1]);
    assert_eq!(column("machines"), [2, 0, 0]);
    assert_eq!(column("status"), ["complete", "complete", "complete"]);
    assert_eq!(rows[0]["groups"], serde_json::json!(["app"]));
    assert!(
        rows[1]["groups"].is_null() && rows[1]["run"].is_null(),
        "{listed}"
    );
    let newest = json(&run(
        &sandbox,
        &platform,
        &["releases", "--json", "-n", "1"],
    ));
    assert_eq!(newest["releases"].as_array().unwrap().len(), 1);
    let offline = run(
        &sandbox,
        &platform,
        &["releases", "--refresh=false", "--json"],
    );
    let offline = json(&offline);
    assert_eq!(offline["online"], false);
    assert_eq!(
        offline["releases"].as_array().unwrap().len(),
        2,
        "{offline}"
    );
    let wrong = run(&sandbox, &platform, &["releases", "-n", "0"]);
    assert!(wrong.starts_with("exit 64\n"), "{wrong}");
}

#[test]
fn a_release_that_failed_is_remembered_as_failed_with_the_config_that_it_wanted() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let refused = "[[fault]]\non = \"update\"\neffect = \"refuse\"\ntimes = 100\n";
    let platform = EmulatorProcess::with_faults(&sandbox, refused);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let failed = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let listed = json(&run(&sandbox, &platform, &["releases", "--json"]));
    let rows = listed["releases"].as_array().unwrap();
    // No Machine was changed: the platform alone has it.
    assert_eq!(rows[0]["status"], "failed", "{listed}");
    assert!(rows[0]["run"].is_null(), "{listed}");
    assert_eq!(rows[1]["machines"], 2, "{listed}");
}

#[test]
fn a_release_that_stopped_half_way_has_a_line_in_the_state_and_both_run() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let later = "[[fault]]\non = \"update\"\neffect = \"refuse\"\nnth = 2\ntimes = 100\n";
    let platform = EmulatorProcess::with_faults(&sandbox, later);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let failed = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let shown = run(&sandbox, &platform, &["releases"]);
    assert!(shown.contains("1 *"), "{shown}");
    assert!(
        shown.contains("* Machines run more than one release."),
        "{shown}"
    );
    let offline = json(&run(
        &sandbox,
        &platform,
        &["releases", "--refresh=false", "--json"],
    ));
    let newest = &offline["releases"][0];
    assert_eq!(newest["status"], "failed", "{offline}");
    assert_eq!(newest["groups"], serde_json::json!(["app"]), "{offline}");
    assert_eq!(newest["image"], V2, "{offline}");
}
