//! The result of each step of a plan.

use serde::{Deserialize, Serialize};

use super::branch::ReplaceFallback;
use super::types::StepId;
use super::way_back::Undone;
use crate::core::fleet::computed::MachineComputedFields;
use crate::core::fleet::{Machine, StoredConfig};

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Done,
    /// Certainly not done.
    Failed {
        /// Stable code of the failure (`gate_timeout`, `conflict`, …).
        code: String,
        /// What happened, for people.
        message: String,
        /// What to do, for people.
        hint: Option<String>,
    },
    /// Done or not; the next run finds out.
    Unknown {
        /// What got no answer, for people.
        message: String,
    },
    /// Not started, because this step did not end in Done.
    Skipped {
        /// That step.
        because: StepId,
    },
    /// Not started, because the run was interrupted or its pool stopped.
    NotStarted,
}

/// The result of a step, with its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The result.
    pub outcome: Outcome,
    /// The Machine as last seen; for a create even if its gate failed, so that no new Machine is lost. For a
    /// branch the new one, once it exists.
    pub machine: Option<Machine>,
    /// The sent config in its stored form, if any was sent.
    pub sent: Option<StoredConfig>,
    /// A create found its Machine already existing and changed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub updated: bool,
    /// The result of the branch, if one was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "instead")]
    pub replace_fallback: Option<Box<ReplaceFallback>>,
    /// What the platform added to the sent config; none if nothing was sent, or if the answer is unknown.
    #[serde(default, rename = "filled", skip_serializing_if = "Option::is_none")]
    pub computed: Option<Box<MachineComputedFields>>,
    /// Remarks about a completed change, for people (for example a Machine that exited on its own).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The step is done, but verification found that its Machine does not stay up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_down: bool,
    /// It failed because its Machine did not pass its gate: a cause of a rollback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate_failed: bool,
    /// What a rollback made of its Machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

impl StepResult {
    /// A result without data.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            machine: None,
            sent: None,
            updated: false,
            replace_fallback: None,
            computed: None,
            remarks: Vec::new(),
            went_down: false,
            gate_failed: false,
            undone: Vec::new(),
        }
    }
}
