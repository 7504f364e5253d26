//! The user's clone beside a state in git: no command changes a byte of it or runs what the repository
//! contains, and a clone of another user is refused with the command that makes git trust it.

use std::process::{Command, Stdio};

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

/// A lock on the remote, as a run leaves it that dies.
fn leave_lock(clone: &Clone, nonce: u32) {
    let holder = "{\"who\":\"bo\",\"host\":\"runner\",\"pid\":7,\"command\":\"apply\",\"since\":\"then\",\"run\":null}";
    let tree = clone.git(&["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let message = format!("{holder}\n\n{nonce}");
    let record = clone.git(&["commit-tree", &tree, "-m", &message]);
    let spec = format!("+{record}:refs/aeroform/lock/shop");
    clone.git(&["push", "--quiet", "origin", &spec]);
}

/// Holds rule 26.
#[test]
fn drift_is_compared_beside_the_lock_of_a_dead_run_and_not_beside_one_that_is_renewed() {
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    sandbox.apply();
    leave_lock(&clone, 0);
    let drift = |takeover: &str| {
        let mut command = sandbox.command(&["drift", "--detailed-exitcode"]);
        command
            .env("AEROFORM_TEST_TAKEOVER", takeover)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let shown = sandbox.show(&drift("500").wait_with_output().unwrap());
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("held by bo on runner"), "{shown}");
    assert!(
        shown.contains("does not renew it; `aeroform unlock`"),
        "{shown}"
    );
    // Nothing was written, so the lock is still there.
    let lock = clone.git(&["ls-remote", "origin", "refs/aeroform/lock/shop"]);
    assert!(!lock.is_empty());
    let mut running = drift("60000");
    let mut nonce = 0;
    while running.try_wait().unwrap().is_none() {
        nonce += 1;
        leave_lock(&clone, nonce);
    }
    let shown = sandbox.show(&running.wait_with_output().unwrap());
    assert!(shown.starts_with("exit 5\n"), "{shown}");
    assert!(shown.contains("bo on runner"), "{shown}");
}
