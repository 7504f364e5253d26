//! A state on a branch of a git remote, as its users meet it: one bare repository, and one clone per job.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aeroform::core::fleet::AppName;
use aeroform::core::state;

use crate::fly::{self, EmulatorProcess, FLY, V1};
use crate::git_command::{git, git_command};
use crate::sandbox::Sandbox;

/// The sandbox's project is a clone of a bare repository beside it.
pub(crate) struct Clone {
    pub(crate) sandbox: Sandbox,
}

impl Clone {
    pub(crate) fn new(url: &str) -> Self {
        let sandbox = Sandbox::with_app();
        let settings = sandbox.read("aeroform.toml");
        let settings = format!("[state]\nurl = \"{url}\"\n\n{settings}");
        Self::with_settings(sandbox, &settings)
    }

    /// The same with another aeroform.toml.
    pub(crate) fn with_settings(sandbox: Sandbox, settings: &str) -> Self {
        sandbox.write("aeroform.toml", settings);
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

    pub(crate) fn bare(&self) -> PathBuf {
        self.sandbox.project().parent().unwrap().join("bare.git")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.sandbox.project(), args)
    }

    pub(crate) fn at_remote(&self, args: &[&str]) -> String {
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

/// Holds rule 26.
#[test]
fn in_a_pipeline_a_plain_state_file_is_a_warning_and_one_in_git_is_none() {
    let warning = "its lock excludes no other runner";
    let shown = |sandbox: &Sandbox, ci: Option<&str>| {
        let mut command = sandbox.command(&["apply", "-y"]);
        command.envs(ci.map(|value| ("CI", value)));
        sandbox.show(&command.stdin(Stdio::null()).output().unwrap())
    };
    let file = Sandbox::with_app();
    let in_ci = shown(&file, Some("true"));
    assert!(in_ci.starts_with("exit 0\n"), "{in_ci}");
    assert_eq!(in_ci.matches(warning).count(), 1, "{in_ci}");
    assert!(!shown(&file, None).contains(warning));
    let in_git = Clone::new("git+origin");
    assert!(!shown(&in_git.sandbox, Some("true")).contains(warning));
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
    let none = sandbox.run(&["state", "pull", "pulled.json"]);
    assert!(
        none.starts_with("exit 1\n") && none.contains("--state none"),
        "{none}"
    );
    assert!(!sandbox.project().join("pulled.json").exists());
    sandbox.apply();
    let pulled = sandbox.run(&["state", "pull", "pulled.json"]);
    assert!(
        pulled.starts_with("exit 0\n") && pulled.contains("serial 1"),
        "{pulled}"
    );
    let file = sandbox.project().join("pulled.json");
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let plan = sandbox.run(&["plan", "--refresh=false", "--state", "pulled.json"]);
    assert!(plan.contains("No changes."), "{plan}");
    let first = clone.at_remote(&["rev-parse", "aeroform-state"]);
    let shown = sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let older = sandbox.run(&["state", "pull", "older.json", "--at", &first]);
    assert!(
        older.starts_with("exit 0\n") && older.contains("serial 1"),
        "{older}"
    );
    assert_eq!(sandbox.read("older.json"), sandbox.read("pulled.json"));
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
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let shown = clone.sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("GH006"),
        "{shown}"
    );
}

/// Holds rule 36.
#[test]
fn a_state_that_could_not_be_pushed_is_published_from_its_copy() {
    let clone = Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    sandbox.apply();
    // The server takes the probe and the lock, and refuses the write.
    let hook = clone.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let text = "#!/bin/sh\nall=$(cat)\n[ $(echo \"$all\" | wc -l) = 1 ] || exit 0\n\
                case $all in *refs/heads/aeroform-state) echo 'no room on Fridays' >&2; exit 1;; esac\n";
    std::fs::write(&hook, text).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = sandbox.read("aeroform.toml");
    sandbox.write(
        "aeroform.toml",
        &settings.replacen("count = 1", "count = 2", 1),
    );
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 3\n")
            && shown.contains("no room on Fridays")
            && shown.contains("/shop.unpublished.json`")
            && !shown.contains("\\t"),
        "{shown}"
    );
    std::fs::remove_file(&hook).unwrap();
    let shown = sandbox.run(&["state", "push", "shop.unpublished.json"]);
    assert!(
        shown.starts_with("exit 0\n") && shown.contains("`git+origin` is now at serial 2"),
        "{shown}"
    );
    let plan = sandbox.run(&["plan"]);
    assert!(plan.contains("No changes."), "{plan}");
    let again = sandbox.run(&["state", "push", "shop.unpublished.json"]);
    assert!(
        again.starts_with("exit 4\n") && again.contains("already contains this run"),
        "{again}"
    );
}

