//! Outside changes: shown by `drift`, recorded by `refresh`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::codes;
use crate::commit_order::{Pipeline, assert_exit};
use crate::fly;
use crate::sandbox::Sandbox;

/// A world in which the one Machine of group `web` was changed outside.
struct DriftedApp {
    sandbox: Sandbox,
    machine: String,
}

impl DriftedApp {
    fn new() -> Self {
        let sandbox = Sandbox::with_app();
        let env = "[env]\n  LOG = \"info\"\n";
        sandbox.write("fly.toml", &format!("{}{env}", Sandbox::FLY));
        sandbox.apply();
        let all = std::fs::read_dir(sandbox.machines_folder()).unwrap();
        let records = all.map(|entry| entry.unwrap().path().join("record.json"));
        let texts = records.map(|path| (std::fs::read_to_string(&path).unwrap(), path));
        let (text, path) = texts
            .into_iter()
            .find(|(text, _)| text.contains("\"web-"))
            .unwrap();
        std::fs::write(&path, text.replace("\"info\"", "\"debug\"")).unwrap();
        let folder = path.parent().unwrap().file_name().unwrap();
        Self {
            machine: folder.to_str().unwrap().to_owned(),
            sandbox,
        }
    }

    fn run(&self, args: &[&str]) -> String {
        self.sandbox.run(args).replace(&self.machine, "[WEB]")
    }

    fn state(&self) -> String {
        self.sandbox.read("state/shop.json")
    }
}

