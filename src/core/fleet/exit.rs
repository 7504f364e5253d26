//! How a Machine's process exited, and the Machine events that report it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One exit of a Machine's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// The exit code; `None` if the provider does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// It exceeded the Machine's memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// The stop was requested: `machine stop` or the proxy's autostop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// Whether the provider restarts it; `None` if the provider does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarting: Option<bool>,
    /// The provider's count of restarts since the Machine's last start or change.
    pub restarts: u32,
}

impl Exit {
    /// Whether the exit was clean: code 0, no signal, enough memory.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.signal.is_none() && !self.oom_killed
    }

    /// Whether it exited on its own and not cleanly.
    pub fn is_crash(&self) -> bool {
        !self.requested && !self.is_success()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), Some(signal)) => write!(f, "exit code {code}, signal {signal}")?,
            (Some(code), None) => write!(f, "exit code {code}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => write!(f, "an unknown exit code")?,
        }
        if self.oom_killed {
            write!(f, ", out of memory (oom_killed)")?;
        }
        Ok(())
    }
}

/// One event of a Machine, reduced to what it says about the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEvent {
    /// Distinguishes it from the Machine's other events.
    #[serde(rename = "mark")]
    pub id: u64,
    /// What happened.
    #[serde(rename = "what")]
    pub kind: ProcessEventKind,
}

/// The kind of a process event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEventKind {
    /// The Machine was created or got a new version.
    Changed,
    /// The Machine is starting or has started.
    Started,
    /// A stop or suspend was requested.
    StopRequested,
    /// The process exited.
    Exited(Exit),
    /// Any other event.
    Other,
}

/// Whether the newest exit is older than an update, with no start in between or since; `events` are newest first.
pub(super) fn is_updated_since(events: &[ProcessEvent]) -> bool {
    let mut updated = false;
    for event in events {
        match event.kind {
            ProcessEventKind::Changed => updated = true,
            ProcessEventKind::Exited(_) => return updated,
            ProcessEventKind::Started | ProcessEventKind::StopRequested => return false,
            ProcessEventKind::Other => {}
        }
    }
    false
}

/// The last exit of the process; `events` are newest first. `None` if it was started after that. A stop
/// requested after the exit makes the exit count as requested.
pub(super) fn last_exit(events: &[ProcessEvent]) -> Option<Exit> {
    for event in events {
        match event.kind {
            ProcessEventKind::Exited(exit) => return Some(exit),
            ProcessEventKind::Started => return None,
            ProcessEventKind::StopRequested => {
                return Some(Exit {
                    requested: true,
                    restarting: Some(false),
                    ..Exit::default()
                });
            }
            ProcessEventKind::Changed | ProcessEventKind::Other => {}
        }
    }
    None
}
