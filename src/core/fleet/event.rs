//! What a Machine has gone through, as its provider tells it.

use serde::Serialize;

/// Something that happened to a Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineEvent {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What kind (`start`, `exit`); foreign text.
    pub kind: String,
    /// What it became (`started`, `stopped`); foreign text.
    pub status: String,
    /// Who did it (`user`, `flyd`); foreign text.
    pub source: String,
    /// What a person should know of it: exit code, memory, whether it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}