/// A clone of `bare` on Fly, in which `WHO` is this.
pub(crate) fn fly_clone(bare: &Path, who: &str, url: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let project = sandbox.project();
    if bare.exists() {
        std::fs::remove_dir_all(project.join(".git")).unwrap();
        git(&project, &["clone", "--quiet", bare.to_str().unwrap(), "."]);
    } else {
        let made = bare.to_str().unwrap();
        git(&project, &["init", "--quiet", "--bare", "-b", "main", made]);
        git(&project, &["init", "--quiet", "-b", "main"]);
        git(&project, &["remote", "add", "origin", made]);
        sandbox.write("fly.toml", FLY);
        sandbox.write(
            "aeroform.toml",
            &format!("provider = \"fly\"\n[state]\nurl = \"{url}\"\n[groups.app]\ncount = 2\n"),
        );
        git(&project, &["add", "."]);
        git(&project, &["commit", "--quiet", "-m", "first"]);
        git(&project, &["push", "--quiet", "-u", "origin", "main"]);
    }
    set_who(&sandbox, who);
    sandbox
}

fn set_who(sandbox: &Sandbox, who: &str) {
    sandbox.write("fly.toml", &format!("{FLY}\n[env]\n  WHO = \"{who}\"\n"));
}

pub(crate) fn apply(sandbox: &Sandbox, platform: &EmulatorProcess, who: &str) -> Command {
    let mut command = fly::on(sandbox, platform, &["apply", "-y", "--image", V1]);
    command
        .env("USER", who)
        .env("AEROFORM_STEADY", "1s")
        .env("AEROFORM_TEST_SEED", who)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn of_two_jobs_that_want_the_same_at_once_both_succeed_and_one_fleet_is_made() {
    let shared = tempfile::tempdir().unwrap();
    let bare = shared.path().join("bare.git");
    let clones = ["same", "same"].map(|who| fly_clone(&bare, who, "git+origin"));
    let platform = EmulatorProcess::start(&clones[0], &["--rate-limits", "off"]).and_app();
    let jobs = [(&clones[0], "run1"), (&clones[1], "run2")];
    let running = jobs.map(|(clone, who)| apply(clone, &platform, who).spawn().unwrap());
    let ended = running.map(|child| child.wait_with_output().unwrap());
    let shown = [0, 1].map(|n| clones[n].show(&ended[n])).join("\n");
    assert!(
        ended.iter().all(|output| output.status.success()),
        "{shown}"
    );
    assert_eq!(platform.machines().len(), 2, "{shown}");
    let serial = git(&bare, &["log", "--format=%s", "aeroform-state"]);
    assert_eq!(
        serial
            .lines()
            .filter(|line| line.contains("serial 1 "))
            .count(),
        1,
        "{serial}"
    );
}

/// Commits what this clone wants on the newest commit of main, and pushes it.
fn commit_who(sandbox: &Sandbox, who: &str) {
    let project = sandbox.project();
    loop {
        git(&project, &["fetch", "--quiet"]);
        git(&project, &["reset", "--quiet", "--hard", "origin/main"]);
        set_who(sandbox, who);
        git(&project, &["commit", "--quiet", "-a", "-m", who]);
        let push = git_command(&project, &["push", "--quiet", "origin", "HEAD:main"]).output();
        if push.unwrap().status.success() {
            return;
        }
    }
}

/// Two jobs of two commits at once, the second of which is a child of the first: whoever comes second goes on or is
/// refused, and the last commit is what runs. Holds rule 36. `AEROFORM_RACES` sets the number of applies.
#[test]
fn racing_jobs_lose_no_update_and_make_no_machine_twice_while_code_is_pushed() {
    let applies: u32 = std::env::var("AEROFORM_RACES").map_or(10, |n| n.parse().unwrap());
    let shared = tempfile::tempdir().unwrap();
    let bare = shared.path().join("bare.git");
    let url = "git+origin?branch=main&path=state/shop.json";
    let clones = ["a0", "b0"].map(|who| fly_clone(&bare, who, url));
    let platform = EmulatorProcess::start(&clones[0], &["--rate-limits", "off"]).and_app();
    let done = Arc::new(AtomicBool::new(false));
    let other = shared.path().join("other");
    git(
        shared.path(),
        &["clone", "--quiet", bare.to_str().unwrap(), "other"],
    );
    let pushing = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                std::fs::write(other.join("code"), n.to_string()).unwrap();
                git(&other, &["add", "."]);
                git(&other, &["commit", "--quiet", "-m", "code"]);
                let _ = git_command(&other, &["pull", "--quiet", "--rebase"]).output();
                let _ = git_command(&other, &["push", "--quiet"]).output();
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            n
        }
    });
    let apply = |sandbox: &Sandbox, who: &str| {
        let mut command = apply(sandbox, &platform, who);
        command.env("AEROFORM_STEADY", "100ms");
        command
    };
    let (mut log, mut last) = (String::new(), String::new());
    for round in 0..applies.div_ceil(2) {
        let names = ["a", "b"].map(|who| format!("{who}{round}"));
        for (clone, who) in clones.iter().zip(&names) {
            commit_who(clone, who);
        }
        let running = [0, 1].map(|n| apply(&clones[n], &names[n]).spawn().unwrap());
        let ended = running.map(|child| child.wait_with_output().unwrap());
        for n in [0, 1] {
            let shown = clones[n].show(&ended[n]);
            log.push_str(&shown);
            let names_winner = shown.contains(&format!("by {}", names[1 - n]));
            match ended[n].status.code() {
                Some(0) => {}
                Some(4) => assert!(names_winner, "{log}"),
                _ => panic!("{log}"),
            }
        }
        assert!(ended.iter().any(|output| output.status.success()), "{log}");
        if !ended[1].status.success() {
            let again = apply(&clones[1], &names[1]).output().unwrap();
            log.push_str(&clones[1].show(&again));
            assert!(again.status.success(), "{log}");
        }
        last.clone_from(&names[1]);
    }
    done.store(true, Ordering::Relaxed);
    assert!(pushing.join().unwrap() > 0);
    let machines = platform.machines();
    assert_eq!(machines.len(), 2, "{log}");
    for machine in machines {
        assert_eq!(machine["config"]["env"]["WHO"], last, "{log}");
    }
    // Each state follows the one before it, and no serial is written twice.
    let commits = git(
        &bare,
        &[
            "log",
            "--reverse",
            "--format=%H",
            "main",
            "--",
            "state/shop.json",
        ],
    );
    let app = AppName::new("shop").unwrap();
    let mut before: Option<(String, u64)> = None;
    for commit in commits.lines() {
        let output = git_command(&bare, &["show", &format!("{commit}:state/shop.json")]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let known = state::read(&text, &app).unwrap();
        let parent = before.as_ref().map(|(digest, _)| digest.clone());
        assert_eq!(known.parent, parent, "{commit} does not follow\n{log}");
        assert_eq!(
            known.serial,
            before.map_or(1, |(_, serial)| serial + 1),
            "{log}"
        );
        before = Some((state::digest(&text), known.serial));
    }
    let last = before.expect("there is a state").0;
    let now = git_command(&bare, &["show", "main:state/shop.json"])
        .output()
        .unwrap()
        .stdout;
    assert_eq!(state::digest(&String::from_utf8(now).unwrap()), last);
}
