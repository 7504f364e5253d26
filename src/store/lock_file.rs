//! An OS lock on a file that is never unlinked; its content only informs (rule 26).
//!
//! It excludes other processes on this host and is released when its process dies. It says nothing about
//! other hosts.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Holder, LockStatus};

/// A checkout may contain a link or pipe instead of the lock file; neither may be truncated or waited for.
const OPEN_FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    file: File,
}

impl LockFile {
    /// Takes the lock if it is free; `None` if it is held. The file's folder must exist.
    pub(super) fn try_take(path: &Path, holder: &Holder) -> io::Result<Option<Self>> {
        // Another round is needed only if the file is removed at that very moment.
        for _ in 0..10 {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OPEN_FLAGS.bits().cast_signed())
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let lock = Self {
                path: path.to_owned(),
                file,
            };
            // The file may have been removed between open and lock; a lock on an unlinked file excludes no
            // other process.
            if lock.is_held() {
                lock.write_holder(holder)?;
                return Ok(Some(lock));
            }
        }
        Err(io::Error::other(
            "the lock file is replaced again and again",
        ))
    }

    /// Whether the lock still excludes others: its file was not removed or replaced.
    pub(super) fn is_held(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
            (_, _) => false,
        }
    }

    fn write_holder(&self, holder: &Holder) -> io::Result<()> {
        let mut text = serde_json::to_string(holder).map_err(io::Error::other)?;
        text.push('\n');
        self.file.set_len(0)?;
        (&self.file).write_all(text.as_bytes())
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Clears the holder's name, so that it is not shown for the next one. Closing the file is not enough: a
        // process that is started at this moment has a copy of it until its program runs.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// The lock's holder. This takes a shared lock for an instant, so [`LockFile::try_take`] may fail once.
pub(super) fn inspect(path: &Path) -> io::Result<LockStatus> {
    let mut options = OpenOptions::new();
    let plain = options
        .read(true)
        .custom_flags(OPEN_FLAGS.bits().cast_signed());
    let mut file = match plain.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockStatus::Free),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock()?;
            return Ok(LockStatus::Free);
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // 64 KiB is far more than any holder needs; limits how much of a foreign file is read.
    let mut text = String::new();
    let read = (&mut file).take(64 * 1024).read_to_string(&mut text);
    let holder = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    Ok(LockStatus::Held(holder))
}
