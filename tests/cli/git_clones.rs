//! The user's clone beside a state in git: no command changes a byte of it or runs what the repository
//! contains, and a clone of another user is refused with the command that makes git trust it.

use std::process::Command;

use crate::clone_snapshot::CloneSnapshot;
use crate::git_state::Clone;
use crate::hostile_clone::{set_traps, work_in};

/// Holds rule 36.
#[test]
fn no_command_changes_the_clone_or_runs_what_it_contains() {
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    let project = sandbox.project();
    work_in(&project);
    let trap = project.with_file_name("trap");
    set_traps(&project, &trap);
    // Setting them may have run some.
    let _ = std::fs::remove_file(&trap);
    let before = CloneSnapshot::of(&project);
    for (args, code) in [
        (&["plan"][..], 0),
        (&["apply", "-y"], 0),
        (&["apply", "-y"], 0),
        (&["status"], 0),
        (&["state", "list"], 0),
        (&["state", "pull", "../pulled.json"], 0),
        (&["state", "push", "../pulled.json"], 4),
        (&["refresh", "-y"], 0),
        (&["drift", "--detailed-exitcode"], 0),
        (&["unlock"], 0),
        (&["restart", "-y"], 0),
        (&["destroy", "-y", "--allow-destroy=all"], 0),
        (&["plan", "--detailed-exitcode"], 2),
    ] {
        let shown = sandbox.run(args);
        assert!(
            shown.starts_with(&format!("exit {code}\n")),
            "{args:?}: {shown}"
        );
        before.assert_unchanged(&args.join(" "));
        let ran = std::fs::read_to_string(&trap);
        assert!(
            ran.is_err(),
            "{args:?}: the repository made git run {ran:?}"
        );
    }
}

/// Container jobs have the clone of another user.
#[test]
fn a_clone_of_another_user_is_refused_with_the_command_that_trusts_it() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can give a clone to another user");
        return;
    }
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    let chown = Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(sandbox.project())
        .status();
    assert!(chown.unwrap().success());
    let refused = sandbox.run(&["apply", "-y"]);
    assert!(refused.starts_with("exit 1\n"), "{refused}");
    let command = "git config --global --add safe.directory ";
    assert!(refused.contains(command), "{refused}");
    assert!(!sandbox.machines_folder().exists(), "{refused}");
    let trusted = sandbox.project();
    let home = trusted.with_file_name("home");
    let mut trust = Command::new("git");
    trust
        .args(["config", "--global", "--add", "safe.directory"])
        .arg(&trusted);
    assert!(trust.env("HOME", home).status().unwrap().success());
    let before = CloneSnapshot::of(&trusted);
    sandbox.apply();
    before.assert_unchanged("apply");
}
