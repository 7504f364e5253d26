//! `unlock --json`.

use serde::Serialize;

/// Whether the state is locked, and the holder: of the lock, or of the one that was removed.
#[derive(Debug, Serialize)]
pub struct UnlockDocument<'a> {
    format_version: u32,
    held: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<LockHolder<'a>>,
}

/// The holder of a lock, as far as recorded.
#[derive(Debug, Serialize)]
pub struct LockHolder<'a> {
    /// Person or pipeline.
    pub who: &'a str,
    /// Host name.
    pub host: &'a str,
    /// Process id there.
    pub pid: u32,
    /// The command.
    pub command: &'a str,
    /// Since when, RFC 3339.
    pub since: &'a str,
    /// The run, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<&'a str>,
    /// The page of the pipeline's job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
}

/// The lock after an `unlock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// It was free.
    Free,
    /// It was removed.
    Removed,
    /// It is held.
    Held,
}

/// The document of `unlock`: whether the lock is held, and the holder if known.
pub fn unlock(lock: LockState, holder: Option<LockHolder<'_>>) -> UnlockDocument<'_> {
    UnlockDocument {
        format_version: super::FORMAT_VERSION,
        held: lock == LockState::Held,
        removed: lock == LockState::Removed,
        holder,
    }
}
