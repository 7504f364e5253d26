//! The two files that connect provider and supervisor; each has one writer.
//!
//! The provider writes the record (the desired state) under the app's lock; the supervisor writes the status
//! (the actual state). The generation connects them: a status names the generation that it has applied.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::identity::ProcessIdentity;
use crate::core::fleet::{
    AppName, CheckStatus, GroupName, MachineConfig, MachineId, MachineName, MachineState, Region,
    Stamps,
};

/// The desired state of one Machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LocalRecord {
    pub(super) id: MachineId,
    pub(super) app: AppName,
    /// The scope's id; one of the marks in the environment of its processes.
    pub(super) scope: String,
    pub(super) name: MachineName,
    pub(super) group: GroupName,
    pub(super) region: Region,
    /// Changes with every config.
    pub(super) instance: String,
    pub(super) config: MachineConfig,
    pub(super) stamps: Stamps,
    pub(super) port: Option<u16>,
    pub(super) created_at: String,
    pub(super) cordoned: bool,
    /// The working folder of its processes.
    pub(super) project: PathBuf,
    /// Its project folder, symlinks resolved; missing in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<PathBuf>,
    /// The size at which its log is rotated, bytes.
    pub(super) log_cap: u64,
    /// Increases with every change of the desired state.
    #[serde(rename = "wish")]
    pub(super) generation: u64,
    #[serde(rename = "wanted")]
    pub(super) desired_state: DesiredState,
    /// The process that changed it: while that lives, it may be about to start a supervisor. `None` if the
    /// system does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) writer: Option<ProcessIdentity>,
}

/// The desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DesiredState {
    /// Running, under its restart policy.
    Running,
    /// Stopped: no process is left.
    Stopped,
    /// Destroyed at once, with its folder.
    Destroyed,
}

impl LocalRecord {
    /// Sets a new desired state and generation.
    pub(super) fn set_desired_state(&mut self, state: DesiredState) {
        self.generation += 1;
        self.desired_state = state;
        self.writer = ProcessIdentity::of(rustix::process::getpid());
    }

    /// Environment entries that identify its processes, whatever happened to their parents.
    pub(super) fn process_markers(&self) -> [(&'static str, String); 2] {
        [
            ("FLY_MACHINE_ID", self.id.to_string()),
            ("AEROFORM_SCOPE", self.scope.clone()),
        ]
    }
}

/// The actual state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LocalStatus {
    /// The generation that this status has applied.
    #[serde(rename = "wish")]
    pub(super) observed_generation: u64,
    pub(super) state: MachineState,
    /// The supervisor that wrote this.
    pub(super) supervisor: ProcessIdentity,
    /// The main process, while it runs.
    pub(super) main: Option<ProcessIdentity>,
    /// Restarts since the last start.
    pub(super) restarts: u32,
    /// The last exit of the main process.
    pub(super) last_exit: Option<ProcessExit>,
    /// A detail for people.
    pub(super) detail: Option<String>,
    pub(super) checks: Vec<CheckStatus>,
    /// No process was left when this was written, and its writer changes nothing more.
    pub(super) is_final: bool,
}

/// How a process exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProcessExit {
    /// With this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

impl ProcessExit {
    pub(super) fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// The exit for the rest of the program; a signal gets the code that a shell uses.
    pub(super) fn to_machine_exit(
        self,
        restarting: bool,
        restarts: u32,
    ) -> crate::core::fleet::Exit {
        let (code, signal) = match self {
            Self::Code(code) => (code, None),
            Self::Signal(number) => (128 + number, Some(number)),
        };
        crate::core::fleet::Exit {
            code: Some(code),
            signal,
            restarting: Some(restarting),
            restarts,
            ..crate::core::fleet::Exit::default()
        }
    }
}

impl std::fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "killed by signal {number}"),
        }
    }
}
