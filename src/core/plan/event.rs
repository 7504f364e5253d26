//! What happens while a plan is carried out, as it is told to whoever watches.

use serde::{Deserialize, Serialize};

use super::types::{Action, Outcome, StepId};
use crate::core::fleet::{AppName, MachineId, RunId};

/// Something that happened while a plan was carried out: the contract between the executor and every
/// reporter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started {
        /// The run.
        run: RunId,
        /// The app.
        app: AppName,
        /// Changes that it has, barriers not counted.
        steps: usize,
    },
    /// Something about one step.
    Step {
        /// Which.
        step: StepId,
        /// What.
        #[serde(flatten)]
        what: StepEvent,
    },
    /// The run waits before its first step.
    Waiting {
        /// What for.
        on: String,
        /// Milliseconds from now after which it goes on.
        up_to_ms: u64,
    },
    /// A signal came: nothing new is started, and nothing but answers is waited for.
    Interrupted(InFlight),
    /// The run's release has its number.
    Release {
        /// The number.
        release: u64,
        /// Why the platform does not have it, for people; none when it is registered.
        unregistered: Option<String>,
    },
}

/// What happened to one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step_event", rename_all = "snake_case")]
pub enum StepEvent {
    /// It began.
    Began,
    /// It waits; always said, with what for and how long at most.
    Waiting {
        /// What for (`check http-8080`, `rate limit`, `lease held by …`).
        on: String,
        /// Milliseconds from now after which it is given up.
        up_to_ms: Option<u64>,
    },
    /// It is tried again after a failure that may pass.
    Retrying {
        /// Why.
        cause: String,
    },
    /// The provider did something otherwise than planned.
    Remark {
        /// What, for people.
        text: String,
    },
    /// The Machine that it makes is there, and has this id from now on.
    #[serde(rename = "made")]
    Created {
        /// Its id.
        id: MachineId,
    },
    /// It ended.
    Ended(Outcome),
}

/// What a run leaves open when a signal stops it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Changes that were sent and are not confirmed.
    pub sent: Unconfirmed,
    /// Calls that are not answered yet; they are waited for.
    pub unanswered: usize,
    /// Milliseconds after which they are not waited for any more; none means until they answer, or until
    /// a second signal comes.
    pub up_to_ms: Option<u64>,
}

/// Changes by what they do.
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
            Action::Create { .. } => self.create += 1,
            Action::Update { .. } => self.update += 1,
            Action::Move { .. } => self.moves += 1,
            Action::Destroy { .. } => self.destroy += 1,
            Action::Start => self.start += 1,
            // These change the state alone.
            Action::Wait | Action::Adopt | Action::Forget => {}
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.create + self.update + self.moves + self.destroy + self.start
    }
}
