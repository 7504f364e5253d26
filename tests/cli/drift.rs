//! Outside changes: shown by `drift`, recorded by `refresh`.

use insta::assert_snapshot;

use crate::codes;
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