#[test]
fn drift_tells_what_was_changed_outside_and_writes_nothing() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    assert_snapshot!(sandbox.run(&["drift", "--detailed-exitcode"]), @"
    exit 0
    --- stdout
    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

    No drift. 2 Machines read; no difference from the state.
    ");
    let drifted = DriftedApp::new();
    let state = drifted.state();
    assert_snapshot!(drifted.run(&["drift", "--detailed-exitcode"]), @r#"
    exit 2
    --- stdout
    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

    Changed outside Aeroform since the last apply
        ~ web  1 Machine changed
            ams [WEB]
              [env]
            -   LOG = "info"
            +   LOG = "debug"

    Drift: 1 changed.
    "#);
    let document = drifted.run(&["drift", "--json"]);
    assert!(document.contains("\"kind\":\"changed\""), "{document}");
    assert_eq!(drifted.state(), state);
}

#[test]
fn refresh_records_outside_changes_after_approval() {
    let drifted = DriftedApp::new();
    let state = drifted.state();
    assert_snapshot!(drifted.run(&["refresh"]), @r#"
    exit 6
    --- stdout
    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

      =   web   1   1 to adopt
          jobs  1   no changes

    Changed outside Aeroform since the last apply
        ~ web  1 Machine changed
            ams [WEB]
              [env]
            -   LOG = "info"
            +   LOG = "debug"

    = web  sleep 1000
        = 1 to adopt  recorded in the state, not changed
            ams [WEB]
            changed outside Aeroform

    note: group `web`: the manifests differ, so the next apply reverts env.LOG
      hint: to keep the current values, set them in fly.toml

    Plan: 0 to create, 0 to update, 0 to destroy, 1 to adopt.
    Only the state file changes; no Machine is touched.
    --- stderr
    error: this plan needs approval and stdin is not a terminal; nothing was changed
    hint: review the plan, then add `--auto-approve`
    "#);
    assert_eq!(drifted.state(), state, "nobody said yes");
    let done = drifted.run(&["refresh", "-y", "-q"]);
    assert!(done.ends_with("Refresh complete: 1 adopted.\n"), "{done}");
    assert_snapshot!(drifted.run(&["drift", "--detailed-exitcode"]), @"
    exit 0
    --- stdout
    shop · local · serial 2 · applied 2026-01-02 by ana · 2 Machines read

    No drift. 2 Machines read; no difference from the state.
    ");
    // What fly.toml says has not changed.
    assert_snapshot!(drifted.run(&["plan"]), @r#"
    exit 0
    --- stdout
    shop · local · serial 2 · applied 2026-01-02 by ana · 2 Machines read

      ~   web   1   1 to update
          jobs  1   no changes

    ~ web  sleep 1000
        ~ 1 to update in place (a running Machine restarts), rolling
            ams [WEB]
            at least 0 of 1 serve
              [env]
            -   LOG = "debug"
            +   LOG = "info"

    Plan: 0 to create, 1 to update, 0 to destroy.
    "#);
}

/// Holds rule 26: what a run does is no drift.
#[tokio::test]
async fn nothing_is_compared_while_a_run_changes_the_app() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let lock = codes::lock(&sandbox).await;
    assert_snapshot!(sandbox.run(&["drift", "--detailed-exitcode"]), @"
    exit 5
    --- stderr
    error: cannot determine the drift: ben on there (pid 1, `aeroform apply`, since 2026-01-01T00:00:00Z, https://host/jobs/1) is changing `shop`
    hint: wait until it is done, and run the command again
    ");
    lock.release().await.unwrap();
    let after = sandbox.run(&["drift", "--detailed-exitcode"]);
    assert!(after.starts_with("exit 0\n"), "{after}");
}

#[test]
fn nothing_is_compared_while_a_machine_of_the_app_is_leased() {
    let sandbox = fly::project("");
    let platform = fly::EmulatorProcess::with_app(&sandbox);
    let applied = fly::run(&sandbox, &platform, &["apply", "-y", "--image", fly::V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let machines = platform.machines();
    for machine in &machines {
        fly::hold(&platform, machine["id"].as_str().unwrap(), 60);
    }
    let shown = fly::run(&sandbox, &platform, &["drift", "--detailed-exitcode"]);
    assert!(
        shown.starts_with("exit 5\n") && shown.contains("is changing `shop`"),
        "{shown}"
    );
}

/// An app of two Machines whose state does not list the last run, which updated both and made a third.
fn behind() -> (Sandbox, fly::EmulatorProcess) {
    let sandbox = fly::project("[groups.app]\ncount = 2\n");
    let platform = fly::EmulatorProcess::with_app(&sandbox);
    let first = fly::run(&sandbox, &platform, &["apply", "-y", "--image", fly::V1]);
    assert!(first.starts_with("exit 0\n"), "{first}");
    let state = sandbox.read("state/shop.json");
    let settings = sandbox.read("aeroform.toml");
    sandbox.write("aeroform.toml", &settings.replace("count = 2", "count = 3"));
    let second = fly::run(&sandbox, &platform, &["apply", "-y", "--image", fly::V2]);
    assert!(second.starts_with("exit 0\n"), "{second}");
    sandbox.write("state/shop.json", &state);
    (sandbox, platform)
}

/// Holds rule 12.
#[test]
fn what_a_run_did_that_the_state_does_not_list_is_named_as_its_and_is_no_drift() {
    let (sandbox, platform) = behind();
    let drift = |more: &[&str]| {
        let args = [&["drift", "--detailed-exitcode"], more].concat();
        fly::run(&sandbox, &platform, &args)
    };
    let shown = drift(&[]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let run = run_of(&shown);
    for part in [
        format!("Changed by run {run} by ana, which the state does not list"),
        "~ app  2 Machines changed".to_owned(),
        "+ app  1 Machine added".to_owned(),
        format!("or adopt its changes with\n        `--adopt-run {run}`"),
        "No drift. 3 Machines read; only 1 run that the state does not list changed them."
            .to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}\n{shown}");
    }
    assert!(!shown.contains("outside Aeroform"), "{shown}");
    let markdown = drift(&["--format", "markdown"]);
    for part in [
        "### shop · no drift · 1 run not in the state".to_owned(),
        format!("<code>{run}</code> · a run that is not in the state · 3 Machines"),
        "**Not in the state:** run".to_owned(),
    ] {
        assert!(markdown.contains(&part), "{part}\n{markdown}");
    }
    let document = document(&drift(&["--json"]));
    assert_eq!(document["drift"], json!([]));
    let runs = document["unlisted_runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["run"], json!(run));
    assert_eq!(runs[0]["by"], "ana");
    assert_eq!(runs[0]["machines"].as_array().unwrap().len(), 3);
    assert_eq!(runs[0]["next_apply"], "refuses");
    assert_eq!(runs[0]["drift"].as_array().unwrap().len(), 3);

    // A Machine of somebody else is drift, and one that is gone may be either's.
    platform.deployed("app", "ams", fly::V1);
    let id = runs[0]["machines"][0].as_str().unwrap();
    let path = format!("/v1/apps/shop/machines/{id}?force=true");
    assert_eq!(platform.ask("DELETE", &path, &Value::Null).0, 200);
    let shown = drift(&[]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("1 added."), "{shown}");
    assert!(shown.contains(&format!("Changed by run {run}")), "{shown}");
}

#[test]
fn a_gone_machine_is_drift_and_may_have_been_destroyed_by_the_run() {
    let (sandbox, platform) = behind();
    let id = known_machine(&sandbox);
    let path = format!("/v1/apps/shop/machines/{id}?force=true");
    assert_eq!(platform.ask("DELETE", &path, &Value::Null).0, 200);
    let shown = fly::run(&sandbox, &platform, &["drift", "--detailed-exitcode"]);
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("Drift: 1 gone."), "{shown}");
    assert!(shown.contains("leaves no mark on a Machine"), "{shown}");
}

/// A deploy after that run is somebody else's, and a copy has the stamps of its source.
#[test]
fn a_later_release_and_a_copied_machine_are_not_the_runs() {
    let (sandbox, platform) = behind();
    let deployed = known_machine(&sandbox);
    fly::update(&platform, &deployed, |config| {
        config["image"] = json!(fly::V1.replace(":v1@sha256:1", ":v3@sha256:3"));
        config["metadata"]["fly_release_version"] = json!("99");
    });
    let machines = platform.machines();
    let others = machines.iter().find(|one| one["id"] != deployed.as_str());
    let config = &others.unwrap()["config"];
    let body = json!({"region": "ams", "name": "app-copy", "config": config});
    let (status, copy) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    assert_eq!(status, 200, "{copy}");
    let shown = fly::run(
        &sandbox,
        &platform,
        &["drift", "--detailed-exitcode", "--json"],
    );
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    let document = document(&shown);
    let kinds = |drift: &Value| -> Vec<String> {
        let drift = drift.as_array().unwrap().iter();
        drift
            .map(|one| format!("{} {}", one["kind"], one["machine"]["id"]).replace('"', ""))
            .collect()
    };
    assert_eq!(
        kinds(&document["drift"]),
        [
            format!("changed {deployed}"),
            format!("added {}", copy["id"].as_str().unwrap())
        ],
        "{document}"
    );
    assert_eq!(kinds(&document["unlisted_runs"][0]["drift"]).len(), 2);
}

/// The first Machine that the state lists.
fn known_machine(sandbox: &Sandbox) -> String {
    let known: Value = serde_json::from_str(&sandbox.read("state/shop.json")).unwrap();
    let mut records = known.as_array().unwrap().iter();
    let id = records.find_map(|record| record["machine"]["id"].as_str());
    id.unwrap().to_owned()
}

fn run_of(shown: &str) -> String {
    let (_, after) = shown
        .split_once("Changed by run ")
        .unwrap_or_else(|| panic!("{shown}"));
    after.split(' ').next().unwrap().to_owned()
}

fn document(shown: &str) -> Value {
    let (_, text) = shown
        .split_once("--- stdout\n")
        .unwrap_or_else(|| panic!("{shown}"));
    let text = text.split("--- stderr").next().unwrap();
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// Holds rule 36.
#[test]
fn a_state_that_is_not_the_newest_tells_nothing_about_drift() {
    let pipeline = Pipeline::new(1);
    let job = pipeline.job(&pipeline.head(), None);
    assert_exit(&job.apply(&[]), 0);
    job.push_state();
    let older = pipeline.job(&pipeline.head(), None);
    let shown = older.run(&["drift", "--detailed-exitcode"]);
    assert_exit(&shown, 4);
    assert!(shown.contains("is not the newest state"), "{shown}");
    // Without a state, the Machine is that of a run that no state lists.
    let shown = older.run(&["drift", "--detailed-exitcode", "--no-fetch"]);
    assert_exit(&shown, 0);
    assert!(shown.contains("+ app  1 Machine added"), "{shown}");
    assert!(
        shown.contains("the next apply adopts its changes"),
        "{shown}"
    );
}
