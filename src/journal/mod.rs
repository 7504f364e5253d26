//! Records what a run began and the results, so that the next run can settle a run that died.
//!
//! The journal is optional: without it, the next run finds its Machines by name. It belongs to a lineage and
//! not to a folder (rule 42), and contains no values of variables. Start at [`Journal`]; [`sqlite`] stores it
//! on disk.

pub mod sqlite;

pub use sqlite::SqliteJournal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::fleet::{
    ConfigDigest, LaunchId, Lineage, MachineId, MachineName, Region, RunId, VolumeId,
};
use crate::core::plan::{Outcome, StepId};

/// Stores runs and their results. Calls are short and blocking, and return when their write is durable.
pub trait Journal: Send + Sync {
    /// Checks whether a write could succeed now.
    fn can_write(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Records a run before its first call, with the saved form of the plan. Refuses a run that already
    /// exists.
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError>;

    /// Records a call before it is made, if its result could not be found by a derived name. Refuses an
    /// unknown run.
    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError>;

    /// Adds results of steps in one transaction. A step may get another result later, when an unknown outcome
    /// is settled; the last one counts.
    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError>;

    /// Sets the status of a run.
    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError>;

    /// The open runs of this lineage, oldest first, with their results in the order of recording.
    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError>;

    /// The releases registered by runs of this lineage, including closed ones, with their runs.
    fn releases(&self, lineage: &Lineage) -> Result<BTreeMap<String, RunId>, JournalError>;
}

/// How many runs of a lineage are kept; older closed ones are deleted when a run begins.
pub const MAX_KEPT_RUNS: u32 = 50;

/// One run as recorded before its first call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// The lineage that it belongs to.
    pub lineage: Lineage,
    /// The serial of the state at its start.
    pub serial: u64,
    /// The start time, RFC 3339.
    pub at: String,
    /// The user or pipeline.
    pub by: String,
    /// The command.
    pub command: String,
    /// The saved form of the plan, JSON.
    pub plan: String,
}

/// A call whose result has no derived name to find it by: it is made only after this row is durable (rule
/// 40), or the run continues only after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCallRow {
    /// The step that makes the call; for a release, the first step after it.
    pub step: StepId,
    /// The call.
    pub call: PendingCall,
}

/// What a call creates, and what existed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum PendingCall {
    /// A volume: a new unattached volume of that name and region is the created one.
    CreateVolume {
        /// Its name.
        name: String,
        /// Its region.
        region: Region,
        /// The existing volumes of that name and region, without those that an earlier row of the run lists
        /// for the same name and region.
        seen: Vec<VolumeId>,
    },
    /// A command that runs once is about to be started. Whether it was is found by the events of its Machine.
    StartOnce {
        /// Its Machine.
        machine: MachineId,
        /// Its launch id.
        launch: LaunchId,
    },
    /// A command that runs once ended; its Machine is destroyed only after this row.
    OnceEnded {
        /// Its launch id.
        launch: LaunchId,
        /// Whether its code was 0.
        success: bool,
    },
    /// A swap is about to add its greens to the proxy's load balancing: none of them is destroyed from here on.
    Switch {
        /// The swap's tag.
        tag: String,
        /// The greens of the group.
        greens: Vec<MachineId>,
    },
    /// The run's registered release. While no Machine has it, nothing else shows which tool registered it.
    Release {
        /// Its id.
        id: String,
    },
    /// The rollback of the run, before its first call. Its steps have the numbers after those of the plan.
    Rollback {
        /// Machines that get their previous bodies back.
        put_back: Vec<MachineId>,
        /// The names of Machines that are created in the place of replaced ones.
        create: Vec<MachineName>,
        /// Machines that are destroyed.
        destroy: Vec<MachineId>,
    },
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The step.
    pub step: StepId,
    /// The outcome.
    pub outcome: Outcome,
    /// The Machine, if any.
    pub machine: Option<MachineId>,
    /// The digest of the sent config.
    pub config: Option<ConfigDigest>,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Calls may be in progress.
    Running,
    /// All calls have ended; the state is not written yet.
    Unpublished,
    /// Nothing is left to do.
    Closed,
}

/// A run that is not closed.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// What was recorded at its start.
    pub row: RunRow,
    /// Its status.
    pub status: RunStatus,
    /// Calls recorded before they were made, in order.
    pub started: Vec<PendingCallRow>,
    /// The recorded results.
    pub results: Vec<ResultRow>,
}

impl OpenRun {
    /// The releases that it registered.
    pub fn releases(&self) -> impl Iterator<Item = &str> {
        self.started.iter().filter_map(|row| match &row.call {
            PendingCall::Release { id } => Some(id.as_str()),
            PendingCall::CreateVolume { .. }
            | PendingCall::Rollback { .. }
            | PendingCall::StartOnce { .. }
            | PendingCall::OnceEnded { .. }
            | PendingCall::Switch { .. } => None,
        })
    }

    /// The launch ids of its commands that ended with code 0, and of those that were started and are not known to have
    /// ended.
    pub fn once(&self) -> (Vec<LaunchId>, Vec<LaunchId>) {
        let (mut ended, mut started) = (Vec::new(), Vec::new());
        for row in &self.started {
            match &row.call {
                PendingCall::StartOnce { launch, .. } => started.push(launch.clone()),
                PendingCall::OnceEnded { launch, success } => {
                    started.retain(|other| other != launch);
                    ended.extend(success.then(|| launch.clone()));
                }
                PendingCall::CreateVolume { .. }
                | PendingCall::Rollback { .. }
                | PendingCall::Switch { .. }
                | PendingCall::Release { .. } => {}
            }
        }
        (ended, started)
    }

    /// The tags of the swaps that it has switched.
    pub fn switched(&self) -> impl Iterator<Item = &str> {
        self.started.iter().filter_map(|row| match &row.call {
            PendingCall::Switch { tag, .. } => Some(tag.as_str()),
            PendingCall::CreateVolume { .. }
            | PendingCall::Rollback { .. }
            | PendingCall::StartOnce { .. }
            | PendingCall::OnceEnded { .. }
            | PendingCall::Release { .. } => None,
        })
    }

    /// Whether it had begun to undo its changes.
    pub fn was_rolling_back(&self) -> bool {
        let mut started = self.started.iter();
        started.any(|row| matches!(row.call, PendingCall::Rollback { .. }))
    }
}

/// Why a journal operation failed.
#[derive(Debug, thiserror::Error)]
#[error("the journal {place}: {message}")]
pub struct JournalError {
    /// The journal's location.
    pub place: String,
    /// The problem.
    pub message: String,
    /// A hint for people.
    pub hint: Option<&'static str>,
}
