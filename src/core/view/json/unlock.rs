//! `unlock --json`.

use serde::Serialize;

/// Whether the state is locked, and the holder.
#[derive(Debug, Serialize)]
pub struct UnlockDocument<'a> {
    format_version: u32,
    held: bool,
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
}

/// The document of `unlock`: whether the lock is held, and the holder if known.
pub fn unlock(held: bool, holder: Option<LockHolder<'_>>) -> UnlockDocument<'_> {
    UnlockDocument {
        format_version: super::FORMAT_VERSION,
        held,
        holder,
    }
}
