//! The default store: a file in the project, with a lock file beside it.
//!
//! The lock works on one host; the plan says so where that matters. File system calls are short and blocking,
//! because nothing else happens while a state is read or written. The wait for the lock polls in its own loop:
//! it has no number of tries, and each new holder is shown.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::atomic_replace::{
    StageHook, check_replaceable, create_folder, replace, resolve, split, writable_mode,
};
use super::lock_file::{self, LockFile};
use super::{
    Holder, LockStatus, LockWait, MAX_STATE_BYTES, StateLock, StateStore, StoreError, StoredText,
    Version, WriteNote,
};
use crate::core::state::digest;

/// How often a waiter polls; short for a person, and locks are held for seconds.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The minimum wait: inspecting the holder takes the lock for an instant.
const MIN_PATIENCE: Duration = Duration::from_millis(50);

/// A state file on this host.
#[derive(Debug, Clone)]
pub struct LocalStore {
    path: PathBuf,
    display_path: String,
}

impl LocalStore {
    /// A store at `path`, displayed as `shown`. Creates nothing yet: the first write or lock creates file and
    /// folder, 0600 and 0700. An existing file keeps its mode. A symbolic link is followed, and its target is
    /// replaced.
    pub fn new(path: PathBuf, shown: String) -> Self {
        Self {
            path,
            display_path: shown,
        }
    }

    fn error(&self, what: &'static str, source: io::Error) -> StoreError {
        let place = self.display_path.clone();
        StoreError::Io {
            what,
            place,
            source,
        }
    }

    fn load(&self) -> io::Result<Option<String>> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory",
            ));
        }
        // Reading a pipe or device may block forever.
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > MAX_STATE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "it has {} bytes, and the limit is {MAX_STATE_BYTES}",
                    metadata.len()
                ),
            ));
        }
        let mut text = String::new();
        // The file may grow meanwhile.
        let mut file = fs::File::open(&self.path)?.take(MAX_STATE_BYTES);
        file.read_to_string(&mut text)?;
        Ok(Some(text))
    }

    fn write_if_version(
        &self,
        text: &str,
        if_version: &Version,
        at: &mut StageHook<'_>,
    ) -> Result<Version, StoreError> {
        let unchanged = || Ok(version_of(self.load()?.as_deref()) == *if_version);
        let replaced = resolve(&self.path).and_then(|target| replace(&target, text, unchanged, at));
        match replaced {
            Ok(true) => Ok(version_of(Some(text))),
            Ok(false) => Err(StoreError::Changed {
                place: self.display_path.clone(),
            }),
            Err(source) => Err(self.error("write", source)),
        }
    }

    /// `.shop.json.lock` beside the resolved file, so that two links to one state share a lock.
    fn lock_path(&self) -> io::Result<PathBuf> {
        let target = resolve(&self.path)?;
        let (folder, name) = split(&target)?;
        let mut lock = std::ffi::OsString::from(".");
        lock.push(name);
        lock.push(".lock");
        Ok(folder.join(lock))
    }

    /// A locker is going to write, so a state that is not writable fails here, before the first call.
    fn try_lock(&self, holder: &Holder) -> io::Result<Option<LockFile>> {
        writable_mode(&resolve(&self.path)?)?;
        let path = self.lock_path()?;
        create_folder(split(&path)?.0)?;
        LockFile::try_take(&path, holder)
    }
}

#[async_trait]
impl StateStore for LocalStore {
    fn location(&self) -> String {
        self.display_path.clone()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        let text = self.load().map_err(|source| self.error("read", source))?;
        let version = version_of(text.as_deref());
        Ok(StoredText { text, version })
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        _note: &WriteNote,
    ) -> Result<Version, StoreError> {
        self.write_if_version(text, if_version, &mut |_| Ok(()))
    }

    async fn can_write(&self) -> Result<(), StoreError> {
        resolve(&self.path)
            .and_then(|target| check_replaceable(&target))
            .map_err(|source| self.error("write", source))
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        // `None` is a deadline beyond the clock's range.
        let deadline = Instant::now().checked_add(patience.max(MIN_PATIENCE));
        let mut shown_holder: Option<Option<Holder>> = None;
        loop {
            let acquired = self.try_lock(holder);
            if let Some(lock) = acquired.map_err(|source| self.error("lock", source))? {
                return Ok(Box::new(LocalLock(lock)));
            }
            let other = match self.holder().await? {
                LockStatus::Held(other) => other,
                // It was released meanwhile; the next try decides.
                LockStatus::Free => None,
            };
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(StoreError::Locked {
                    holder: other.map(Box::new),
                });
            }
            if patience > MIN_PATIENCE && shown_holder.as_ref() != Some(&other) {
                waiting(other.as_ref());
                shown_holder = Some(other);
            }
            tokio::time::sleep(
                left.map_or(LOCK_POLL_INTERVAL, |left| left.min(LOCK_POLL_INTERVAL)),
            )
            .await;
        }
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        self.lock_path()
            .and_then(|path| lock_file::inspect(&path))
            .map_err(|source| self.error("check the lock of", source))
    }
}

