//! `plan --base` and `plan --state`, with real git repositories.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::Value;

use crate::fly::{self, EmulatorProcess, FLY, V1};
use crate::sandbox::Sandbox;

/// A repository with an app on the emulated platform: `main` is applied and its state committed.
struct Repository {
    sandbox: Sandbox,
    platform: EmulatorProcess,
    /// The app's folder from the top; empty for the top.
    folder: &'static str,
}

impl Repository {
    fn new(folder: &'static str) -> Self {
        let sandbox = Sandbox::new();
        std::fs::remove_dir(sandbox.project().join(".git")).unwrap();
        let platform = EmulatorProcess::with_app(&sandbox);
        let repository = Self {
            sandbox,
            platform,
            folder,
        };
        repository.git("init -q -b main");
        repository.write_app(2, "a");
        repository.apply();
        repository.commit("first");
        repository.git("tag first");
        repository
    }

    fn write(&self, file: &str, text: &str) {
        let path = PathBuf::from(self.folder).join(file);
        self.sandbox.write(path.to_str().unwrap(), text);
    }

    fn write_app(&self, count: u32, log: &str) {
        self.write_settings(&format!("[groups.app]\ncount = {count}\n"));
        self.write_log(log);
    }

    fn write_settings(&self, more: &str) {
        let head = format!("provider = \"fly\"\nimage = \"{V1}\"\n");
        self.write("aeroform.toml", &format!("{head}{more}"));
    }

    fn write_log(&self, log: &str) {
        self.write("fly.toml", &format!("{FLY}\n[env]\n  LOG = \"{log}\"\n"));
    }

