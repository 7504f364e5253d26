//! Input of a run.

use crate::core::fleet::{Desired, Known, Observed, ReleaseStamp, ReleaseStatus};
use crate::core::plan::way_back::Rollback;
use crate::core::plan::{Addition, Outcome, Plan, StepResult};
use crate::journal::{Journal, RunRow};
use crate::provider::Provider;
use crate::store::StateLock;

/// Input of a run. The snapshot was read under the lock, and the plan was checked against it.
#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The desired state; every call is derived from it.
    pub desired: &'a Desired,
    /// The state before the run.
    pub known: &'a Known,
    /// The snapshot of the plan.
    pub observed: &'a Observed,
    /// The provider.
    pub provider: &'a dyn Provider,
    /// The journal.
    pub journal: &'a dyn Journal,
    /// The state's lock; no call is started without it.
    pub lock: &'a dyn StateLock,
    /// The journal row to write before the first call.
    pub run: &'a RunRow,
    /// The serial that this run will write; Machines are stamped with it.
    pub serial: u64,
    /// The applied commit, if known.
    pub commit: Option<&'a str>,
    /// Options.
    pub options: ApplyOptions,
}

/// Options of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Maximum concurrent steps over all pools.
    pub parallelism: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { parallelism: 16 }
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Result of each step, by id.
    pub results: Vec<StepResult>,
    /// Whether it was cancelled.
    pub interrupted: bool,
    /// Differences found by verification, as text.
    pub findings: Vec<String>,
    /// Notes about completed steps, which are no errors.
    pub remarks: Vec<String>,
    /// Platform additions that the state does not list yet.
    pub additions: Vec<Addition>,
    /// Changes of other clients to this run's Machines since; the run is then overtaken.
    pub overtaken: Vec<String>,
    /// Why the release could not be marked as finished, if so.
    pub release_not_ended: Option<String>,
    /// The run's release, registered or not.
    pub release: Option<ReleaseStamp>,
    /// The rollback of the run, if it was tried.
    pub rollback: Option<Rollback>,
    /// Why the run stopped starting steps, if not for a signal or a failed step.
    pub halted: Option<Halt>,
}

impl Report {
    /// How the run's release ended.
    pub fn release_status(&self, plan: &Plan) -> ReleaseStatus {
        let mut results = plan
            .changes()
            .filter_map(|(step, _)| self.results.get(step.0 as usize));
        if self.interrupted {
            ReleaseStatus::Interrupted
        } else if results.all(|result| result.outcome == Outcome::Done)
            && self.findings.is_empty()
            && self.overtaken.is_empty()
        {
            ReleaseStatus::Complete
        } else {
            ReleaseStatus::Failed
        }
    }

    /// The number of the run's release, and how it ended.
    pub fn ended_release(&self, plan: &Plan) -> Option<(u64, ReleaseStatus)> {
        let release = self.release.as_ref()?;
        Some((release.version, self.release_status(plan)))
    }
}

/// Why a run stopped by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The journal could not be written.
    Journal(String),
    /// The lock was lost.
    LockLost,
    /// Another run changes the app for another desired state.
    StateBehind(String),
    /// The provider reported an error that needs manual action.
    Provider(String),
}
