//! From nothing to Machines and back, with real processes.

use std::io::Read;
use std::process::{Child, Stdio};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::Sandbox;

#[test]
fn an_offline_plan_needs_nothing_but_the_files() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["plan", "--refresh=false"]), @r"
    exit 0
    --- stdout
    shop · local · no state yet · planned from the state only

      +   jobs  0 → 1   new group · ams
      +   web   0 → 1   new group · ams

    + jobs  sleep 1001
        + 1 to create in ams

    + web  sleep 1000
        + 1 to create in ams

    Plan: 2 to create, 0 to update, 0 to destroy.
    ");
    assert!(sandbox.untouched());
}

#[test]
fn apply_status_logs_change_and_destroy() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "fly.toml",
        &Sandbox::FLY.replace("sleep 1001", "sh -c 'echo hello; sleep 1001'"),
    );
    assert_snapshot!(sandbox.run(&["apply", "-y", "-q"]), @r"
    exit 0
    --- stdout
    shop · local · no state yet · 0 Machines read

      +   jobs  0 → 1   new group · ams
      +   web   0 → 1   new group · ams

    + jobs  sh -c 'echo hello; sleep 1001'
        + 1 to create in ams · port 8100

    + web  sleep 1000
        + 1 to create in ams · port 8101

    Plan: 2 to create, 0 to update, 0 to destroy.
    state: state/shop.json is at serial 1
    Apply complete: 2 created.
    ");
    assert_snapshot!(sandbox.run(&["apply", "-y"]), @"
    exit 0
    --- stdout
    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

          jobs  1   no changes
          web   1   no changes

    No changes. 2 Machines match the manifests.
    ");
    assert!(
        sandbox.run(&["logs", "jobs"]).contains(" jobs "),
        "{}",
        sandbox.run(&["logs"])
    );
    assert!(
        sandbox
            .run(&["logs", "jobs", "--json"])
            .contains("\"text\":\"hello\"")
    );
    assert_snapshot!(sandbox.run(&["logs", "nobody"]), @r"
    exit 1
    --- stderr
    error: there is no group or Machine `nobody`
    hint: `aeroform status` lists groups and Machines
    ");
    assert_snapshot!(sandbox.run(&["unlock"]), @r"
    exit 0
    --- stdout
    the lock is free: `state/shop.json`
    ");
    assert!(
        sandbox
            .run(&["state", "list"])
            .contains("  jobs  ams  jobs-")
    );

    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 3\n\n[groups.jobs]\ncount = 1\n",
    );
    let plan = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(
        plan.starts_with("exit 2\n") && plan.contains("web   1 → 3"),
        "{plan}"
    );
    sandbox.apply();
    assert_eq!(sandbox.machines(), 4);

    assert_snapshot!(sandbox.run(&["destroy", "-y"]).split("--- stderr\n").nth(1).unwrap(), @r"
    error: this plan needs approval and stdin is not a terminal; nothing was changed
      caused by: the plan destroys the app: 4 Machines
    hint: review the plan, then add `--allow-destroy=all`
    ");
    assert_eq!(sandbox.machines(), 4);
    let destroyed = sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
    assert!(destroyed.starts_with("exit 0\n"), "{destroyed}");
    assert_eq!(sandbox.machines(), 0);
}

#[test]
fn a_program_that_ends_at_once_fails_its_apply_soon_and_its_last_words_are_shown() {
    let sandbox = Sandbox::with_app();
    let crashes = |policy: &str| {
        Sandbox::FLY.replace("sleep 1001", "sh -c 'echo no database; exit 3'")
            + &format!("[[restart]]\n  policy = \"{policy}\"\n  processes = [\"jobs\"]\n")
    };
    sandbox.write("fly.toml", &crashes("always"));
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains(" does not stay up: exit code 3"), "{shown}");
    assert!(shown.contains("its last output: no database"), "{shown}");
    assert!(shown.contains("1 of 2 changes completed"), "{shown}");

    // What keeps ending is not waited for before it is mended.
    sandbox.write("fly.toml", &crashes("never"));
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains(" has failed: exit code 3"), "{shown}");
    assert!(
        shown.contains("Apply failed: 0 of")
            && !shown.contains("waits for the Machine, which is starting"),
        "{shown}"
    );

    sandbox.write("fly.toml", Sandbox::FLY);
    sandbox.apply();
    assert_eq!(sandbox.machines(), 2);
}

#[test]
fn a_command_to_be_typed_again_works_where_it_is_read() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "fly.toml",
        &Sandbox::FLY.replace("sleep 1001", "there-is-no-such-program"),
    );
    let mut command = sandbox.command(&["-C", "project", "apply", "-y"]);
    command.current_dir(sandbox.project().parent().unwrap());
    let shown = sandbox.show(&command.output().unwrap());
    assert!(
        shown.contains("hint: `aeroform -C project apply` continues with the rest"),
        "{shown}"
    );
    assert!(
        shown.contains("state: project/state/shop.json is at serial 1"),
        "{shown}"
    );
}

