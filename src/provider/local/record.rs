//! The two files that provider and supervisor speak through, each with one writer.
//!
//! The record says what is wanted and is written by the provider under the app's lock; the status says
//! what is so and is written by the supervisor. `wish` ties them together: a status obeys exactly the
//! wish that it names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::identity::ProcessIdentity;
use crate::core::fleet::{
    AppName, CheckStatus, GroupName, MachineConfig, MachineId, MachineName, MachineState, Region,
    Stamps,
};

/// What is wanted of one Machine.
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
    /// Where its processes run.
    pub(super) project: PathBuf,
    /// The project folder that it belongs to, links resolved; none in records of a version that did not
    /// write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<PathBuf>,
    /// Bytes after which its log is turned over.
    pub(super) log_cap: u64,
    /// Rises with every change of what is wanted.
    #[serde(rename = "wish")]
    pub(super) generation: u64,
    #[serde(rename = "wanted")]
    pub(super) desired_state: DesiredState,
    /// Who wished it: as long as that process lives, it may be about to start a supervisor. None where
    /// the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) writer: Option<ProcessIdentity>,
}

/// What its supervisor is to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DesiredState {
    /// Run it, by its restart policy.
    Running,
    /// Have nothing of it left.
    Stopped,
    /// Have nothing of it left, at once, its folder included.
    Destroyed,
}

impl LocalRecord {
    /// A new wish.
    pub(super) fn set_desired_state(&mut self, wanted: DesiredState) {
        self.generation += 1;
        self.desired_state = wanted;
        self.writer = ProcessIdentity::of(rustix::process::getpid());
    }

    /// The entries by which its processes are known again whatever became of their parents.
    pub(super) fn process_markers(&self) -> [(&'static str, String); 2] {
        [
            ("FLY_MACHINE_ID", self.id.to_string()),
            ("AEROFORM_SCOPE", self.scope.clone()),
        ]
    }
}

/// What is so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LocalStatus {
    /// The wish that this obeys.
    #[serde(rename = "wish")]
    pub(super) observed_generation: u64,
    pub(super) state: MachineState,
    /// Whoever wrote this.
    pub(super) supervisor: ProcessIdentity,
    /// The main process, while it runs.
    pub(super) main: Option<ProcessIdentity>,
    /// Restarts since the last start.
    pub(super) restarts: u32,
    /// How the main process ended last.
    pub(super) last_exit: Option<ProcessExit>,
    /// For people.
    pub(super) detail: Option<String>,
    pub(super) checks: Vec<CheckStatus>,
    /// Nothing of it was left when this was written, and its writer changes nothing any more.
    pub(super) is_final: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProcessExit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ProcessExit {
    pub(super) fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// The same for the rest of the program; the code of a signal is the one that a shell gives.
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
