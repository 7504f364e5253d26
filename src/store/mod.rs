//! Stores of the state file: the [`StateStore`] trait and its lock.
//!
//! A store moves text; [`crate::core::state`] interprets it. No write replaces a version that the writer has
//! not read. Start at [`StateStore`]; [`local`] is the default store.

mod atomic_replace;
mod file_swap;
pub mod git_store;
pub mod local;
mod lock_file;

pub use file_swap::{remove_file_if_unchanged, replace_file_if_unchanged};
pub use git_store::{AddressError, GitAddress, GitStore};
pub use local::{LocalStore, write_copy};

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use crate::git::PushRefusal;

/// A larger file is no state of ours, and is not read: 10,000 Machines take some 3 MiB.
pub const MAX_STATE_BYTES: u64 = 64 << 20;

/// Stores one app's state file.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Its location, for people (`state/shop.json`).
    fn location(&self) -> String;

    /// The text and its version; no text if it was never written. Needs no lock.
    async fn read(&self) -> Result<StoredText, StoreError>;

    /// Writes the text atomically and durably if the version is unchanged; else fails with
    /// [`StoreError::Changed`]. A store with a history keeps the note with it.
    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError>;

    /// The text at a commit of its history; `None` if that commit has none.
    async fn read_at(&self, commit: &str) -> Result<Option<String>, StoreError> {
        Err(StoreError::Io {
            what: "read an older version of",
            place: self.location(),
            source: std::io::Error::other(format!(
                "a file has no history of its own; `git show {commit}:PATH` prints one that git tracks"
            )),
        })
    }

    /// Acquires the lock, waiting at most `patience`; calls `waiting` whenever the holder changes. The lock
    /// is released when the guard is released or dropped, or its process dies.
    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError>;

    /// Whether a write of similar size could succeed now, as far as that can be checked without a change. The
    /// caller holds the lock.
    async fn can_write(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How long to wait for the lock unless a flag says so. The lock of a local file ends with its holder.
    fn default_lock_patience(&self) -> Duration {
        Duration::ZERO
    }

    /// The current holder of the lock.
    async fn holder(&self) -> Result<LockStatus, StoreError>;

    /// Whether the holder of the lock is alive. Calls `watching` with the holder and how long it is watched at most.
    /// The default is for a lock that ends with its process.
    async fn liveness(&self, _watching: &mut LockWatch<'_>) -> Result<LockLife, StoreError> {
        Ok(match self.holder().await? {
            LockStatus::Free => LockLife::Free,
            LockStatus::Held(holder) => LockLife::Live(holder),
        })
    }

    /// Removes the lock of a holder that is gone; with [`Unlock::Force`] also that of one that is not, where the
    /// store can. Calls `watching` with the holder and how long it is watched at most. The default is for a lock
    /// that ends with its process, so that there is never one to remove.
    async fn unlock(
        &self,
        _how: Unlock,
        _watching: &mut LockWatch<'_>,
    ) -> Result<Unlocked, StoreError> {
        Ok(match self.holder().await? {
            LockStatus::Free => Unlocked::Free,
            LockStatus::Held(holder) => Unlocked::Live {
                holder,
                by_force: false,
            },
        })
    }
}

/// Whether the holder of a lock is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockLife {
    /// Nobody holds it.
    Free,
    /// Its holder is alive.
    Live(Option<Holder>),
    /// Its holder does not renew it.
    Stale(Option<Holder>),
}

/// Which lock [`StateStore::unlock`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// One that its holder does not renew.
    IfStale,
    /// Any, at once.
    Force,
}

/// What became of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocked {
    /// It is free, and was not removed.
    Free,
    /// It was removed.
    Removed(Option<Holder>),
    /// Its holder is alive.
    Live {
        /// The holder, if known.
        holder: Option<Holder>,
        /// Whether [`Unlock::Force`] removes it.
        by_force: bool,
    },
}

