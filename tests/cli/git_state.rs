//! A state on a branch of a git remote, as its users meet it: one bare repository, and one clone per job.

use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::Sandbox;

/// The sandbox's project is a clone of a bare repository beside it.
struct Clone {
    sandbox: Sandbox,
}

impl Clone {
    fn new(url: &str) -> Self {
        let sandbox = Sandbox::with_app();
        let settings = sandbox.read("aeroform.toml");
        sandbox.write(
            "aeroform.toml",
            &format!("[state]\nurl = \"{url}\"\n\n{settings}"),
        );
        let clone = Self { sandbox };
        let bare = clone.bare();
        clone.git(&[
            "init",
            "--quiet",
            "--bare",
            "-b",
            "main",
            bare.to_str().unwrap(),
        ]);
        clone.git(&["init", "--quiet", "-b", "main"]);
        clone.git(&["add", "."]);
        clone.git(&["commit", "--quiet", "-m", "first"]);
        clone.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        clone.git(&["push", "--quiet", "-u", "origin", "main"]);
        clone
    }

    fn bare(&self) -> PathBuf {
        self.sandbox.project().parent().unwrap().join("bare.git")
    }

    fn git(&self, args: &[&str]) -> String {
        let home = self.sandbox.project().parent().unwrap().join("home");
        let output = Command::new("git")
            .args(args)
            .current_dir(self.sandbox.project())
            .env("HOME", home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ana")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "ana@localhost")))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn at_remote(&self, args: &[&str]) -> String {
        let bare = self.bare();
        let mut all = vec!["--git-dir", bare.to_str().unwrap()];
        all.extend(args);
        self.git(&all)
    }
}

/// Holds rule 36.
#[test]
fn a_state_on_its_own_branch_is_written_by_each_apply_and_nothing_else_is_touched() {
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    let before = clone.git(&["status", "--porcelain"]);
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("git+origin"), "{shown}");
    let subject = clone.at_remote(&["log", "-1", "--format=%s", "aeroform-state"]);
    assert_eq!(subject, "shop: serial 1 · 2 created [skip ci]");
    let trailers = clone.at_remote(&["log", "-1", "--format=%(trailers)", "aeroform-state"]);
    assert!(trailers.contains("Aeroform-Run: "), "{trailers}");
    assert_eq!(clone.git(&["status", "--porcelain"]), before);
    assert_eq!(
        clone
            .git(&["for-each-ref", "--format=%(refname)"])
            .lines()
            .count(),
        2
    );
    let plan = sandbox.run(&["plan"]);
    assert!(plan.contains("No changes."), "{plan}");
    let list = sandbox.run(&["state", "list"]);
    assert!(list.contains("web") && list.contains("jobs"), "{list}");
    let free = sandbox.run(&["unlock"]);
    assert!(
        free.starts_with("exit 0\n") && free.contains("git+origin"),
        "{free}"
    );
    let shown = sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let commits = clone.at_remote(&["rev-list", "--count", "aeroform-state"]);
    // The branch begins with an empty commit.
    assert_eq!(commits, "3");
}

#[test]
fn an_offline_plan_needs_the_state_as_a_file() {
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    let refused = sandbox.run(&["plan", "--refresh=false"]);
    assert!(
        refused.starts_with("exit 1\n") && refused.contains("--state none"),
        "{refused}"
    );
    let first = sandbox.run(&["plan", "--refresh=false", "--state", "none"]);
    assert!(
        first.starts_with("exit 0\n") && first.contains("2 to create"),
        "{first}"
    );
    sandbox.apply();
    clone.git(&["fetch", "--quiet", "origin", "aeroform-state"]);
    let state = clone.git(&["show", "FETCH_HEAD:shop.json"]);
    sandbox.write("fetched.json", &state);
    let plan = sandbox.run(&["plan", "--refresh=false", "--state", "fetched.json"]);
    assert!(plan.contains("No changes."), "{plan}");
    sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
}

#[test]
fn a_remote_that_is_not_there_or_refuses_says_what_to_do_before_anything_is_changed() {
    let clone = Clone::new("git+upstream");
    let sandbox = &clone.sandbox;
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("git remote add upstream"),
        "{shown}"
    );
    let clone = Clone::new("git+origin?branch=main&path=state/shop.json");
    let hook = clone.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(
        &hook,
        "#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n",
    )
    .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let shown = clone.sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("GH006"),
        "{shown}"
    );
}