/// A held lock of a [`LocalStore`].
#[derive(Debug)]
struct LocalLock(LockFile);

#[async_trait]
impl StateLock for LocalLock {
    fn is_held(&self) -> bool {
        self.0.is_held()
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Absent text has its own version, so that a first write cannot replace a file that appeared meanwhile.
fn version_of(text: Option<&str>) -> Version {
    Version(text.map_or_else(|| "absent".to_owned(), digest))
}

/// Writes a durable copy of a state that its store refused, for `aeroform state push`: in `dir`, mode 0600,
/// named `name`, with a number if that exists. Never overwrites a file.
///
/// # Errors
/// An error of the system; no partial copy remains.
pub fn write_copy(dir: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    create_folder(dir)?;
    let mut path = dir.join(name);
    let mut number = 1;
    let mut file = loop {
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => break file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                number += 1;
                path = dir.join(format!("{name}.{number}"));
            }
            Err(error) => return Err(error),
        }
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::File::open(dir)?.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::atomic_replace::ReplaceStage;
    use super::*;

    const MOMENTS: [ReplaceStage; 6] = [
        ReplaceStage::Compared,
        ReplaceStage::Created,
        ReplaceStage::Filled,
        ReplaceStage::Synced,
        ReplaceStage::Renamed,
        ReplaceStage::Durable,
    ];

    /// A store that contains `old`.
    fn store_in(folder: &Path) -> LocalStore {
        let store = LocalStore::new(folder.join("shop.json"), "shop.json".to_owned());
        put(&store, "old", &mut |_| Ok(())).unwrap();
        store
    }

    fn put(store: &LocalStore, text: &str, at: &mut StageHook<'_>) -> Result<Version, StoreError> {
        let version = version_of(store.load().unwrap().as_deref());
        store.write_if_version(text, &version, at)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_at_any_moment_leaves_old_or_new_content_and_nothing_else() {
        for (index, failing) in MOMENTS.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let store = store_in(folder.path());
            let full = || Err(io::ErrorKind::StorageFull.into());
            let result = put(&store, "new", &mut |moment| {
                if moment == failing { full() } else { Ok(()) }
            });
            match result {
                Err(StoreError::Io { what, source, .. }) => {
                    assert_eq!((what, source.kind()), ("write", io::ErrorKind::StorageFull));
                }
                other => panic!("the fault at {failing:?} did not fire: {other:?}"),
            }
            let expected = if index < 4 { "old" } else { "new" };
            assert_eq!(
                store.load().unwrap().as_deref(),
                Some(expected),
                "{failing:?}"
            );
            assert_eq!(names(folder.path()), ["shop.json"], "{failing:?}");
        }
    }

    #[test]
    fn a_writer_killed_at_any_moment_leaves_old_or_new_content_and_the_next_one_clears_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        let mut left = Vec::new();
        put(&store_in(folder.path()), "new", &mut |moment| {
            // The leftovers of a process killed at this point.
            let copy = tempfile::tempdir()?;
            for name in names(folder.path()) {
                fs::copy(folder.path().join(&name), copy.path().join(&name))?;
            }
            seen.push(moment);
            left.push(copy);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, MOMENTS);
        let leftovers: Vec<_> = left
            .iter()
            .map(|copy| names(copy.path()).len() - 1)
            .collect();
        assert_eq!(leftovers, [0, 1, 1, 1, 0, 0]);
        for (index, copy) in left.iter().enumerate() {
            let path = copy.path().join("shop.json");
            let expected = if index < 4 { "old" } else { "new" };
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            let store = LocalStore::new(path, "shop.json".to_owned());
            put(&store, "next", &mut |_| Ok(())).unwrap();
            assert_eq!(store.load().unwrap().as_deref(), Some("next"));
            assert_eq!(names(copy.path()), ["shop.json"]);
        }
    }

    #[test]
    fn only_this_states_own_leftovers_are_cleared_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let others = [
            ".other.json.1.tmp",
            ".shop.json.lock",
            ".shop.json.mine.tmp",
        ];
        for name in others.into_iter().chain([".shop.json.1.tmp"]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        put(&store, "new", &mut |_| Ok(())).unwrap();
        let mut expected = others.to_vec();
        expected.push("shop.json");
        assert_eq!(names(folder.path()), expected);
    }
}