/// Receives the lock's holder, if known, and how long it is watched at most.
pub type LockWatch<'a> = dyn FnMut(Option<&Holder>, Duration) + Send + 'a;

/// What a write is about, for stores that keep a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteNote {
    /// One line (`shop: serial 12 · 6 created`).
    pub subject: String,
    /// Names and values in the form of git's trailers.
    pub trailers: Vec<(&'static str, String)>,
}

/// No state, and no place for one: a plan before the first apply.
#[derive(Debug, Clone, Copy)]
pub struct EmptyStore;

#[async_trait]
impl StateStore for EmptyStore {
    fn location(&self) -> String {
        "no state".to_owned()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        Ok(StoredText {
            text: None,
            version: Version("absent".to_owned()),
        })
    }

    async fn write(
        &self,
        _text: &str,
        _if_version: &Version,
        _note: &WriteNote,
    ) -> Result<Version, StoreError> {
        Err(self.unsupported("write"))
    }

    async fn lock(
        &self,
        _holder: &Holder,
        _patience: Duration,
        _waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        Err(self.unsupported("lock"))
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        Ok(LockStatus::Free)
    }
}

impl EmptyStore {
    fn unsupported(self, what: &'static str) -> StoreError {
        StoreError::Io {
            what,
            place: self.location(),
            source: std::io::ErrorKind::Unsupported.into(),
        }
    }
}

/// Receives the lock's holder, if known.
pub type LockWait<'a> = dyn FnMut(Option<&Holder>) + Send + 'a;

/// A held lock.
#[async_trait]
pub trait StateLock: Send + Sync {
    /// Whether the lock is still held; if not, no new call may start (rule 26).
    fn is_held(&self) -> bool;

    /// The ref that is the lock, if it is one.
    fn ref_name(&self) -> Option<&str> {
        None
    }

    /// Releases the lock.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}

/// The status of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockStatus {
    /// It is free.
    Free,
    /// It is held; the holder is unknown if it could not record itself.
    Held(Option<Holder>),
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// The text; `None` if there is no state yet.
    pub text: Option<String>,
    /// Its version, for the next write.
    pub version: Version,
}

/// A version of the stored text: a digest or a store's own tag. Only compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// The holder of a lock, for information; the lock itself excludes others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user or pipeline (`ana`).
    pub who: String,
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub pid: u32,
    /// The command (`apply`).
    pub command: String,
    /// When it was acquired, RFC 3339.
    pub since: String,
    /// The run's id, once it has one.
    pub run: Option<String>,
    /// The page of the pipeline's job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer changed it since it was read.
    #[error("{place} was changed since it was read")]
    Changed {
        /// The location.
        place: String,
    },
    /// The lock is held by another process.
    #[error("the state is locked by {}", .holder.as_ref().map_or("another process".to_owned(), |h| {
        format!("{} on {} (pid {}, `{}`, since {})", h.who, h.host, h.pid, h.command, h.since)
    }))]
    Locked {
        /// The holder, if known.
        holder: Option<Box<Holder>>,
    },
    /// An error of the operating system.
    #[error("cannot {what} {place}: {source}")]
    Io {
        /// The operation (`read`, `write`).
        what: &'static str,
        /// The location.
        place: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The address of the state is refused.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// git does not trust the clone, because another user owns it.
    #[error("cannot {what} {place}: {cause}")]
    UntrustedClone {
        /// The operation (`read`, `write`, `lock`).
        what: &'static str,
        /// The location.
        place: String,
        /// What git refused.
        cause: String,
        /// The command with which git trusts it.
        command: String,
    },
    /// A remote did not answer, or refused it.
    #[error("cannot {what} {place}: {cause}")]
    Remote {
        /// The operation (`read`, `write`, `lock`).
        what: &'static str,
        /// The location.
        place: String,
        /// The cause.
        cause: String,
        /// Why a push was refused, if one was.
        refusal: Option<PushRefusal>,
    },
}
