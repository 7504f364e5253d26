//! How a Machine's process ended, and the events of a Machine that say so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One end of a Machine's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// The exit code; none where the provider does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// It used more memory than the Machine has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// Somebody asked for it: `machine stop`, the proxy's autostop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// Whether the provider starts it again; none where it does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarting: Option<bool>,
    /// Restarts since the Machine was last started or changed, as the provider counts them.
    pub restarts: u32,
}

impl Exit {
    /// Whether the process did its work and ended: code 0, no signal, enough memory.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.signal.is_none() && !self.oom_killed
    }

    /// Whether it ended by itself in another way than with exit code 0.
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

/// One event of a Machine, as far as it tells what its process did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEvent {
    /// Tells it from the Machine's other events.
    #[serde(rename = "mark")]
    pub id: u64,
    /// What happened.
    #[serde(rename = "what")]
    pub kind: ProcessEventKind,
}

/// What an event of a Machine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEventKind {
    /// It was made, or got a new version.
    Changed,
    /// It starts, or has started.
    Started,
    /// Somebody asked for it to stop or to be suspended.
    StopRequested,
    /// Its process ended.
    Exited(Exit),
    /// Anything else.
    Other,
}

/// How the process ended last, of events with the newest first; none once it was started after that. A stop
/// that somebody asked for after it counts as the end.
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
