//! What a run has begun and what came of it, so that a run that died can be settled.
//!
//! Nothing depends on the journal: with it lost, the next run finds its own Machines by name. It
//! belongs to a lineage, never to a folder (rule 42), and holds no value of any variable. Start at
//! [`Journal`]; [`sqlite`] keeps it on disk, [`memory`] in tests, and [`contract`] is what both promise.

pub mod contract;
pub mod memory;
pub mod sqlite;

pub use memory::MemoryJournal;
pub use sqlite::SqliteJournal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::fleet::{ConfigDigest, Lineage, MachineId, Region, RunId, VolumeId};
use crate::core::plan::{Outcome, StepId};

/// Keeps runs and their results. Calls are short and blocking; each returns when what it wrote is
/// durable.
pub trait Journal: Send + Sync {
    /// Whether something could be written now.
    fn can_write(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Writes the run before its first call: the saved form of the plan is the intent. A run that is
    /// there already is refused.
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError>;

    /// Writes that a call is about to be made that could not be found by a name of ours. A run that is not
    /// there is refused.
    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError>;

    /// Adds results of steps, in one transaction: all of them or none. A step may get another result
    /// later (an unknown outcome that was settled); the last one counts.
    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError>;

    /// Marks how the run stands.
    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError>;

    /// The runs of this lineage that are not closed, oldest first, with their results in the order in which
    /// they were recorded.
    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError>;

    /// The releases that runs of this lineage have registered, closed runs included, each with its run.
    fn releases(&self, lineage: &Lineage) -> Result<BTreeMap<String, RunId>, JournalError>;
}

/// How many runs of a lineage are kept; of older ones, those that are closed go when a run begins.
pub const MAX_KEPT_RUNS: u32 = 50;

/// One run as it is written before its first call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub lineage: Lineage,
    /// Serial of the state that it started from.
    pub serial: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// Which verb.
    pub command: String,
    /// The saved form of the plan, JSON.
    pub plan: String,
}

/// What nothing else tells afterwards, since it bears no name of ours: a call that is made only once this is
/// durable (rule 40), or one without which nothing more is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCallRow {
    /// The step that makes it; of a release the first, which begins after it.
    pub step: StepId,
    /// The call.
    pub call: PendingCall,
}

/// What a call is to make, and what was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum PendingCall {
    /// A volume: afterwards an unattached one of that name and region that was not seen before is it.
    CreateVolume {
        /// Its name.
        name: String,
        /// Where.
        region: Region,
        /// The volumes of that name and region that were there before, without those that an earlier row of
        /// the run about the same place names.
        seen: Vec<VolumeId>,
    },
    /// The release of this run, which the platform has registered: as long as no Machine bears it, nobody
    /// could tell it from another tool's.
    Release {
        /// Its id.
        id: String,
    },
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// Which step.
    pub step: StepId,
    /// What came of it.
    pub outcome: Outcome,
    /// The Machine, where there is one.
    pub machine: Option<MachineId>,
    /// Digest of the config that was sent.
    pub config: Option<ConfigDigest>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Calls may be under way.
    Running,
    /// Its calls are over, its state is not published.
    Unpublished,
    /// Nothing of it is left to do.
    Closed,
}

/// A run that is not closed.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// What was written at its beginning.
    pub row: RunRow,
    /// How it stands.
    pub status: RunStatus,
    /// Calls that were under way once, in the order in which they were begun.
    pub started: Vec<PendingCallRow>,
    /// What is known to have come of its steps.
    pub results: Vec<ResultRow>,
}

impl OpenRun {
    /// The releases that it has registered.
    pub fn releases(&self) -> impl Iterator<Item = &str> {
        self.started.iter().filter_map(|row| match &row.call {
            PendingCall::Release { id } => Some(id.as_str()),
            PendingCall::CreateVolume { .. } => None,
        })
    }
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the journal {place}: {message}")]
pub struct JournalError {
    /// Where it is.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}
