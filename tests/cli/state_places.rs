//! What is done about the place of a state beside moving it: its log, its lock, and its preparation by `init`.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::git_command::git;
use crate::git_state;
use crate::sandbox::Sandbox;

#[test]
fn the_log_lists_the_runs_newest_first_from_a_file_git_or_a_copy() {
    let clone = git_state::Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    let none = sandbox.run(&["state", "log"]);
    assert!(
        none.starts_with("exit 0\n") && none.contains("the state lists no run"),
        "{none}"
    );
    sandbox.apply();
    let settings = sandbox.read("aeroform.toml");
    sandbox.write(
        "aeroform.toml",
        &settings.replacen("count = 1", "count = 2", 1),
    );
    sandbox.apply();
    let log = sandbox.run(&["state", "log"]);
    let first = clone.git(&["rev-parse", "--short=12", "HEAD"]);
    let log = log.replace(&first, "[commit]");
    assert_snapshot!(log, @r"
    exit 0
    --- stdout
    SERIAL  WHEN                  RUN         COMMIT                BY   COMMAND  OUTCOME
    2       2026-01-02T03:04:05Z  jk2oneacq4  [commit]+changes  ana  apply    complete
    1       2026-01-02T03:04:05Z  klocaqda2u  [commit]          ana  apply    complete
    ");
    let output = sandbox
        .command(&["state", "log", "--json"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["serial"], 2);
    let serials: Vec<_> = document["runs"].as_array().unwrap().iter().collect();
    let serials: Vec<u64> = serials
        .iter()
        .map(|run| run["serial"].as_u64().unwrap())
        .collect();
    assert_eq!(serials, [2, 1]);

    let pulled = sandbox.run(&["state", "pull", "pulled.json"]);
    assert!(pulled.starts_with("exit 0\n"), "{pulled}");
    // Without a remote, and without a valid fly.toml.
    clone.git(&["remote", "remove", "origin"]);
    let copy = sandbox.run(&["state", "log", "--state", "pulled.json"]);
    assert_eq!(copy.replace(&first, "[commit]"), log);
    let missing = sandbox.run(&["state", "log", "--state", "none.json"]);
    assert!(
        missing.starts_with("exit 1\n") && missing.contains("there is no `none.json`"),
        "{missing}"
    );
}

#[test]
fn a_lock_in_git_is_removed_by_force_at_once_and_the_lock_of_a_live_process_is_not() {
    let clone = git_state::Clone::new("git+origin");
    let sandbox = &clone.sandbox;
    sandbox.apply();
    let bare = clone.bare();
    let holder = "{\"who\":\"bo\",\"host\":\"ci-7\",\"pid\":7,\"command\":\"apply\",\"since\":\"2026-01-01T00:00:00Z\",\
                  \"run\":null,\"url\":\"https://host/jobs/1\"}";
    let empty = git(&bare, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let record = git(&bare, &["commit-tree", "-m", holder, &empty]);
    let lock = || git(&bare, &["update-ref", "refs/aeroform/lock/shop", &record]);
    lock();
    assert_snapshot!(sandbox.run(&["unlock", "--force"]), @r"
    exit 0
    --- stdout
    the lock of `git+origin` is removed; it was held by bo on ci-7 (pid 7, `aeroform apply`, since 2026-01-01T00:00:00Z, https://host/jobs/1)
    --- stderr
    `aeroform plan` shows what its run left
    ");
    lock();
    let output = sandbox
        .command(&["unlock", "--force", "--json"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&document["held"], &document["removed"]),
        (&false.into(), &true.into())
    );
    assert_eq!(document["holder"]["url"], "https://host/jobs/1");
    assert!(sandbox.run(&["unlock"]).contains("the lock is free"));
}

#[tokio::test]
async fn the_lock_of_a_file_ends_with_its_process_and_is_never_removed() {
    let sandbox = Sandbox::with_app();
    let held = crate::codes::lock(&sandbox).await;
    for args in [&["unlock"][..], &["unlock", "--force"]] {
        let shown = sandbox.run(args);
        assert!(
            shown.starts_with("exit 5\n")
                && shown.contains("held by ben on there")
                && shown.contains("stop that process"),
            "{shown}"
        );
        assert!(held.is_held());
    }
    held.release().await.unwrap();
}

/// A project with a fly.toml, in a clone of an empty remote.
fn fresh() -> git_state::Clone {
    let clone = git_state::Clone::with_settings(Sandbox::with_app(), "");
    std::fs::remove_file(clone.sandbox.project().join("aeroform.toml")).unwrap();
    clone
}

/// A hook of the remote that refuses these refs.
fn refuse(clone: &git_state::Clone, pattern: &str) {
    let hook = clone.bare().join("hooks/update");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let text = format!(
        "#!/bin/sh\ncase $1 in {pattern}) echo \"GH013: Repository rule violations found for $1\" >&2; exit 1;; esac\n"
    );
    std::fs::write(&hook, text).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn init_prepares_the_branch_and_the_lock_of_a_state_in_git() {
    let clone = fresh();
    let sandbox = &clone.sandbox;
    let args = ["init", "--provider", "local", "--state-url", "git+origin"];
    assert_snapshot!(sandbox.run(&args), @r"
    exit 0
    --- stdout
    `git+origin` takes the state; its lock is `refs/aeroform/lock/shop`
    wrote `aeroform.toml`, `.gitignore` and `aeroform.schema.json`
    --- stderr
    next: run `aeroform --provider local plan`
    ");
    let settings = sandbox.read("aeroform.toml");
    assert!(
        settings.contains("\n[state]\nurl = \"git+origin\"\n"),
        "{settings}"
    );
    let refs = clone.at_remote(&["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/aeroform-state\nrefs/heads/main");
    assert_eq!(clone.at_remote(&["ls-tree", "aeroform-state"]), "");
    sandbox.apply();
    assert_eq!(
        clone.at_remote(&["rev-list", "--count", "aeroform-state"]),
        "2"
    );

    // With an aeroform.toml that names it, as `terraform init` with a backend.
    clone.at_remote(&["branch", "-D", "aeroform-state"]);
    let shown = sandbox.run(&["init"]);
    assert!(
        shown.starts_with("exit 0\n") && shown.contains("`git+origin` takes the state"),
        "{shown}"
    );
    assert_eq!(
        clone.at_remote(&["rev-list", "--count", "aeroform-state"]),
        "1"
    );
    assert_eq!(sandbox.read("aeroform.toml"), settings);
    let output = sandbox.command(&["init", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["state"]["lock"], "refs/aeroform/lock/shop");
    let other = sandbox.run(&["init", "--state-url", "git+origin?branch=b"]);
    assert!(
        other.starts_with("exit 1\n") && other.contains("state migrate --to 'git+origin?branch=b'"),
        "{other}"
    );
}

#[test]
fn what_the_remote_refuses_is_found_by_init_and_no_file_is_written() {
    let url = "git+origin?branch=main&path=state/shop.json";
    for (pattern, url, said) in [
        (
            "refs/heads/aeroform-state",
            "git+origin",
            "except `aeroform-state` from the rule",
        ),
        ("refs/heads/main", url, "`url = \"git+origin\"`"),
        (
            "refs/*",
            "git+origin",
            "takes neither `refs/aeroform/lock/shop` nor",
        ),
        ("none", "git+upstream", "git remote add upstream"),
        ("none", "https://host/state", "is not supported"),
    ] {
        let clone = fresh();
        let sandbox = &clone.sandbox;
        refuse(&clone, pattern);
        let before = clone.git(&["status", "--porcelain"]);
        let shown = sandbox.run(&["init", "--provider", "local", "--state-url", url]);
        assert!(
            shown.starts_with("exit 1\n") && shown.contains(said),
            "{url}: {shown}"
        );
        assert_eq!(clone.git(&["status", "--porcelain"]), before);
        let lock = clone.at_remote(&["for-each-ref", "refs/aeroform"]);
        assert_eq!(lock, "", "{shown}");
    }
    // A server that takes only branches has its lock in one.
    let clone = fresh();
    refuse(&clone, "refs/aeroform/*");
    let args = ["init", "--provider", "local", "--state-url", "git+origin"];
    let shown = clone.sandbox.run(&args);
    assert!(
        shown.starts_with("exit 0\n")
            && shown.contains("its lock is `refs/heads/aeroform-lock/shop`"),
        "{shown}"
    );
    // The same is found by the first apply, before any Machine is changed.
    let clone = git_state::Clone::new("git+origin?branch=main&path=state/shop.json");
    refuse(&clone, "refs/heads/main");
    let shown = clone.sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("GH013"),
        "{shown}"
    );
    assert_eq!(clone.sandbox.machines(), 0);
}
