//! The file store.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aeroform::store::{Holder, LocalStore, LockStatus, StateStore, StoreError, WriteNote};

use crate::store_contract::{self as contract, StoreFixture, holder};

struct LocalStoreFixture(tempfile::TempDir);

impl LocalStoreFixture {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("state/shop.json")
    }

    fn store(&self) -> LocalStore {
        store_at(&self.path())
    }
}

impl StoreFixture for LocalStoreFixture {
    fn client(&self) -> Box<dyn StateStore> {
        Box::new(self.store())
    }

    fn break_lock(&self) {
        fs::remove_file(self.0.path().join("state/.shop.json.lock")).unwrap();
    }
}

macro_rules! keeps {
    ($($promise:ident)*) => {$(
        #[tokio::test]
        async fn $promise() {
            contract::$promise(&LocalStoreFixture::new()).await;
        }
    )*};
}

crate::store_contract::store_promises!(keeps);

fn store_at(path: &Path) -> LocalStore {
    LocalStore::new(path.to_owned(), "state/shop.json".to_owned())
}

async fn put(store: &LocalStore, text: &str) -> Result<(), StoreError> {
    let version = store.read().await?.version;
    store
        .write(text, &version, &WriteNote::default())
        .await
        .map(drop)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_io<T: std::fmt::Debug>(result: Result<T, StoreError>, verb: &str, expected: ErrorKind) {
    match result {
        Err(StoreError::Io {
            what,
            place,
            source,
        }) => {
            assert_eq!(
                (what, place.as_str(), source.kind()),
                (verb, "state/shop.json", expected),
                "{source}"
            );
        }
        other => panic!("expected {expected:?}, got {other:?}"),
    }
}

/// Holds rule 42.
#[tokio::test]
async fn a_new_state_is_for_its_owner_alone_and_nothing_else_is_left_beside_it() {
    let folder = LocalStoreFixture::new();
    put(&folder.store(), "one").await.unwrap();
    assert_eq!(mode(&folder.path()), 0o600);
    assert_eq!(mode(folder.path().parent().unwrap()), 0o700);
    assert_eq!(names(folder.path().parent().unwrap()), ["shop.json"]);
}

#[tokio::test]
async fn a_state_that_exists_keeps_its_mode() {
    let folder = LocalStoreFixture::new();
    put(&folder.store(), "one").await.unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o664)).unwrap();
    put(&folder.store(), "two").await.unwrap();
    assert_eq!(mode(&folder.path()), 0o664);
}

#[tokio::test]
async fn a_linked_state_is_written_where_the_link_points_and_shares_its_lock() {
    let folder = LocalStoreFixture::new();
    let link = folder.0.path().join("link.json");
    symlink("state/shop.json", &link).unwrap();
    for text in ["through a link to nothing", "through a link to a file"] {
        put(&store_at(&link), text).await.unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(folder.path()).unwrap(), text);
    }
    let _held = folder
        .store()
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    let status = store_at(&link).holder().await.unwrap();
    assert_eq!(status, LockStatus::Held(Some(holder("ana"))));
}

#[tokio::test]
async fn a_circle_of_links_is_an_error() {
    let folder = LocalStoreFixture::new();
    let link = folder.0.path().join("link.json");
    symlink("link.json", &link).unwrap();
    assert!(matches!(
        store_at(&link).read().await,
        Err(StoreError::Io { what: "read", .. })
    ));
    assert!(store_at(&link).holder().await.is_err());
}

