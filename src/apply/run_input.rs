//! What a run is given, and what it gives back.

use crate::core::fleet::{Desired, Known, Observed, ReleaseStamp};
use crate::core::plan::{Addition, Plan, StepResult};
use crate::journal::{Journal, RunRow};
use crate::provider::Provider;
use crate::store::StateLock;

/// Everything that a run works with. The snapshot was taken under the lock and the plan was checked
/// against it.
#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// What is wanted; every call is derived from it.
    pub desired: &'a Desired,
    /// The state before the run.
    pub known: &'a Known,
    /// The snapshot that the plan stands on.
    pub observed: &'a Observed,
    /// Who carries out calls.
    pub provider: &'a dyn Provider,
    /// Where results are kept until the state is written.
    pub journal: &'a dyn Journal,
    /// The state's lock; once it is not held, no call is started.
    pub lock: &'a dyn StateLock,
    /// The row that the journal gets before the first call.
    pub run: &'a RunRow,
    /// The serial that this run will write; Machines are stamped with it.
    pub serial: u64,
    /// The commit that is applied, where it is known.
    pub commit: Option<&'a str>,
    /// The rest.
    pub options: ApplyOptions,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Most steps at once, over all pools.
    pub parallelism: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { parallelism: 16 }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What came of each step, in order of their ids.
    pub results: Vec<StepResult>,
    /// Whether it was cancelled.
    pub interrupted: bool,
    /// What verification found to be otherwise than the results say, for people.
    pub findings: Vec<String>,
    /// What there is to say of steps that are done, for people; not counted against the run.
    pub remarks: Vec<String>,
    /// What the platform was seen to add by itself, as far as the state does not say so already.
    pub additions: Vec<Addition>,
    /// What others have changed of this run's own work since, and who; then the run is overtaken (rule 31).
    pub overtaken: Vec<String>,
    /// Why the release could not be marked as ended, where it could not.
    pub release_not_ended: Option<String>,
    /// The release that the run made, registered or not.
    pub release: Option<ReleaseStamp>,
    /// Why nothing new was started from some moment on, where something other than a signal or a
    /// failed step was the reason.
    pub halted: Option<Halt>,
}

/// Why a run stopped starting things by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The journal could not be written.
    Journal(String),
    /// The lock was lost.
    LockLost,
    /// Another run is at work for something else.
    StateBehind(String),
    /// The provider said that nothing will work until a person has looked.
    Provider(String),
}
