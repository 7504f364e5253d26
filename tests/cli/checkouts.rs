//! One app in two project folders of one computer: each has Machines of its own (provider `local`).

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A second folder with the same files. Its Machines go when it is dropped.
pub(crate) struct ProjectFolder<'a> {
    sandbox: &'a Sandbox,
    path: PathBuf,
}

impl<'a> ProjectFolder<'a> {
    pub(crate) fn beside(sandbox: &'a Sandbox, name: &str) -> Self {
        let path = sandbox.project().parent().unwrap().join(name);
        std::fs::create_dir_all(path.join(".git")).unwrap();
        for file in ["fly.toml", "aeroform.toml"] {
            std::fs::write(path.join(file), sandbox.read(file)).unwrap();
        }
        Self { sandbox, path }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(args);
        command.current_dir(&self.path);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        self.sandbox.show(&output)
    }

    fn document(&self, args: &[&str]) -> Value {
        let output = self.command(args).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for ProjectFolder<'_> {
    fn drop(&mut self) {
        if self.path.exists() {
            self.run(&["destroy", "-y", "--allow-destroy=all"]);
        }
    }
}

fn ids(document: &Value, of: &str) -> Vec<String> {
    let machines = document[of].as_array().into_iter().flatten();
    let mut ids: Vec<String> = machines
        .map(|machine| machine["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn status(sandbox: &Sandbox) -> Value {
    let output = sandbox.command(&["status", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_of_two_folders_has_machines_of_its_own_and_names_those_of_the_other() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let first = ids(&status(&sandbox), "machines");
    let other = ProjectFolder::beside(&sandbox, "other");
    let applied = other.run(&["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(applied.contains("2 to create"), "{applied}");
    assert!(!applied.contains("to adopt"), "{applied}");
    assert!(
        applied.contains("2 Machines of the same app in `[ROOT]/project`"),
        "{applied}"
    );
    let there = other.document(&["status", "--json"]);
    assert_eq!(ids(&there, "others"), first);
    assert_eq!(ids(&there, "machines").len(), 2);
    for group in there["groups"].as_array().unwrap() {
        assert_eq!((&group["actual"], &group["wanted"]), (&1.into(), &1.into()));
    }
    // In the first folder nothing has changed, and its Machines are not the other's to change.
    let planned = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let refused = other.run(&["machine", "stop", &first[0]]);
    assert!(
        refused.contains("belongs to the project in `[ROOT]/project`"),
        "{refused}"
    );
    let refused = other.run(&["machine", "destroy", &first[0], "-y"]);
    assert!(!refused.starts_with("exit 0\n"), "{refused}");
    let shown = other.run(&["machine", "status", &first[0]]);
    assert!(
        shown.contains("belongs to the project in `[ROOT]/project`"),
        "{shown}"
    );
    for verb in [
        &["machine", "start", &first[0]][..],
        &["machine", "destroy", &first[0], "-y"],
        &["machine", "destroy", &first[0], "-y", "--force"],
        &["machine", "replace", &first[0], "-y"],
        &["machine", "clone", &first[0], "-y"],
        &["machine", "move", &first[0], "--to", "jobs", "-y"],
        &["apply", "-y", "--exclude-machines", &first[0]],
        &["logs", &first[0]],
    ] {
        let shown = other.run(verb);
        assert!(
            shown.contains("belongs to the project in `[ROOT]/project`"),
            "{verb:?}: {shown}"
        );
        let only_looks = verb[0] == "logs";
        assert_eq!(
            shown.starts_with("exit 0\n"),
            only_looks,
            "{verb:?}: {shown}"
        );
    }
    // Neither by a smaller count nor by a destroy of everything.
    let scaled = other.run(&["destroy", "-y", "--allow-destroy=all"]);
    assert!(scaled.starts_with("exit 0\n"), "{scaled}");
    assert_eq!(ids(&status(&sandbox), "machines"), first);
    let planned = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
}

/// A Machine of another folder is to be stopped.
pub(crate) fn of_other_project(code: fn(Command) -> String) -> String {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let other = ProjectFolder::beside(&sandbox, "other");
    let first = &ids(&status(&sandbox), "machines")[0];
    code(other.command(&["machine", "stop", first, "--json"]))
}

#[test]
fn import_takes_a_machine_of_another_folder_over() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let first = ids(&status(&sandbox), "machines");
    let other = ProjectFolder::beside(&sandbox, "other");
    let imported = other.run(&["import", &first[0], "-y"]);
    assert!(imported.starts_with("exit 0\n"), "{imported}");
    assert!(
        imported.contains("belongs to the project in `[ROOT]/project`"),
        "{imported}"
    );
    let there = other.document(&["status", "--json"]);
    assert_eq!(ids(&there, "machines"), [first[0].clone()]);
    assert_eq!(ids(&there, "others"), [first[1].clone()]);
    let stopped = other.run(&["machine", "stop", &first[0]]);
    assert!(stopped.starts_with("exit 0\n"), "{stopped}");
}

/// Holds rule 42.
#[test]
fn a_folder_that_was_moved_keeps_its_machines_and_a_link_is_the_same_folder() {
    let sandbox = Sandbox::with_app();
    let place = |name: &str| sandbox.project().parent().unwrap().join(name);
    let before = ProjectFolder::beside(&sandbox, "before");
    let applied = before.run(&["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    std::os::unix::fs::symlink(place("before"), place("link")).unwrap();
    let mut through = sandbox.command(&["plan", "--detailed-exitcode"]);
    through.current_dir(place("link"));
    std::fs::remove_file(place("before").join("state/shop.json")).unwrap();
    let adopted = sandbox.show(&through.output().unwrap());
    assert!(adopted.contains("2 to adopt"), "{adopted}");
    assert!(before.run(&["apply", "-y"]).starts_with("exit 0\n"));

    std::fs::rename(place("before"), place("after")).unwrap();
    let after = ProjectFolder {
        sandbox: &sandbox,
        path: place("after"),
    };
    let planned = after.run(&["plan", "--detailed-exitcode"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let logs = after.run(&["logs"]);
    assert!(logs.starts_with("exit 0\n"), "{logs}");
}

#[test]
fn a_machine_of_a_version_that_wrote_no_folder_is_adopted() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    for machine in std::fs::read_dir(sandbox.machines_folder()).unwrap() {
        without_folder(&machine.unwrap().path().join("record.json"));
    }
    let other = ProjectFolder::beside(&sandbox, "other");
    let planned = other.run(&["plan"]);
    assert!(planned.contains("2 to adopt"), "{planned}");
}

fn without_folder(record: &Path) {
    let text = std::fs::read_to_string(record).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value.as_object_mut().unwrap().remove("folder").unwrap();
    std::fs::write(record, value.to_string()).unwrap();
}

#[test]
fn an_interrupted_run_of_another_folder_is_not_taken_over() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let other = ProjectFolder::beside(&sandbox, "other");
    // As a run leaves it that died before it wrote its state.
    std::fs::remove_file(sandbox.project().join("state/shop.json")).unwrap();
    let planned = other.run(&["plan"]);
    assert!(planned.contains("2 to create"), "{planned}");
    assert!(!planned.contains("unrecorded"), "{planned}");
    assert!(!planned.contains("did not finish"), "{planned}");
}

#[test]
fn the_plan_assigns_no_port_that_is_in_use() {
    let sandbox = Sandbox::with_app();
    let first = sandbox.first_port();
    let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
    let applied = sandbox.run(&["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let output = sandbox.command(&["plan", "--json"]).output().unwrap();
    assert!(output.status.success());
    let mut ports: Vec<u64> = std::fs::read_dir(sandbox.machines_folder())
        .unwrap()
        .map(|machine| {
            let record = machine.unwrap().path().join("record.json");
            let text = std::fs::read_to_string(record).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            value["port"].as_u64().unwrap()
        })
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [u64::from(first) + 1, u64::from(first) + 2]);
}

#[test]
fn a_saved_plan_is_no_worse_for_a_port_that_was_taken_since() {
    let sandbox = Sandbox::with_app();
    let saved = sandbox.run(&["plan", "--out", "p.json"]);
    assert!(saved.starts_with("exit 0\n"), "{saved}");
    let _held = TcpListener::bind((Ipv4Addr::UNSPECIFIED, sandbox.first_port())).unwrap();
    let applied = sandbox.run(&["apply", "p.json"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

#[test]
fn a_stopped_machine_whose_port_was_taken_starts_on_the_next_one_and_says_so() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let record = |id: &str| -> Value {
        let path = sandbox.machines_folder().join(id).join("record.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let id = ids(&status(&sandbox), "machines")[0].clone();
    let port = u16::try_from(record(&id)["port"].as_u64().unwrap()).unwrap();
    assert!(
        sandbox
            .run(&["machine", "stop", &id])
            .starts_with("exit 0\n")
    );
    let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let started = sandbox.run(&["machine", "start", &id]);
    assert!(started.starts_with("exit 0\n"), "{started}");
    assert!(
        started.contains("is in use by") && started.contains("the Machine gets port"),
        "{started}"
    );
    assert_ne!(record(&id)["port"].as_u64().unwrap(), u64::from(port));
}
