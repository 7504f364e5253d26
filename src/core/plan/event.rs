//! What happens while a plan is carried out, as it is told to whoever watches.

use serde::{Deserialize, Serialize};

use super::types::{Outcome, StepId};
use crate::core::fleet::{AppName, RunId};

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
    /// A signal came: nothing new is started.
    Interrupted,
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
    /// It ended.
    Ended(Outcome),
}
