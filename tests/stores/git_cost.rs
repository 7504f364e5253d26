//! What the store in git costs: a write fetches one commit however long the branch is, and renewals of the lock
//! leave nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aeroform::core::fleet::AppName;
use aeroform::env::Env;
use aeroform::store::{GitAddress, GitStore, StateStore, WriteNote};

use crate::git_server::{GitServer, git, variables};
use crate::long_branch::long_branch;
use crate::store_contract::holder;

/// How many commits the branch of the state has.
const COMMITS: usize = 10_000;

fn store(server: &GitServer, clone: &Path) -> GitStore {
    let env = Env::from_vars(variables(server.path()));
    let app = AppName::new("shop").unwrap();
    let address = GitAddress::parse("git+origin", &app).unwrap();
    GitStore::new(
        &env,
        server.path().join("xdg"),
        clone.to_owned(),
        address,
        &app,
    )
}

/// The repository of the store that is open.
fn own_repository(server: &GitServer) -> PathBuf {
    let folders = fs::read_dir(server.path().join("xdg/git")).unwrap();
    let mut folders = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    folders.next().unwrap()
}

/// Every object of a repository, alternates excluded.
fn objects(repository: &Path) -> BTreeSet<String> {
    let args = [
        "cat-file",
        "--batch-all-objects",
        "--batch-check",
        "--unordered",
    ];
    let output = Command::new("git")
        .args(args)
        .current_dir(repository)
        .env_clear()
        .envs(variables(repository))
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Holds rule 36.
#[tokio::test]
async fn a_write_fetches_one_commit_of_a_long_branch() {
    let server = GitServer::new();
    let clone = server.clone("clone", &["--single-branch"]);
    long_branch(&server.bare(), COMMITS);
    let of_clone = objects(&clone);
    let store = store(&server, &clone);
    let version = store.read().await.unwrap().version;
    let own = own_repository(&server);
    let fetched = &objects(&own) - &of_clone;
    // A commit, its folder and its file.
    assert_eq!(fetched.len(), 3);
    let subject = "shop: serial 10001 · 1 updated".to_owned();
    let note = WriteNote {
        subject,
        trailers: Vec::new(),
    };
    store
        .write("the next state", &version, &note)
        .await
        .unwrap();
    store.read().await.unwrap();
    let commits = objects(&own)
        .into_iter()
        .filter(|object| object.contains(" commit "));
    let of_clone = of_clone
        .iter()
        .filter(|object| object.contains(" commit "))
        .count();
    // The one that was there and the one that was written.
    assert_eq!(commits.count() - of_clone, 2);
    let branch = git(&server.bare(), &["rev-list", "--count", "aeroform-state"]);
    assert_eq!(branch, (COMMITS + 1).to_string());
}

/// Holds rule 26.
#[tokio::test]
async fn twenty_renewals_leave_nothing_that_a_clone_fetches() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let mirror = |name: &str| {
        let url = server.url();
        git(server.path(), &["clone", "--quiet", "--mirror", url, name]);
        objects(&server.path().join(name))
    };
    let before = mirror("before");
    let store = store(&server, &clone).with_lock_ttl(Duration::from_millis(600));
    let held = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    let mut records = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    while records.len() <= 20 {
        assert!(Instant::now() < deadline, "renewed {} times", records.len());
        records.insert(git(
            &server.bare(),
            &["rev-parse", "refs/aeroform/lock/shop"],
        ));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever clones every ref while it is held gets the record of the last renewal, without files or parents.
    let during = &mirror("during") - &before;
    assert!(during.len() <= 2, "{during:?}");
    held.release().await.unwrap();
    assert!(mirror("after") == before, "something is left");
    let plain = server.clone("plain", &[]);
    let lock = git(&plain, &["for-each-ref", "--format=%(refname)"]);
    assert!(!lock.contains("lock"), "{lock}");
}

/// Holds rule 42.
#[tokio::test]
async fn a_repository_of_our_own_is_for_its_owner_only() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let store = store(&server, &clone);
    store.read().await.unwrap();
    let own = own_repository(&server);
    for folder in [&own, own.parent().unwrap()] {
        let mode = fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
}
