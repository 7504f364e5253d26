//! The store in git: the contract over each transport, what a server may refuse, and what the user's clone
//! keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aeroform::core::fleet::AppName;
use aeroform::env::Env;
use aeroform::git::PushRefusal;
use aeroform::store::{
    GitAddress, GitStore, Holder, LockStatus, StateLock, StateStore, StoreError, Unlock, Unlocked,
    WriteNote,
};

use crate::git_server::{GitServer, Transport, git, variables};
use crate::store_contract::{self as contract, StoreFixture, holder};

/// Short, so that a lost lock is noticed soon.
const LOCK_TTL: Duration = Duration::from_secs(6);

impl GitServer {
    fn store(&self, clone: &Path, url: &str) -> GitStore {
        let env = Env::from_vars(variables(self.path()));
        let app = AppName::new("shop").unwrap();
        let address = GitAddress::parse(url, &app).unwrap();
        let state_dir = self.path().join("xdg");
        GitStore::new(&env, state_dir, clone.to_owned(), address, &app).with_lock_ttl(LOCK_TTL)
    }
}

struct GitFixture(GitServer);

impl GitFixture {
    fn over(transport: Transport) -> Self {
        let server = GitServer::serving(transport);
        server.clone("clone", &[]);
        Self(server)
    }
}

impl StoreFixture for GitFixture {
    fn client(&self) -> Box<dyn StateStore> {
        let clone = self.0.clone("clone", &[]);
        Box::new(self.0.store(&clone, "git+origin"))
    }

    fn break_lock(&self) {
        git(
            &self.0.bare(),
            &["update-ref", "-d", "refs/aeroform/lock/shop"],
        );
        // The holder notices it when it renews.
        std::thread::sleep(LOCK_TTL * 2 / 3);
    }
}

macro_rules! keeps_over_files {
    ($($promise:ident)*) => {
        mod over_files {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                contract::$promise(&GitFixture::over(Transport::File)).await;
            })*
        }
    };
}

macro_rules! keeps_over_the_daemon {
    ($($promise:ident)*) => {
        mod over_the_daemon {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                contract::$promise(&GitFixture::over(Transport::Daemon)).await;
            })*
        }
    };
}

macro_rules! keeps_over_http {
    ($($promise:ident)*) => {
        mod over_http {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                contract::$promise(&GitFixture::over(Transport::Http)).await;
            })*
        }
    };
}

crate::store_contract::store_promises!(keeps_over_files);
crate::store_contract::store_promises!(keeps_over_the_daemon);
crate::store_contract::store_promises!(keeps_over_http);

fn note(subject: &str) -> WriteNote {
    WriteNote {
        subject: subject.to_owned(),
        trailers: vec![("Aeroform-Run", "7f3k".to_owned())],
    }
}

/// The lock of a free store.
async fn locked(store: &GitStore, who: &str) -> Box<dyn StateLock> {
    let who = holder(who);
    let lock = store.lock(&who, Duration::ZERO, &mut |_| {}).await;
    lock.unwrap()
}

async fn put(store: &GitStore, text: &str, subject: &str) -> Result<(), StoreError> {
    let version = store.read().await?.version;
    store.write(text, &version, &note(subject)).await.map(drop)
}

/// Holds rule 36.
#[tokio::test]
async fn each_state_is_a_commit_that_follows_the_branch_and_says_its_run() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let store = server.store(&clone, "git+origin");
    put(&store, "one", "shop: serial 1 · 6 created")
        .await
        .unwrap();
    put(&store, "two", "shop: serial 2 · 1 updated")
        .await
        .unwrap();
    let branch = "refs/heads/aeroform-state";
    assert_eq!(
        server.show(branch),
        "shop: serial 2 · 1 updated [skip ci]\n\nAeroform-Run: 7f3k"
    );
    assert_eq!(git(&server.bare(), &["rev-list", "--count", branch]), "2");
    let files = git(&server.bare(), &["ls-tree", "-r", "--name-only", branch]);
    assert_eq!(files, "shop.json");
    assert_eq!(
        git(&server.bare(), &["log", "-1", "--format=%an <%ae>", branch]),
        "Ana <ana@localhost>"
    );
    // The same text again is no commit.
    put(&store, "two", "again").await.unwrap();
    assert_eq!(git(&server.bare(), &["rev-list", "--count", branch]), "2");
}

