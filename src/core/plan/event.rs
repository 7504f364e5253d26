//! Events of an apply.

use serde::{Deserialize, Serialize};

use super::types::{Action, Change, Outcome, StepId};
use crate::core::fleet::{AppName, MachineId, RunId};

/// An event of an apply: the contract between the executor and every reporter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run started.
    Started {
        /// The run.
        run: RunId,
        /// The app.
        app: AppName,
        /// The number of changes, without barriers.
        steps: usize,
    },
    /// An event of one step.
    Step {
        /// The step.
        step: StepId,
        /// The event.
        #[serde(flatten)]
        what: StepEvent,
    },
    /// The run waits before its first step.
    Waiting {
        /// What it waits for.
        on: String,
        /// Milliseconds until it continues at the latest.
        up_to_ms: u64,
    },
    /// A signal was received: no new step starts, and only open calls are awaited.
    Interrupted(InFlight),
    /// The run undoes its changes.
    RollingBack {
        /// The release that its Machines had before, if it is one and known.
        to: Option<u64>,
        /// The number of changes, without barriers.
        steps: usize,
        /// The failure that caused it, for people.
        cause: String,
    },
    /// An event of one step of a rollback.
    Undo {
        /// Its number, after those of the plan.
        step: StepId,
        /// The change that it makes.
        change: Box<Change>,
        /// The event.
        #[serde(flatten)]
        what: StepEvent,
    },
    /// The run's release has its number.
    Release {
        /// The number.
        release: u64,
        /// Why the platform does not have it, for people; none if it is registered.
        unregistered: Option<String>,
    },
}

/// An event of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step_event", rename_all = "snake_case")]
pub enum StepEvent {
    /// It started.
    Began,
    /// It waits; always reported, with the reason and the maximum time.
    Waiting {
        /// What it waits for (`check http-8080`, `rate limit`, `lease held by …`).
        on: String,
        /// Its timeout in milliseconds.
        up_to_ms: Option<u64>,
    },
    /// It is retried after a failure that may pass.
    Retrying {
        /// Why.
        cause: String,
    },
    /// The provider did something other than planned.
    Remark {
        /// What, for people.
        text: String,
    },
    /// The output of a command that ran once, oldest line first; untrusted and not escaped.
    Output {
        /// The lines.
        lines: Vec<String>,
        /// Whether the command failed.
        failed: bool,
    },
    /// Its new Machine exists and has this id.
    #[serde(rename = "made")]
    Created {
        /// Its id.
        id: MachineId,
    },
    /// It ended.
    Ended(Outcome),
}

/// What a run leaves open after a signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Changes that were sent and are not confirmed.
    pub sent: Unconfirmed,
    /// Calls without an answer yet; these are awaited.
    pub unanswered: usize,
    /// Milliseconds until they are no longer awaited; none means until they answer, or until a second signal.
    pub up_to_ms: Option<u64>,
}

/// Numbers of changes by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// Machines to create.
    pub create: usize,
    /// Machines to update in place.
    pub update: usize,
    /// Machines to move between groups.
    #[serde(rename = "move")]
    pub moves: usize,
    /// Machines to destroy.
    pub destroy: usize,
    /// Machines to start again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start: usize,
    /// Groups to switch to their new Machines.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub switch: usize,
    /// Commands to run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub run: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Unconfirmed {
    /// Counts one more.
    pub fn add(&mut self, action: &Action) {
        match action {
            Action::Create { .. } | Action::Canary { .. } => self.create += 1,
            Action::Update { .. } => self.update += 1,
            Action::Move { .. } => self.moves += 1,
            Action::Destroy { .. } => self.destroy += 1,
            Action::Start => self.start += 1,
            // These change only the state.
            Action::Wait | Action::Adopt | Action::Forget => {}
            Action::Switch { .. } => self.switch += 1,
            Action::Once { .. } => self.run += 1,
        }
    }

    /// The total.
    pub fn total(&self) -> usize {
        self.create + self.update + self.moves + self.destroy + self.start + self.run + self.switch
    }
}