#[tokio::test]
async fn a_read_only_state_is_refused_and_left_as_it_is() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    put(&store, "one").await.unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o444)).unwrap();
    assert_io(
        put(&store, "two").await,
        "write",
        ErrorKind::PermissionDenied,
    );
    assert_eq!(fs::read_to_string(folder.path()).unwrap(), "one");
    assert_eq!(names(folder.path().parent().unwrap()), ["shop.json"]);
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_state_is_an_error() {
    let folder = LocalStoreFixture::new();
    fs::create_dir_all(folder.path()).unwrap();
    assert_io(folder.store().read().await, "read", ErrorKind::IsADirectory);
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_an_error() {
    let folder = LocalStoreFixture::new();
    fs::write(folder.0.path().join("state"), "a file").unwrap();
    let store = folder.store();
    assert_io(store.read().await, "read", ErrorKind::NotADirectory);
    let locked = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await;
    assert_io(locked.map(drop), "lock", ErrorKind::NotADirectory);
}

#[tokio::test]
async fn a_device_or_pipe_is_refused_without_reading_it() {
    assert_io(
        store_at(Path::new("/dev/zero")).read().await,
        "read",
        ErrorKind::Other,
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_are_an_error() {
    let folder = LocalStoreFixture::new();
    fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    fs::write(folder.path(), [0xff, 0xfe, 0]).unwrap();
    assert_io(folder.store().read().await, "read", ErrorKind::InvalidData);
}

#[tokio::test]
async fn of_many_writers_over_one_version_exactly_one_wins() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    put(&store, "base").await.unwrap();
    let seen = store.read().await.unwrap().version;
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let (store, seen) = (store.clone(), seen.clone());
            let text = format!("writer {n} ").repeat(10_000);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime
                    .block_on(store.write(&text, &seen, &WriteNote::default()))
                    .map(|_| text)
            })
        })
        .collect();
    let won: Vec<_> = writers
        .into_iter()
        .filter_map(|writer| writer.join().unwrap().ok())
        .collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.read().await.unwrap().text.as_ref(), Some(&won[0]));
    assert_eq!(names(folder.path().parent().unwrap()), ["shop.json"]);
}

/// Holds rule 26.
#[tokio::test]
async fn the_lock_file_stays_after_a_release_and_names_no_holder() {
    let folder = LocalStoreFixture::new();
    let lock = folder
        .store()
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    let path = folder.0.path().join("state/.shop.json.lock");
    assert_eq!(mode(&path), 0o600);
    assert!(fs::read_to_string(&path).unwrap().contains("ana"));
    lock.release().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[tokio::test]
async fn a_lock_whose_holder_wrote_nothing_sensible_is_held_all_the_same() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    let _held = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    fs::write(folder.0.path().join("state/.shop.json.lock"), "{\"who\": 3").unwrap();
    assert_eq!(store.holder().await.unwrap(), LockStatus::Held(None));
}

#[tokio::test]
async fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    put(&store, "one").await.unwrap();
    let precious = folder.0.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, folder.0.path().join("state/.shop.json.lock")).unwrap();
    let locked = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await;
    assert!(matches!(
        locked.map(drop),
        Err(StoreError::Io { what: "lock", .. })
    ));
    assert!(store.holder().await.is_err());
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

/// Holds rule 26.
#[tokio::test]
async fn the_lock_goes_with_the_process_that_holds_it_even_by_sigkill() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    put(&store, "one").await.unwrap();
    let path = folder.0.path().join("state/.shop.json.lock");
    // One process, so that killing it kills the holder.
    let mut child = Command::new("flock")
        .arg("--no-fork")
        .arg(&path)
        .args(["sh", "-c", "echo held; exec sleep 600"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("util-linux has flock");
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "held\n");
    assert_eq!(store.holder().await.unwrap(), LockStatus::Held(None));
    let refused = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await;
    assert!(matches!(
        refused.map(drop),
        Err(StoreError::Locked { holder: None })
    ));
    child.kill().unwrap();
    child.wait().unwrap();
    let acquired = store
        .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
        .await;
    assert!(acquired.unwrap().is_held());
}

#[tokio::test]
async fn inspecting_the_lock_does_not_fail_an_acquire() {
    let folder = LocalStoreFixture::new();
    let store = folder.store();
    put(&store, "one").await.unwrap();
    let path = folder.0.path().join("state/.shop.json.lock");
    let seen = fs::File::create(path).unwrap();
    seen.lock_shared().unwrap();
    let mut ignore = |_: Option<&Holder>| {};
    let ana = holder("ana");
    let (lock, ()) = tokio::join!(store.lock(&ana, Duration::ZERO, &mut ignore), async move {
        drop(seen);
    });
    assert!(lock.unwrap().is_held());
}
