//! The store in git from every kind of clone: it works, the clone keeps every byte, and nothing that the
//! repository contains is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aeroform::core::fleet::AppName;
use aeroform::env::Env;
use aeroform::store::{GitAddress, GitStore, LockStatus, StateStore, StoreError, WriteNote};

use crate::clone_snapshot::CloneSnapshot;
use crate::git_server::{GitServer, git, variables};
use crate::hostile_clone::{set_traps, work_in};
use crate::store_contract::holder;

/// A clone: its work tree, and every folder that belongs to it.
struct Kind {
    work_tree: PathBuf,
    folders: Vec<PathBuf>,
}

impl Kind {
    fn plain(work_tree: PathBuf) -> Self {
        let folders = vec![work_tree.clone()];
        Self { work_tree, folders }
    }
}

type Make = fn(&GitServer) -> Kind;

/// Each kind, and how it is made.
const KINDS: [(&str, Make); 9] = [
    ("full", |server| Kind::plain(server.clone("full", &[]))),
    ("detached HEAD", |server| {
        let clone = server.clone("detached", &[]);
        git(&clone, &["checkout", "--quiet", "--detach"]);
        Kind::plain(clone)
    }),
    ("shallow", |server| {
        Kind::plain(server.clone("shallow", &["--depth=1"]))
    }),
    ("partial", |server| {
        Kind::plain(server.clone("partial", &["--filter=blob:none", "--no-checkout"]))
    }),
    ("sparse", |server| {
        let clone = server.clone("sparse", &["--sparse", "--filter=blob:none"]);
        git(&clone, &["sparse-checkout", "set", "app"]);
        Kind::plain(clone)
    }),
    ("a path with spaces", |server| {
        Kind::plain(server.clone("with spaces in it", &[]))
    }),
    ("a path that is not ASCII", |server| {
        Kind::plain(server.clone("größe's \"clone\"", &[]))
    }),
    ("linked work tree", |server| {
        let clone = server.clone("main", &[]);
        let args = ["worktree", "add", "--quiet", "-b", "linked", "../linked"];
        git(&clone, &args);
        let work_tree = server.path().join("linked");
        let folders = vec![clone, work_tree.clone()];
        Kind { work_tree, folders }
    }),
    ("submodule", |server| {
        let outer = server.path().join("outer");
        git(server.path(), &["init", "--quiet", "-b", "main", "outer"]);
        let allowed = "protocol.file.allow=always";
        let url = server.url();
        git(
            &outer,
            &["-c", allowed, "submodule", "--quiet", "add", url, "inner"],
        );
        git(&outer, &["commit", "--quiet", "-m", "inner"]);
        let work_tree = outer.join("inner");
        let folders = vec![outer];
        Kind { work_tree, folders }
    }),
];

fn store(server: &GitServer, clone: &Path, url: &str) -> GitStore {
    let env = Env::from_vars(variables(server.path()));
    let app = AppName::new("shop").unwrap();
    let address = GitAddress::parse(url, &app).unwrap();
    let state_dir = server.path().join("xdg");
    GitStore::new(&env, state_dir, clone.to_owned(), address, &app)
}

/// Every operation of a store, twice where that differs.
async fn use_store(store: &GitStore, text: &str) -> Result<(), StoreError> {
    store.read().await?;
    let held = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await?;
    assert!(matches!(store.holder().await?, LockStatus::Held(Some(_))));
    store.can_write().await?;
    for text in [text, "another text"] {
        let version = store.read().await?.version;
        let note = WriteNote {
            subject: "shop: a state".to_owned(),
            trailers: Vec::new(),
        };
        store.write(text, &version, &note).await?;
        assert_eq!(store.read().await?.text.as_deref(), Some(text));
    }
    held.release().await?;
    assert_eq!(store.holder().await?, LockStatus::Free);
    Ok(())
}

/// Holds rule 36.
#[tokio::test]
async fn every_kind_of_clone_works_keeps_every_byte_and_runs_nothing_of_the_repository() {
    for (name, make) in KINDS {
        let server = GitServer::new();
        let Kind { work_tree, folders } = make(&server);
        if name != "partial" {
            work_in(&work_tree);
        }
        let trap = server.path().join("trap");
        set_traps(&work_tree, &trap);
        // Making the clone may have run some.
        let _ = fs::remove_file(&trap);
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        let before = CloneSnapshot::of_all(&folders);
        let on_main = ("git+origin?branch=main&path=state/shop.json", "main");
        let own_branch = ("git+origin", "aeroform-state");
        let both = [on_main, own_branch];
        // The kind of the clone matters most where the state is beside its files.
        let urls = if name == "full" {
            &both[..]
        } else {
            &both[..1]
        };
        for (url, branch) in urls {
            let store = store(&server, &work_tree, url);
            let used = use_store(&store, &format!("from {name}")).await;
            used.unwrap_or_else(|error| panic!("{name}: {url}: {error}"));
            let older = git(&server.bare(), &["rev-parse", &format!("{branch}~1")]);
            let text = store.read_at(&older).await;
            let text = text.unwrap_or_else(|error| panic!("{name}: {url}: {error}"));
            assert_eq!(text, Some(format!("from {name}")), "{url}");
        }
        let files = git(&server.bare(), &["ls-tree", "-r", "--name-only", "main"]);
        assert_eq!(files, "app/main\nfly.toml\nstate/shop.json", "{name}");
        before.assert_unchanged(name);
        let ran = fs::read_to_string(&trap);
        assert!(ran.is_err(), "{name}: the repository made git run {ran:?}");
        let left = fs::read_dir(server.path().join("xdg/git")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["aeroform.lock"], "{name}");
    }
}

/// Each of the traps works, so that the test above can fail.
#[test]
fn the_traps_of_a_hostile_repository_are_armed() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let trap = server.path().join("trap");
    set_traps(&clone, &trap);
    let _ = fs::remove_file(&trap);
    for args in [
        &["status"][..],
        &["fetch"],
        &["push", "origin", "HEAD:refs/heads/other"],
        &["diff"],
    ] {
        let mut command = Command::new("git");
        command.args(args).current_dir(&clone).env_clear();
        let _ = command.envs(variables(server.path())).output().unwrap();
    }
    let ran = fs::read_to_string(&trap).unwrap();
    for part in [
        "touch-trap",
        "hooks/reference-transaction",
        "hooks/pre-push",
    ] {
        assert!(ran.contains(part), "{part}: {ran}");
    }
}

/// Container jobs have the clone of another user.
#[tokio::test]
async fn the_clone_of_another_user_works_once_git_trusts_it() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can give a clone to another user");
        return;
    }
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let chown = Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(&clone)
        .status();
    assert!(chown.unwrap().success());
    let before = CloneSnapshot::of(&clone);
    let refused = use_store(&store(&server, &clone, "git+origin"), "text").await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("git does not trust"), "{refused}");
    let trusted = clone.to_str().unwrap();
    git(
        server.path(),
        &["config", "--global", "--add", "safe.directory", trusted],
    );
    use_store(&store(&server, &clone, "git+origin"), "text")
        .await
        .unwrap();
    before.assert_unchanged("another user's clone");
}