#[test]
fn without_a_terminal_the_flag_that_answers_is_named_and_nothing_is_done() {
    let sandbox = Sandbox::with_app();
    let shown = sandbox.run(&["apply"]);
    assert!(shown.starts_with("exit 6\n"), "{shown}");
    assert_snapshot!(shown.split("--- stderr\n").nth(1).unwrap(), @r"
    error: this plan needs approval and stdin is not a terminal; nothing was changed
    hint: review the plan, then add `--auto-approve`
    ");
    assert_eq!(sandbox.machines(), 0);
}

/// An applied plan, and a world that was reset to its earlier state.
pub(crate) fn applied_and_taken_back(sandbox: &Sandbox) {
    let one = "[groups.web]\ncount = 1\n\n[groups.jobs]\ncount = 1\n";
    let old = Sandbox::FLY;
    let new = format!("{old}\n[env]\nCOLOUR = \"blue\"\n");
    sandbox.write("aeroform.toml", one);
    sandbox.apply();
    sandbox.write("fly.toml", &new);
    let planned = sandbox.run(&["plan", "--out", "next.plan"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let done = sandbox.run(&["apply", "next.plan"]);
    assert!(done.starts_with("exit 0\n"), "{done}");
    sandbox.write("fly.toml", old);
    sandbox.apply();
    sandbox.write("fly.toml", &new);
}

#[test]
fn a_saved_plan_is_applied_once_although_the_world_is_again_as_it_was() {
    let sandbox = Sandbox::with_app();
    applied_and_taken_back(&sandbox);
    let again = sandbox.run(&["apply", "next.plan"]);
    assert!(again.starts_with("exit 4\n"), "{again}");
    assert!(again.contains("was already applied"), "{again}");
    // Reviewed again it is another plan.
    let planned = sandbox.run(&["plan", "--out", "another.plan"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let done = sandbox.run(&["apply", "-y", "another.plan"]);
    assert!(done.starts_with("exit 0\n"), "{done}");
}

#[test]
fn a_saved_plan_is_applied_once_and_never_after_something_else_changed() {
    let sandbox = Sandbox::with_app();
    assert!(
        sandbox
            .run(&["plan", "--out", "next.plan"])
            .starts_with("exit 0\n")
    );
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    let stale = sandbox.run(&["apply", "next.plan"]);
    assert!(
        stale.starts_with("exit 4\n") && stale.contains("the desired state differs"),
        "{stale}"
    );

    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 1\n\n[groups.jobs]\ncount = 1\n",
    );
    assert!(sandbox.run(&["apply", "next.plan"]).starts_with("exit 0\n"));
    assert!(sandbox.run(&["apply", "next.plan"]).starts_with("exit 4\n"));
    assert_snapshot!(sandbox.run(&["apply", "fly.toml"]), @r"
    exit 1
    --- stderr
    error: cannot read the plan in `fly.toml`
      caused by: this is not a saved plan: expected value at line 1 column 1
    hint: create one with `aeroform plan --out FILE`
    ");
    assert_snapshot!(sandbox.run(&["plan", "--out", "nowhere/next.plan"]), @r"
    exit 1
    --- stderr
    error: cannot write `nowhere/next.plan`; nothing was changed
      caused by: No such file or directory (os error 2)
    hint: a folder in the path is missing: create it first
    ");
}

#[test]
fn events_are_one_per_line_and_the_last_says_how_it_ended() {
    let sandbox = Sandbox::with_app();
    let output = sandbox
        .command(&["apply", "-y", "--json"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!(
        (&first["event"], &first["format_version"]),
        (&"started".into(), &1.into())
    );
    assert_eq!(
        (&last["event"], &last["outcome"]),
        (&"finished".into(), &"complete".into())
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_protected_group_is_refused_whatever_the_flags_say() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 2\nprotect = true\n\n[groups.jobs]\ncount = 1\n",
    );
    sandbox.apply();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 1\nprotect = true\n\n[groups.jobs]\ncount = 1\n",
    );
    let shown = sandbox.run(&["apply", "-y", "--allow-destroy=all"]);
    assert!(shown.starts_with("exit 6\n"), "{shown}");
    assert_snapshot!(shown.split("--- stderr\n").nth(1).unwrap(), @r"
    error: the plan is refused; nothing was changed
      caused by: group `web` is protected: 1 Machine would be destroyed
    hint: to allow it, first remove `protect` from `[groups.web]` and apply only that
    ");
    assert!(
        sandbox
            .run(&["plan", "--detailed-exitcode"])
            .starts_with("exit 6\n")
    );
}

#[test]
fn a_state_that_cannot_be_written_is_kept_and_published_later() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 1\n\n[groups.jobs]\ncount = 0\n",
    );
    sandbox.apply();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 2\n\n[groups.jobs]\ncount = 0\n",
    );
    // While it runs, another program writes the state without the lock.
    let meddle = "sh -c 'echo >> state/shop.json; exec sleep 1000'";
    sandbox.write("fly.toml", &Sandbox::FLY.replace("sleep 1000", meddle));
    let before = sandbox.read("state/shop.json");
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(
        shown.contains("aeroform state push state/shop.unpublished.json"),
        "{shown}"
    );

    let push = ["state", "push", "state/shop.unpublished.json"];
    let refused = sandbox.run(&push);
    assert!(refused.starts_with("exit 4\n"), "{refused}");
    sandbox.write("state/shop.json", &before);
    assert_snapshot!(sandbox.run(&push), @"
    exit 0
    --- stdout
    `state/shop.json` is now at serial 2
    ");
    assert!(
        sandbox
            .run(&["plan", "--detailed-exitcode"])
            .starts_with("exit 0\n")
    );
}

/// The same app, with a check that never passes: an apply of it waits until it is stopped.
fn never_healthy() -> String {
    let check =
        "[checks.never]\n  type = \"tcp\"\n  port = 9\n  interval = \"2s\"\n  timeout = \"1s\"\n";
    format!("{}{check}", Sandbox::FLY)
}

/// Waits until an apply in the background shows that it waits.
fn until_it_waits(child: &mut Child) -> String {
    let mut seen = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let mut bytes = [0; 1024];
    while !seen.contains("waits for check") {
        let n = stderr.read(&mut bytes).unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    child.stderr = Some(stderr);
    seen
}

fn apply_in_background(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(&["apply", "-y"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn sigterm_and_sighup_end_an_apply_with_its_state_written() {
    for stop in [Signal::TERM, Signal::HUP, Signal::INT] {
        let sandbox = Sandbox::with_app();
        sandbox.write("fly.toml", &never_healthy());
        let mut child = apply_in_background(&sandbox);
        until_it_waits(&mut child);
        signal(&child, stop);
        let output = child.wait_with_output().unwrap();
        let shown = sandbox.show(&output);
        assert!(shown.starts_with("exit 130\n"), "{shown}");
        assert!(
            shown.contains("state: state/shop.json is at serial 1"),
            "{shown}"
        );
        assert!(
            sandbox
                .run(&["state", "list"])
                .contains("  web   ams  web-")
        );
    }
}

#[test]
fn a_second_apply_names_the_holder_of_the_lock_and_waits_only_as_long_as_it_may() {
    let sandbox = Sandbox::with_app();
    sandbox.write("fly.toml", &never_healthy());
    let mut first = apply_in_background(&sandbox);
    until_it_waits(&mut first);
    // The same plan is not what is there any more, so the second has something of its own to do.
    let second = sandbox.run(&["apply", "-y", "--lock-timeout", "100ms"]);
    assert!(second.starts_with("exit 5\n"), "{second}");
    assert!(
        second.contains("for the state's lock, held by ana on "),
        "{second}"
    );
    let unlock = sandbox.run(&["unlock"]);
    assert!(
        unlock.starts_with("exit 5\n") && unlock.contains("held by ana on"),
        "{unlock}"
    );
    assert!(
        sandbox
            .run(&["unlock", "--json"])
            .contains("\"held\":true,\"holder\":{\"who\":\"ana\"")
    );
    signal(&first, Signal::INT);
    first.wait().unwrap();
    assert!(sandbox.run(&["unlock"]).starts_with("exit 0\n"));
}

/// Holds rule 12.
#[test]
fn a_killed_apply_is_reported_and_taken_over_without_a_duplicate() {
    let sandbox = Sandbox::with_app();
    sandbox.write("fly.toml", &never_healthy());
    let mut child = apply_in_background(&sandbox);
    until_it_waits(&mut child);
    assert!(sandbox.run(&["plan"]).contains("warning: ana on "));
    signal(&child, Signal::KILL);
    child.wait().unwrap();

    sandbox.write("fly.toml", Sandbox::FLY);
    let plan = sandbox.run(&["plan"]);
    assert!(
        plan.contains("did not finish; the next apply adopts its changes"),
        "{plan}"
    );
    sandbox.apply();
    assert_eq!(sandbox.machines(), 2);
    let quiet = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(
        quiet.starts_with("exit 0\n") && !quiet.contains("warning"),
        "{quiet}"
    );
}
