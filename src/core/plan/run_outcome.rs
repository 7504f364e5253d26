//! How a run ended: decided here once, for the exit code, the record in the state and every view.

use super::summary::changes;
use super::types::{Note, Outcome, Plan, StepResult};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// Everything is as planned, verified and published.
    Complete,
    /// The same, and the plan itself leaves something that its verb promises ([`Plan::shortfalls`]).
    Incomplete,
    /// Something is not as planned, not verified or not published.
    Failed,
    /// All of it was done, and others have changed some of it since.
    Overtaken,
    /// A signal ended it.
    Interrupted,
}

/// What became of the state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOutcome {
    /// It says the same as before.
    Unchanged,
    /// It was written.
    Written {
        /// Where.
        location: String,
        /// Its new serial.
        serial: u64,
    },
    /// The store refused it.
    Unpublished {
        /// Why.
        cause: String,
        /// Where the copy lies.
        copy: String,
    },
}

/// What the outcome of a run is decided from.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'a> {
    /// What was executed.
    pub plan: &'a Plan,
    /// The result of each step, by its index.
    pub results: &'a [StepResult],
    /// Whether a signal came.
    pub interrupted: bool,
    /// What the verification found.
    pub findings: &'a [String],
    /// What others have changed of the run's own work since.
    pub overtaken: &'a [String],
    /// What became of the state file.
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
            RunOutcome::Failed
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
    /// How an apply ends that has nothing to do and so never becomes a run.
    pub fn of_empty_run(plan: &Plan) -> Self {
        let end = RunEnd {
            plan,
            results: &[],
            interrupted: false,
            findings: &[],
            overtaken: &[],
            state: &StateOutcome::Unchanged,
            verb: "",
        };
        end.outcome()
    }

    /// The word of the record in the state. What a plan itself leaves is no failure of its run.
    pub fn record(self) -> &'static str {
        match self {
            Self::Complete | Self::Incomplete => "complete",
            Self::Failed => "failed",
            Self::Overtaken => "overtaken",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Plan {
    /// What this plan leaves although its verb promises it: fields that a refresh cannot take in, since fly.toml has to
    /// say them, and Machines that a destroy leaves. An import promises nothing beyond what it can take in.
    pub fn remaining(&self, verb: &str) -> impl Iterator<Item = &Note> {
        let is_import = verb == "import";
        self.shortfalls().filter(move |_| !is_import)
    }
}
