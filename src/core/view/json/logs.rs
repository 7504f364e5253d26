//! `logs --json`: one line of JSON per line of log.

use serde::Serialize;

use crate::core::fleet::{GroupName, MachineId};

/// One line of a Machine's log.
#[derive(Debug, Serialize)]
pub struct LogDocument<'a> {
    format_version: u32,
    machine: &'a MachineId,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    at: &'a str,
    text: &'a str,
}

/// The document of a log line: Machine, group, time (RFC 3339) and text.
pub fn log<'a>(
    machine: &'a MachineId,
    group: Option<&'a GroupName>,
    at: &'a str,
    text: &'a str,
) -> LogDocument<'a> {
    LogDocument {
        format_version: super::FORMAT_VERSION,
        machine,
        group,
        at,
        text,
    }
}