    fn git(&self, words: &str) -> String {
        let mut command = Command::new("git");
        command
            .args(words.split(' '))
            .current_dir(self.sandbox.project())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for (who, email) in [
            ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"),
            ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        ] {
            command.env(who, "ana").env(email, "ana@example.com");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, what: &str) {
        self.git("add -A");
        self.git(&format!("commit -q -m {what}"));
    }

    fn apply(&self) {
        let shown = self.run(&["apply", "-y"]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
    }

    /// A checkout of `main` beside the project.
    fn base(&self) {
        self.git("worktree add -q --detach ../base main");
    }

    fn command(&self, args: &[&str]) -> Command {
        let args = match self.folder {
            "" => args.to_vec(),
            folder => [&["-C", folder], args].concat(),
        };
        let mut command = fly::on(&self.sandbox, &self.platform, &args);
        command.env("GITHUB_SHA", "930ce37a2b1c4d5e6f708192a3b4c5d6e7f80912");
        command
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        let mut shown = self.sandbox.show(&output);
        // The ids of commits depend on their time.
        for commit in self.git("rev-list --all").lines() {
            shown = shown.replace(&commit[..12], "930ce37a2b1c");
            shown = shown.replace(&commit[..7], "930ce37");
        }
        shown
    }

    fn offline(&self, args: &[&str]) -> String {
        self.run(&[&["plan", "--refresh=false"], args].concat())
    }

    fn document(&self, args: &[&str]) -> Value {
        let mut command = self.command(&[&["plan", "--json"], args].concat());
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// `main` goes on after the branch began: another value, one Machine more, applied and committed.
fn behind() -> Repository {
    let repository = Repository::new("");
    repository.git("checkout -q -b topic");
    repository.sandbox.write("README.md", "a shop\n");
    repository.commit("topic");
    repository.git("checkout -q main");
    repository.write_app(3, "b");
    repository.apply();
    repository.commit("second");
    repository.git("checkout -q topic");
    repository.base();
    repository
}

#[test]
fn a_branch_behind_its_base_plans_from_the_state_of_the_base() {
    let repository = behind();
    // What the branch asks for by itself: nothing that is in the state of its own.
    let own = repository.offline(&[]);
    assert!(own.contains("No changes."), "{own}");
    assert_snapshot!(repository.offline(&["--base", "../base"]), @r#"
    exit 0
    --- stdout
    shop · fly · serial 2 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

    warning: this checkout is behind its base, or reverts its state file
      hint: plan the merge result; if the change reverts the state file, take that out
    warning: this change edits `state/shop.json`, serial 2 → 1
      hint: only an apply writes the state: take the file as it is in the base

      ~   app  3 → 2   ams · 2 to update

    ~ app
        ~ 2 to update in place (a running Machine restarts), rolling: 1 at a time
            ams 9e3dacf5eca675 b59d10f8de5b8b
            at least 2 of 3 serve
              [env]
            -   LOG = "b"
            +   LOG = "a"
        - 1 to destroy  not up to date
            eea8878f663dbc ams

    note: which Machines are destroyed is decided at apply: this plan was made without calling the
      provider

    This change: 0 to create, 2 to update, 1 to destroy.
    "#);
    assert_snapshot!(repository.run(&["plan", "--base", "../base", "--detailed-exitcode"]), @r#"
    exit 6
    --- stdout
    shop · fly · serial 2 · applied 2026-01-02 by ana from 930ce37 · 3 Machines read

    warning: this checkout is behind its base, or reverts its state file
      hint: plan the merge result; if the change reverts the state file, take that out
    warning: this change edits `state/shop.json`, serial 2 → 1
      hint: only an apply writes the state: take the file as it is in the base

      ~   app  3 → 2   ams · 2 to update

    ~ app
        ~ 2 to update in place (a running Machine restarts), rolling: 1 at a time
            ams 9e3dacf5eca675 b59d10f8de5b8b
            at least 2 of 3 serve
              [env]
            -   LOG = "b"
            +   LOG = "a"
            if its host has no room: replaced by a new Machine
        - 1 to destroy  not up to date
            eea8878f663dbc ams   started

    This change: 0 to create, 2 to update, 1 to destroy.
    About -$2.02 a month, at the prices of 2025-08-19.
    Registers release v3.
    "#);
}

#[test]
fn the_merge_result_shows_only_what_the_branch_changes() {
    let repository = behind();
    repository.git("reset -q --hard main");
    repository.write_app(4, "b");
    repository.commit("topic");
    assert_snapshot!(repository.offline(&["--base", "../base", "--detailed-exitcode"]), @"
    exit 2
    --- stdout
    shop · fly · serial 2 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

      ~   app  3 → 4   ams

    ~ app
        + 1 to create in ams

    This change: 1 to create, 0 to update, 0 to destroy.
    ");
    let online = repository.document(&["--base", "../base"]);
    assert_eq!(online["base"]["result"], "compared");
    assert_eq!(online["summary"]["create"], 1);
    assert_eq!(online["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn a_state_that_is_behind_shows_the_refusal_first_and_the_other_run_in_one_line() {
    let repository = behind();
    assert_snapshot!(repository.run(&["plan", "--detailed-exitcode"]), @"
    exit 6
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · 3 Machines read

    refused: run jk2oneacq4 by ana of commit 930ce37a2b1c+changes changed 3 Machines (9e3dacf5eca675
      b59d10f8de5b8b eea8878f663dbc), but is not in the state (state at serial 1, run at serial 2)
      hint: get the state file that contains it (`git pull`), or adopt its changes with
            `--adopt-run jk2oneacq4 --allow-revert --allow-destroy=app:1`

      3 Machines as that run left them (app 3); -v shows what this plan would change on them

    Refused: this plan cannot be applied, see the refusal above.
    ");
    let verbose = repository.run(&["plan", "-v"]);
    let refused = verbose.find("refused:").unwrap();
    assert!(refused < verbose.find("Changed").unwrap(), "{verbose}");
    assert!(verbose.contains("LOG"), "{verbose}");
    let document = repository.document(&[]);
    let machines = document["unlisted_runs"][0]["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 3);
    assert!(
        document["steps"].as_array().unwrap().len() > 3,
        "{document}"
    );
}

#[test]
fn a_revert_that_also_reverts_the_state_plans_from_the_state_of_the_base() {
    let repository = Repository::new("");
    repository.write_app(3, "b");
    repository.apply();
    repository.commit("second");
    repository.git("checkout -q -b topic");
    repository.git("revert --no-edit HEAD");
    repository.base();
    let own = repository.offline(&[]);
    assert!(own.contains("No changes."), "{own}");
    assert_snapshot!(repository.offline(&["--base", "../base", "--detailed-exitcode"]), @r#"
    exit 6
    --- stdout
    shop · fly · serial 2 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

    warning: this checkout is behind its base, or reverts its state file
      hint: plan the merge result; if the change reverts the state file, take that out
    warning: this change edits `state/shop.json`, serial 2 → 1
      hint: only an apply writes the state: take the file as it is in the base

      ~   app  3 → 2   ams · 2 to update

    ~ app
        ~ 2 to update in place (a running Machine restarts), rolling: 1 at a time
            ams 9e3dacf5eca675 b59d10f8de5b8b
            at least 2 of 3 serve
              [env]
            -   LOG = "b"
            +   LOG = "a"
        - 1 to destroy  not up to date
            eea8878f663dbc ams

    note: which Machines are destroyed is decided at apply: this plan was made without calling the
      provider

    This change: 0 to create, 2 to update, 1 to destroy.
    "#);
}

#[test]
fn a_typo_in_the_path_of_the_state_creates_nothing() {
    let repository = Repository::new("");
    repository.base();
    repository.git("checkout -q -b topic");
    repository.write_settings("[state]\npath = \"stat/shop.json\"\n\n[groups.app]\ncount = 2\n");
    repository.commit("topic");
    let own = repository.offline(&[]);
    assert!(own.contains("2 to create"), "{own}");
    assert_snapshot!(repository.offline(&["--base", "../base", "--detailed-exitcode"]), @"
    exit 0
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

    warning: `[state]` names `stat/shop.json`, and `state/shop.json` in the base; this plan uses the
      base's state
      hint: `stat/shop.json` does not exist: after the merge an apply would start without a state

          app  2   no changes

    No changes. This change adds nothing to what its base already wants.
    ");
}

#[test]
fn what_was_pending_and_what_is_dropped_are_one_line_each() {
    let repository = Repository::new("");
    // Merged, and not applied yet.
    repository.write_app(3, "b");
    repository.commit("second");
    repository.git("checkout -q -b topic");
    repository.base();
    repository.write_app(4, "b");
    assert_snapshot!(repository.offline(&["--base", "../base", "--detailed-exitcode"]), @"
    exit 2
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

      ~   app  3 → 4   ams

    ~ app
        + 1 to create in ams

    Pending before this change: 1 to create, 2 to update. (-v shows it)

    This change: 1 to create, 0 to update, 0 to destroy.
    ");
    repository.write_app(2, "a");
    assert_snapshot!(repository.offline(&["--base", "../base", "--detailed-exitcode"]), @"
    exit 0
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

          app  2   no changes

    Dropped by this change: 1 to create in app; 2 to update in app.

    No changes. This change adds nothing to what its base already wants.
    ");
    repository.git("checkout -q .");
    assert_snapshot!(repository.run(&["plan", "--base", "../base", "--detailed-exitcode", "-v"]), @r#"
    exit 0
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · 2 Machines read

          app  3   no changes

    Pending before this change: 1 to create, 2 to update.

    ~ app
        ~ 2 to update in place (a running Machine restarts), rolling: 1 at a time
            ams 9e3dacf5eca675 b59d10f8de5b8b
            9e3dacf5eca675 first; waits for each: up 10s, at most 5m
            at least 2 of 2 serve
            its config changes
              [env]
            -   LOG = "a"
            +   LOG = "b"
            if its host has no room: replaced by a new Machine
        + 1 to create in ams · shared-cpu-1x 256 MB, like the rest of the group
            ams app-yywut5xxcq
            its group has too few Machines

    No changes. This change adds nothing to what its base already wants.
    "#);
}

#[test]
fn the_app_is_at_the_same_path_in_both_and_the_base_is_relative_to_the_start() {
    let repository = Repository::new("apps/shop");
    repository.base();
    repository.write_app(3, "a");
    let shown = repository.offline(&["--base", "../base"]);
    assert!(shown.contains("app  2 → 3"), "{shown}");
    assert!(shown.contains("This change: 1 to create"), "{shown}");
    // A folder of a checkout is not its top.
    let shown = repository.offline(&["--base", "../base/apps"]);
    assert_snapshot!(shown.lines().nth(4).unwrap(), @"warning: the base `../base/apps` is not compared: it is not the top folder of a checkout, but a");
}

#[test]
fn a_base_that_cannot_be_read_is_a_warning() {
    let repository = Repository::new("");
    repository.base();
    repository.write_app(3, "a");
    let first_warning = |dir: &str| {
        let shown = repository.offline(&["--base", dir]);
        assert!(
            shown.starts_with("exit 0\n") && shown.contains("1 to create"),
            "{shown}"
        );
        let warning = shown
            .lines()
            .skip_while(|line| !line.starts_with("warning:"));
        warning
            .take_while(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let file = |name: &str| repository.sandbox.project().join("../base").join(name);
    assert_snapshot!(first_warning("../none"), @"
    warning: the base `../none` is not compared: No such file or directory (os error 2)
      hint: the plan is complete: what was pending before this change is part of it
    ");
    std::fs::write(file("aeroform.toml"), "[groups.app]\ncount = \"many\"\n").unwrap();
    assert_snapshot!(first_warning("../base"), @"
    warning: the base `../base` is not compared: cannot parse `../base/aeroform.toml`: 1 error
      hint: the plan is complete: what was pending before this change is part of it
    ");
    std::fs::remove_file(file("aeroform.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", file("aeroform.toml")).unwrap();
    assert_snapshot!(first_warning("../base"), @"
    warning: the base `../base` is not compared: `../base/aeroform.toml` is outside the project: the
      project is `[ROOT]/base`
      hint: the plan is complete: what was pending before this change is part of it
    ");
    std::fs::remove_file(file("aeroform.toml")).unwrap();
    std::fs::write(
        file("aeroform.toml"),
        repository.sandbox.read("aeroform.toml"),
    )
    .unwrap();
    let state = std::fs::read_to_string(file("state/shop.json")).unwrap();
    std::fs::write(file("state/shop.json"), &state[..100]).unwrap();
    assert_snapshot!(first_warning("../base"), @"
    warning: the base `../base` is not compared: the state is damaged at line 2: it is truncated (EOF
      while parsing a value): it is in `../base/state/shop.json`
      hint: the plan is complete: what was pending before this change is part of it
    ");
    let large = std::fs::File::create(file("fly.toml")).unwrap();
    large.set_len(1 << 30).unwrap();
    assert_snapshot!(first_warning("../base"), @"
    warning: the base `../base` is not compared: cannot read `../base/fly.toml`: it has 1073741824
      bytes, and the limit is 1048576
      hint: the plan is complete: what was pending before this change is part of it
    ");
}

#[test]
fn an_app_that_the_base_does_not_have_is_new_in_this_change() {
    let repository = Repository::new("apps/shop");
    repository.base();
    let base = repository.sandbox.project().join("../base/apps");
    std::fs::remove_dir_all(base).unwrap();
    let shown = repository.offline(&["--base", "../base", "--detailed-exitcode"]);
    assert_snapshot!(shown, @"
    exit 6
    --- stdout
    shop · fly · serial 1 · applied 2026-01-02 by ana from 930ce37 · planned from the state only

    warning: this change adds `apps/shop/state/shop.json`, serial 1
      hint: only an apply writes the state: take the file as it is in the base

    New in this change: the base does not have `shop`

          app  2   no changes

    No changes. 2 Machines in the state match the manifests; the provider was not read.
    ");
    // The name of another app at the same place.
    let repository = Repository::new("");
    repository.base();
    repository.write("fly.toml", &FLY.replace("shop", "store"));
    assert_snapshot!(repository.offline(&["--base", "../base"]), @"
    exit 0
    --- stdout
    store · fly · no state yet · planned from the state only

    warning: in the base this is app `shop` on `fly`: that app and its Machines are left as they are
      hint: if they are not needed any more, destroy them with the manifests of the base

    New in this change: the base has `shop` on `fly` here

      +   app  0 → 2   new group · ams

    + app
        + 2 to create in ams · shared-cpu-1x 256 MB, Fly's default without `[[vm]]`

    Plan: 2 to create, 0 to update, 0 to destroy.
    About +$4.04 a month, at the prices of 2025-08-19.
    ");
}

#[test]
fn the_image_of_a_flag_is_part_of_this_change() {
    let repository = Repository::new("");
    repository.base();
    let args = ["--base", "../base", "--image", fly::V2];
    let shown = repository.offline(&args);
    assert!(
        shown.contains("This change: 0 to create, 2 to update"),
        "{shown}"
    );
}

#[test]
fn a_state_named_by_a_flag_comes_first_and_has_to_exist() {
    let repository = behind();
    let state = "../base/state/shop.json";
    let shown = repository.offline(&["--state", state]);
    assert!(
        shown.contains("serial 2 · applied 2026-01-02 by ana from"),
        "{shown}"
    );
    assert!(shown.contains("app  3 → 2"), "{shown}");
    assert_snapshot!(repository.offline(&["--state", "state/none.json"]), @"
    exit 1
    --- stderr
    error: there is no `state/none.json`
    hint: name an existing state file, or `none` if there is no state yet
    ");
    // A state elsewhere needs no file here.
    repository.write_settings("[state]\nurl = \"https://example.com/shop\"\n");
    let shown = repository.offline(&[]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    let shown = repository.offline(&["--state", state]);
    assert!(
        shown.starts_with("exit 0\n") && shown.contains("serial 2"),
        "{shown}"
    );
}

#[test]
fn a_file_beyond_its_limit_is_not_read() {
    let repository = Repository::new("");
    let large = |file: &str, bytes: u64| {
        let file = std::fs::File::create(repository.sandbox.project().join(file)).unwrap();
        file.set_len(bytes).unwrap();
    };
    large("state/shop.json", (64 << 20) + 1);
    assert_snapshot!(repository.offline(&[]), @"
    exit 1
    --- stderr
    error: cannot read state/shop.json; nothing was changed
      caused by: it has 67108865 bytes, and the limit is 67108864
    ");
    large("fly.toml", (1 << 20) + 1);
    assert_snapshot!(repository.offline(&[]), @"
    exit 1
    --- stderr
    error: cannot read `fly.toml`: it has 1048577 bytes, and the limit is 1048576
    ");
}
