//! Another run comes between the plan that `apply -y` showed and its lock: it goes on under the lock if the plan that
//! is left does not exceed the shown one, and else ends in 4 with one cause. A `git` in front of the real one holds
//! the first run up at that moment, so that no race decides.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fly::{EmulatorProcess, FLY};
use crate::git_state::{apply, fly_clone};
use crate::sandbox::Sandbox;

/// The page of the job that bo's apply runs in.
const JOB: &str = "https://ci.example/jobs/7";

/// Two clones of one repository over one platform.
struct TwoRuns {
    shared: tempfile::TempDir,
    ana: Sandbox,
    bo: Sandbox,
    platform: EmulatorProcess,
}

impl TwoRuns {
    /// Each wants so many Machines with this value of `WHO`.
    fn new(ana: (usize, &str), bo: (usize, &str)) -> Self {
        let shared = tempfile::tempdir().unwrap();
        let bare = shared.path().join("bare.git");
        let clones = [(ana, "ana"), (bo, "bo")].map(|((count, who), name)| {
            let sandbox = fly_clone(&bare, name, "git+origin");
            sandbox.write("fly.toml", &format!("{FLY}\n[env]\n  WHO = \"{who}\"\n"));
            let settings = sandbox.read("aeroform.toml");
            let count = format!("count = {count}");
            sandbox.write("aeroform.toml", &settings.replace("count = 2", &count));
            sandbox
        });
        let [ana, bo] = clones;
        let platform = EmulatorProcess::start(&ana, &["--rate-limits", "off"]).and_app();
        write_git_in_front(&shared.path().join("git"));
        Self {
            shared,
            ana,
            bo,
            platform,
        }
    }

    /// Ana's apply, in whose way bo's comes before it has the lock; what both see.
    fn apply(&self, more: &[&str]) -> (String, String) {
        let folder = self.shared.path();
        let path = std::env::var("PATH").unwrap();
        let mut command = apply(&self.ana, &self.platform, "ana");
        command
            .args(more)
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("REAL_PATH", path)
            .env("HELD_UP", folder.join("held-up"));
        let mut running = command.spawn().unwrap();
        while !folder.join("held-up.reached").exists() {
            assert!(
                running.try_wait().unwrap().is_none(),
                "it did not get there"
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let mut bo = apply(&self.bo, &self.platform, "bo");
        let bo = bo.env("CI_JOB_URL", JOB).output().unwrap();
        std::fs::write(folder.join("held-up.go"), "").unwrap();
        let ana = running.wait_with_output().unwrap();
        (self.ana.show(&ana), self.bo.show(&bo))
    }

    fn fleet(&self) -> Vec<Value> {
        let machines = self.platform.machines();
        machines
            .iter()
            .map(|machine| machine["config"]["env"]["WHO"].clone())
            .collect()
    }
}

/// A `git` that stops before the second time that a lock is created, until a file says go: the first time only checks
/// that the lock is free, before the plan is shown.
fn write_git_in_front(path: &Path) {
    let script = r#"#!/bin/sh
PATH=$REAL_PATH
export PATH
case "$*" in
  *"push "*"--force-with-lease=refs/aeroform/lock/shop: "*)
    if test -e "$HELD_UP.first"; then
      touch "$HELD_UP.reached"
      until test -e "$HELD_UP.go"; do sleep 0.01; done
    fi
    touch "$HELD_UP.first"
    ;;
esac
exec git "$@"
"#;
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Holds rule 4.
#[test]
fn with_y_an_apply_goes_on_with_what_another_run_left_of_its_plan() {
    let runs = TwoRuns::new((3, "both"), (2, "both"));
    let (ana, bo) = runs.apply(&[]);
    assert!(bo.starts_with("exit 0\n"), "{bo}");
    assert!(ana.starts_with("exit 0\n"), "{ana}\n{bo}");
    assert!(ana.contains("3 to create"), "{ana}");
    assert!(ana.contains("this is the new plan"), "{ana}");
    assert!(ana.contains("Apply complete: 1 created."), "{ana}");
    assert_eq!(runs.fleet(), ["both", "both", "both"], "{ana}\n{bo}");
}

#[test]
fn with_y_a_plan_that_exceeds_the_shown_one_is_refused_with_the_run_as_the_one_cause() {
    for (more, is_verbose) in [(&[][..], false), (&["-v"][..], true)] {
        let runs = TwoRuns::new((3, "ana"), (2, "bo"));
        let (ana, bo) = runs.apply(more);
        assert!(bo.starts_with("exit 0\n"), "{bo}");
        assert!(ana.starts_with("exit 4\n"), "{ana}\n{bo}");
        let causes: Vec<&str> = ana
            .lines()
            .filter(|line| line.contains("caused by:"))
            .collect();
        assert!(causes[0].contains(" by bo (commit "), "{ana}");
        assert!(
            causes[0].ends_with(&format!(", {JOB}) came in between")),
            "{ana}"
        );
        assert_eq!(causes.len() > 1, is_verbose, "{ana}");
        assert_eq!(runs.fleet(), ["bo", "bo"], "{ana}\n{bo}");
    }
}

#[test]
fn in_json_the_differences_follow_the_run_that_came_between() {
    let runs = TwoRuns::new((3, "ana"), (2, "bo"));
    let (ana, _) = runs.apply(&["--json"]);
    assert!(ana.starts_with("exit 4\n"), "{ana}");
    let line = ana.lines().find(|line| line.contains("\"stale_plan\""));
    let error: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{ana}"))).unwrap();
    let causes = error["causes"]
        .as_array()
        .or(error["error"]["causes"].as_array());
    let causes = causes.unwrap_or_else(|| panic!("{error}"));
    assert!(causes[0].as_str().unwrap().contains(" by bo "), "{error}");
    assert!(causes.len() > 1, "{error}");
}

#[test]
fn work_that_another_run_did_completely_is_no_error_with_y() {
    let runs = TwoRuns::new((2, "both"), (2, "both"));
    let (ana, bo) = runs.apply(&[]);
    assert!(bo.starts_with("exit 0\n"), "{bo}");
    assert!(ana.starts_with("exit 0\n"), "{ana}\n{bo}");
    assert!(ana.contains("applied already: run "), "{ana}");
    assert!(ana.contains(" by bo (commit "), "{ana}");
    assert_eq!(runs.fleet().len(), 2);
}

/// The reviewed plan is the measure, and not the one that was shown.
#[test]
fn with_an_expected_plan_an_apply_goes_on_as_far_as_that_plan_covers_it() {
    for (count, who, code) in [(2, "both", 0), (2, "bo", 4)] {
        let runs = TwoRuns::new((3, "both"), (count, who));
        let mut plan: Command = crate::fly::on(
            &runs.ana,
            &runs.platform,
            &["plan", "--image", crate::fly::V1, "--out", "reviewed.plan"],
        );
        assert!(plan.output().unwrap().status.success());
        let (ana, bo) = runs.apply(&["--expect", "reviewed.plan"]);
        assert!(bo.starts_with("exit 0\n"), "{bo}");
        assert!(ana.starts_with(&format!("exit {code}\n")), "{ana}\n{bo}");
        let expected = if code == 0 { 3 } else { count };
        assert_eq!(runs.fleet(), vec![who; expected], "{ana}\n{bo}");
    }
}
