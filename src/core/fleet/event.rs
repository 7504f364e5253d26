//! A Machine's history, as the provider reports it.

use serde::Serialize;

/// One event of a Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineEvent {
    /// The time, RFC 3339 in UTC.
    pub at: String,
    /// The kind (`start`, `exit`); untrusted text.
    pub kind: String,
    /// The new state (`started`, `stopped`); untrusted text.
    pub status: String,
    /// The cause (`user`, `flyd`); untrusted text.
    pub source: String,
    /// A detail for people: exit code, memory, whether it was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}
