//! How a run ended: decided here once, for the exit code, the record in the state and every view.

use super::summary::changes;
use super::types::{Note, Outcome, Plan, StepResult};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// Every change completed, was verified, and the state was published.
    Complete,
    /// Every change completed, but the plan leaves something that its verb promises ([`Plan::shortfalls`]).
    Incomplete,
    /// A change failed, or verification or publishing did.
    Failed,
    /// The run stopped because another run changes the app for another desired state: the plan is out of date.
    Stale,
    /// Every change completed, but another client has changed some of the Machines since.
    Overtaken,
    /// A signal ended the run.
    Interrupted,
}

/// What happened to the state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOutcome {
    /// Its content is the same as before.
    Unchanged,
    /// It was written.
    Written {
        /// Its location.
        location: String,
        /// Its new serial.
        serial: u64,
    },
    /// The store refused it.
    Unpublished {
        /// The cause.
        cause: String,
        /// The location of the copy.
        copy: String,
    },
}

/// The inputs of the decision.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'a> {
    /// The executed plan.
    pub plan: &'a Plan,
    /// The result of each step, by its index.
    pub results: &'a [StepResult],
    /// Whether a signal arrived.
    pub interrupted: bool,
    /// Whether the run stopped because the state lacks another run that is in progress.
    pub state_behind: bool,
    /// Findings of the verification.
    pub findings: &'a [String],
    /// Changes by other clients to Machines that this run changed.
    pub overtaken: &'a [String],
    /// What happened to the state file.
    pub state: &'a StateOutcome,
    /// The verb.
    pub verb: &'a str,
}

impl RunEnd<'_> {
    /// How the run ended.
    pub fn outcome(&self) -> RunOutcome {
        if self.interrupted {
            return RunOutcome::Interrupted;
        }
        let result = |step: usize| self.results.get(step).map(|result| &result.outcome);
        let done = changes(&self.plan.steps)
            .filter_map(|(step, _)| result(step.0 as usize))
            .all(|outcome| *outcome == Outcome::Done);
        let published = !matches!(self.state, StateOutcome::Unpublished { .. });
        if !done || !published {
            if self.state_behind {
                RunOutcome::Stale
            } else {
                RunOutcome::Failed
            }
        } else if !self.overtaken.is_empty() {
            RunOutcome::Overtaken
        } else if !self.findings.is_empty() {
            RunOutcome::Failed
        } else if self.plan.remaining(self.verb).next().is_some() {
            RunOutcome::Incomplete
        } else {
            RunOutcome::Complete
        }
    }
}

impl RunOutcome {
    /// The outcome of an apply that has nothing to do, so that there is no run.
    pub fn of_empty_run(plan: &Plan) -> Self {
        let end = RunEnd {
            plan,
            results: &[],
            interrupted: false,
            state_behind: false,
            findings: &[],
            overtaken: &[],
            state: &StateOutcome::Unchanged,
            verb: "",
        };
        end.outcome()
    }

    /// The word in the state's record. What the plan leaves is not a failure of the run.
    pub fn record(self) -> &'static str {
        match self {
            Self::Complete | Self::Incomplete => "complete",
            Self::Failed | Self::Stale => "failed",
            Self::Overtaken => "overtaken",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Plan {
    /// What this plan leaves although its verb promises it: fields that a refresh cannot adopt, because fly.toml must
    /// contain them, and Machines that a destroy leaves. An import promises only what it can adopt.
    pub fn remaining(&self, verb: &str) -> impl Iterator<Item = &Note> {
        let is_import = verb == "import";
        self.shortfalls().filter(move |_| !is_import)
    }
}
