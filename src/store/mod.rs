//! Where the state file is kept: the [`StateStore`] trait and its lock.
//!
//! A store moves text; what the text means is [`crate::core::state`]'s business. Nothing is ever
//! written over a version that the writer has not read. Start at [`StateStore`]; [`local`] is the store
//! that everybody has, [`memory`] the one of tests, and [`contract`] what all of them promise.

mod atomic_replace;
pub mod contract;
mod file_swap;
pub mod local;
mod lock_file;
pub mod memory;

pub use file_swap::{remove_file_if_unchanged, replace_file_if_unchanged};
pub use local::{LocalStore, write_copy};
pub use memory::MemoryStore;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A place that keeps one app's state file.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Where it is, for people (`state/shop.json`).
    fn location(&self) -> String;

    /// The text and its version; no text when it was never written. Needs no lock.
    async fn read(&self) -> Result<StoredText, StoreError>;

    /// Writes the text if the version is still that one: whole or not at all, and durable when it
    /// returns. A lost race is [`StoreError::Changed`].
    async fn write(&self, text: &str, if_version: &Version) -> Result<Version, StoreError>;

    /// Takes the lock, waiting at most `patience`; `waiting` is told who holds it each time that
    /// changes. The lock is let go when the guard is released or dropped, and when its process dies.
    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError>;

    /// Whether so much text more could be written now, as far as that can be told without changing anything. Whoever
    /// asks holds the lock.
    async fn can_write(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Who holds the lock now, if anybody does.
    async fn holder(&self) -> Result<LockStatus, StoreError>;
}

/// Is told who holds the lock that is waited for, where that is known.
pub type LockWait<'a> = dyn FnMut(Option<&Holder>) + Send + 'a;

/// A held lock.
#[async_trait]
pub trait StateLock: Send + Sync {
    /// Whether it is still ours; no new call is started once it is not (rule 26).
    fn is_held(&self) -> bool;

    /// Lets it go.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}

/// Whether the lock is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockStatus {
    /// Nobody holds it.
    Free,
    /// Somebody does; who is known only if they could write it down.
    Held(Option<Holder>),
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// The text; none when there is no state yet.
    pub text: Option<String>,
    /// Its version, to be named by the next write.
    pub version: Version,
}

/// A version of the stored text: a digest of it or a store's own tag. Compared, never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// Who holds a lock. Its content only informs; the lock itself excludes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Person or pipeline (`ana`).
    pub who: String,
    /// Host name.
    pub host: String,
    /// Process id there.
    pub pid: u32,
    /// The command (`apply`).
    pub command: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The run, once it has one.
    pub run: Option<String>,
}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote it since it was read.
    #[error("{place} was changed since it was read")]
    Changed {
        /// Where.
        place: String,
    },
    /// Somebody else holds the lock.
    #[error("the state is locked by {}", .holder.as_ref().map_or("another process".to_owned(), |h| {
        format!("{} on {} (pid {}, `{}`, since {})", h.who, h.host, h.pid, h.command, h.since)
    }))]
    Locked {
        /// Who, where known.
        holder: Option<Box<Holder>>,
    },
    /// The operating system refused.
    #[error("cannot {what} {place}: {source}")]
    Io {
        /// What was tried (`read`, `write`).
        what: &'static str,
        /// Where.
        place: String,
        /// Why.
        source: std::io::Error,
    },
}