/// Holds rule 36.
#[tokio::test]
async fn code_that_is_pushed_meanwhile_does_not_disturb_a_write() {
    let server = GitServer::new();
    let clone = server.clone("clone", &["--depth=1"]);
    let url = "git+origin?branch=main&path=state/shop.json&skip_ci=false";
    let store = server.store(&clone, url);
    put(&store, "one", "first").await.unwrap();
    let seen = store.read().await.unwrap().version;
    let other = server.clone("other", &[]);
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let pushing = std::thread::spawn({
        let done = done.clone();
        move || {
            let mut pushed = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                fs::write(other.join("code"), pushed.to_string()).unwrap();
                git(&other, &["add", "."]);
                git(&other, &["commit", "--quiet", "-m", "code"]);
                git(&other, &["pull", "--quiet", "--rebase", "origin", "main"]);
                let mut push = Command::new("git");
                push.args(["push", "--quiet", "origin", "main"]);
                let _ = push.current_dir(&other).stderr(Stdio::null()).status();
                pushed += 1;
                // At most 20 a second.
                std::thread::sleep(Duration::from_millis(50));
            }
            pushed
        }
    });
    let mut version = seen;
    for n in 0..5 {
        let text = format!("text {n}");
        version = store.write(&text, &version, &note("next")).await.unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(pushing.join().unwrap() > 0);
    assert_eq!(store.read().await.unwrap().text.as_deref(), Some("text 4"));
    let head = git(&server.bare(), &["show", "main:state/shop.json"]);
    assert_eq!(head, "text 4");
    let states = git(
        &server.bare(),
        &["log", "--format=%s", "main", "--", "state"],
    );
    assert_eq!(states.lines().count(), 6, "{states}");
    let files = git(&server.bare(), &["ls-tree", "-r", "--name-only", "main"]);
    assert!(
        files.contains("fly.toml") && files.contains("code"),
        "{files}"
    );
}

#[tokio::test]
async fn each_refusal_of_a_server_is_told_from_the_others_before_anything_is_changed() {
    for (text, kind) in [
        (
            "GH006: Protected branch update failed",
            PushRefusal::Protected,
        ),
        (
            "GH013: Repository rule violations found",
            PushRefusal::Protected,
        ),
        (
            "GitLab: You are not allowed to push code to protected branches",
            PushRefusal::Protected,
        ),
        ("Permission to a/b.git denied to bot.", PushRefusal::Rights),
        ("your quota exceeded its size limit", PushRefusal::Space),
        ("no state on Fridays", PushRefusal::Hook),
    ] {
        let server = GitServer::new();
        let clone = server.clone("clone", &[]);
        let store = server.store(&clone, "git+origin");
        server.refuse(text);
        let error = store.can_write().await.unwrap_err();
        match error {
            StoreError::Remote { refusal, cause, .. } => {
                assert_eq!(refusal, Some(kind), "{cause}");
                assert!(cause.contains(text), "{cause}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Holds rule 26.
#[tokio::test]
async fn a_lock_whose_holder_died_is_taken_over_after_one_lifetime_and_not_before() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let dead = server.store(&clone, "git+origin");
    let held = dead
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    // Killed: it neither renews nor releases.
    let record = git(&server.bare(), &["rev-parse", "refs/aeroform/lock/shop"]);
    drop(held);
    git(
        &server.bare(),
        &["update-ref", "refs/aeroform/lock/shop", &record],
    );
    let began = Instant::now();
    let store = server.store(&clone, "git+origin");
    let mut named = Vec::new();
    let mut waiting = |by: Option<&Holder>| named.push(by.cloned());
    let taken = store
        .lock(&holder("bo"), LOCK_TTL * 3, &mut waiting)
        .await
        .unwrap();
    assert!(began.elapsed() >= LOCK_TTL, "taken over too soon");
    assert!(taken.is_held());
    assert_eq!(named, [Some(holder("ana"))]);
}

/// Holds rule 26.
#[tokio::test]
async fn of_several_racers_one_wins_and_a_renewed_lock_is_never_taken_over() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let stores: Vec<GitStore> = (0..3).map(|_| server.store(&clone, "git+origin")).collect();
    let who = holder("same record");
    let races = stores
        .iter()
        .map(|store| async { store.lock(&who, Duration::ZERO, &mut |_| {}).await.ok() });
    let won = futures_util::future::join_all(races).await;
    let winners: Vec<_> = won.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let late = stores[0]
        .lock(&holder("late"), LOCK_TTL * 2, &mut |_| {})
        .await;
    assert!(
        matches!(late, Err(StoreError::Locked { .. })),
        "{:?}",
        late.err()
    );
    assert!(winners[0].is_held());
}

/// Holds rules 26 and 36.
#[tokio::test]
async fn a_lock_that_is_renewed_during_a_write_leaves_the_other_files_of_the_branch() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let url = "git+origin?branch=main&path=state/shop.json";
    // Renewed all the time.
    let store = server
        .store(&clone, url)
        .with_lock_ttl(Duration::from_millis(3));
    let held = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    for n in 0..10 {
        put(&store, &format!("text {n}"), "next").await.unwrap();
        let files = git(&server.bare(), &["ls-tree", "-r", "--name-only", "main"]);
        assert_eq!(files, "app/main\nfly.toml\nstate/shop.json", "after {n}");
    }
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_only_branches_gets_a_branch_for_the_lock() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let hook = server.bare().join("hooks/update");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let only = "#!/bin/sh\ncase $1 in refs/heads/*) ;; *) echo no >&2; exit 1;; esac\n";
    fs::write(&hook, only).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let (first, second) = (
        server.store(&clone, "git+origin"),
        server.store(&clone, "git+origin"),
    );
    let held = first
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    let refs = git(&server.bare(), &["for-each-ref", "--format=%(refname)"]);
    assert!(refs.contains("refs/heads/aeroform-lock/shop"), "{refs}");
    let refused = second
        .lock(&holder("bo"), Duration::ZERO, &mut |_| {})
        .await;
    assert!(matches!(refused, Err(StoreError::Locked { .. })));
    held.release().await.unwrap();
    second
        .lock(&holder("bo"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
}

/// A lock whose holder was killed: it neither renews nor releases it.
async fn dead_lock(server: &GitServer, clone: &Path) -> String {
    let name = "refs/aeroform/lock/shop";
    let dead = server.store(clone, "git+origin");
    let held = locked(&dead, "ana").await;
    let record = git(&server.bare(), &["rev-parse", name]);
    drop(held);
    git(&server.bare(), &["update-ref", name, &record]);
    record
}

/// Holds rule 26.
#[tokio::test]
async fn unlock_removes_a_lock_that_nobody_renews_and_leaves_a_renewed_one() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let store = server.store(&clone, "git+origin");
    let mut watched = Vec::new();
    let mut watching = |by: Option<&Holder>, limit: Duration| watched.push((by.cloned(), limit));
    let free = store.unlock(Unlock::IfStale, &mut watching).await;
    assert_eq!(free.unwrap(), Unlocked::Free);
    dead_lock(&server, &clone).await;
    let began = Instant::now();
    let removed = store.unlock(Unlock::IfStale, &mut watching).await;
    assert_eq!(removed.unwrap(), Unlocked::Removed(Some(holder("ana"))));
    assert!(began.elapsed() >= LOCK_TTL, "removed too soon");
    assert_eq!(watched, [(Some(holder("ana")), LOCK_TTL)]);
    assert_eq!(store.holder().await.unwrap(), LockStatus::Free);

    let live = server.store(&clone, "git+origin");
    let held = locked(&live, "bo").await;
    let began = Instant::now();
    let refused = store.unlock(Unlock::IfStale, &mut |_, _| {}).await;
    let alive = Unlocked::Live {
        holder: Some(holder("bo")),
        by_force: true,
    };
    assert_eq!(refused.unwrap(), alive);
    assert!(began.elapsed() < LOCK_TTL, "a renewal ends the watch");
    assert!(held.is_held());
    let removed = store.unlock(Unlock::Force, &mut |_, _| {}).await;
    assert_eq!(removed.unwrap(), Unlocked::Removed(Some(holder("bo"))));
    // The holder notices it when it renews, and starts no further call.
    let deadline = Instant::now() + LOCK_TTL;
    while held.is_held() {
        assert!(Instant::now() < deadline, "the holder goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(store.holder().await.unwrap(), LockStatus::Free);
}

/// Holds rule 26.
#[tokio::test]
async fn unlock_leaves_the_lock_of_a_run_that_took_it_while_it_was_watched() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    dead_lock(&server, &clone).await;
    let store = server.store(&clone, "git+origin");
    let next = server.store(&clone, "git+origin");
    let bo = holder("bo");
    let (mut watching, mut waiting) = (|_: Option<&Holder>, _| {}, |_: Option<&Holder>| {});
    let (unlocked, taken) = futures_util::future::join(
        store.unlock(Unlock::IfStale, &mut watching),
        next.lock(&bo, LOCK_TTL * 3, &mut waiting),
    )
    .await;
    let (unlocked, taken) = (unlocked.unwrap(), taken.unwrap());
    assert!(taken.is_held(), "{unlocked:?}");
    let status = store.holder().await.unwrap();
    assert_eq!(status, LockStatus::Held(Some(holder("bo"))), "{unlocked:?}");
}

#[tokio::test]
async fn a_server_that_takes_no_lock_is_refused_with_both_refs() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let hook = server.bare().join("hooks/update");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho \"not $1\" >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let store = server.store(&clone, "git+origin");
    let refused = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await;
    let Err(StoreError::Remote { cause, refusal, .. }) = refused else {
        panic!("{:?}", refused.err());
    };
    assert_eq!(refusal, Some(PushRefusal::Hook), "{cause}");
    for name in [
        "not refs/aeroform/lock/shop",
        "not refs/heads/aeroform-lock/shop",
    ] {
        assert!(cause.contains(name), "{cause}");
    }
}

/// Holds rule 36.
#[tokio::test]
async fn a_rule_of_a_branch_that_exists_is_found_before_a_write_and_the_branch_is_not_touched() {
    for transport in [Transport::File, Transport::Daemon, Transport::Http] {
        let server = GitServer::serving(transport);
        let clone = server.clone("clone", &[]);
        let url = "git+origin?branch=main&path=state/shop.json";
        let store = server.store(&clone, url);
        let held = locked(&store, "ana").await;
        let refs = || {
            let all = git(&server.bare(), &["for-each-ref"]);
            let others = all.lines().filter(|line| !line.contains("refs/aeroform/"));
            others.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = refs();
        store.can_write().await.unwrap();
        assert_eq!(refs(), before, "{transport:?}");
        let hook = server.bare().join("hooks/pre-receive");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        let protected = "#!/bin/sh\nwhile read old new name; do case $name in refs/heads/main) \
                         echo 'GH006: Protected branch update failed' >&2; exit 1;; esac; done\n";
        fs::write(&hook, protected).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        match store.can_write().await {
            Err(StoreError::Remote { refusal, cause, .. }) => {
                assert_eq!(refusal, Some(PushRefusal::Protected), "{cause}");
            }
            other => panic!("{transport:?}: {other:?}"),
        }
        // A rule of another branch does not count.
        let other = server.store(&clone, "git+origin?branch=state");
        other.can_write().await.unwrap();
        held.release().await.unwrap();
        // A server that takes no push of several refs as one shows its rules only at the write.
        git(
            &server.bare(),
            &["config", "receive.advertiseAtomic", "false"],
        );
        let held = locked(&store, "ana").await;
        store.can_write().await.unwrap();
        held.release().await.unwrap();
    }
}

/// Holds rule 38.
#[tokio::test]
async fn a_foreign_host_is_refused_unless_a_variable_allows_it() {
    let server = GitServer::new();
    let clone = server.clone("clone", &[]);
    let there = format!("git+file://{}", server.bare().display());
    let store = server.store(&clone, &there);
    let refused = store.read().await;
    assert!(
        matches!(refused, Err(StoreError::Address(_))),
        "{refused:?}"
    );
    let mut vars = variables(server.path());
    vars.insert(
        "AEROFORM_STATE_REMOTE".to_owned(),
        there.strip_prefix("git+").unwrap().to_owned(),
    );
    let app = AppName::new("shop").unwrap();
    let address = GitAddress::parse(&there, &app).unwrap();
    let allowed = GitStore::new(
        &Env::from_vars(vars),
        server.path().join("xdg"),
        clone,
        address,
        &app,
    );
    put(&allowed, "one", "first").await.unwrap();
    assert_eq!(allowed.read().await.unwrap().text.as_deref(), Some("one"));
}
