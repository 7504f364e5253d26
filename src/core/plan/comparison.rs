//! Compares the plan of a change with the plan of its base: the same state and the same Machines, other
//! manifests.
//!
//! Each step is part of *this change* (only the change's plan has it), *pending* (the base's plan has it, too: a
//! failed apply, drift to revert), or *dropped* (only the base's plan has it). Start at [`Comparison::of`];
//! [`matching`] decides which steps are the same, [`part`] makes a plan of one part of the steps.

pub mod codes;
mod matching;
mod part;
mod remarks;

use std::collections::BTreeSet;

use serde::Serialize;

use super::change::Verb;
use super::summary::Summary;
use super::types::{MachineRef, Note, Plan, StepId};
use crate::core::fleet::{Desired, GroupName, Known, Observed, Region};

pub use remarks::{StateCopy, not_compared_note, old_app_note, state_remarks};

/// A plan compared with the plan of its base.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Whether there was something to compare with.
    pub base: BaseComparison,
    /// Steps of the plan that the base's plan has, too.
    pub pending: BTreeSet<StepId>,
    /// Changes that only the base's plan has.
    pub dropped: Vec<DroppedChange>,
    /// Lines above the plan: the state is edited, the checkout is behind its base, the base was not compared.
    pub remarks: Vec<Note>,
    /// The plan of the base, if compared.
    base_plan: Option<Box<Plan>>,
}

/// Whether a base was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum BaseComparison {
    /// The base was compared.
    Compared,
    /// The base does not have this app: everything is part of this change.
    NewInThisChange {
        /// The reason, for people.
        why: String,
    },
    /// The base could not be read: nothing is known about it, and everything counts as this change.
    NotCompared {
        /// The reason, for people.
        why: String,
    },
}

/// A change that only the base's plan has: this change cancels it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DroppedChange {
    /// The action. A replacement is listed once.
    pub action: Verb,
    /// The group.
    pub group: GroupName,
    /// The region.
    pub region: Region,
    /// The Machine; of a replacement, the old one. Only a name for one that would have been created.
    pub machine: MachineRef,
}

/// A plan and the manifests that it is for.
#[derive(Debug, Clone, Copy)]
pub struct PlanOf<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The desired state that it reaches.
    pub desired: &'a Desired,
}

/// The common input of both plans.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The state.
    pub known: &'a Known,
    /// The observed Machines; `None` offline.
    pub observed: Option<&'a Observed>,
}

impl Comparison {
    /// Compares the plan of a change with that of its base, made from the same state and the same observed
    /// Machines.
    pub fn of(ours: PlanOf<'_>, base: PlanOf<'_>, snapshot: Snapshot<'_>) -> Self {
        let matched = matching::match_steps(ours, base, snapshot);
        let dropped = part::dropped_changes(base.plan, &matched.in_both_of_base);
        Self {
            base: BaseComparison::Compared,
            pending: matched.pending,
            dropped,
            remarks: Vec::new(),
            base_plan: Some(Box::new(base.plan.clone())),
        }
    }

    /// The comparison with a base that does not have this app.
    pub fn new_app(why: String) -> Self {
        Self::without_base(BaseComparison::NewInThisChange { why })
    }

    /// No comparison, because the base cannot be read.
    pub fn not_compared(why: String) -> Self {
        Self::without_base(BaseComparison::NotCompared { why })
    }

    fn without_base(base: BaseComparison) -> Self {
        Self {
            base,
            pending: BTreeSet::new(),
            dropped: Vec::new(),
            remarks: Vec::new(),
            base_plan: None,
        }
    }

    /// Whether this step is part of this change; otherwise it is pending.
    pub fn is_this_change(&self, step: StepId) -> bool {
        !self.pending.contains(&step)
    }

    /// The numbers of changes that are part of this change.
    pub fn this_change_summary(&self, plan: &Plan) -> Summary {
        plan.summary_of(|step| self.is_this_change(step))
    }

    /// The numbers of pending changes.
    pub fn pending_summary(&self, plan: &Plan) -> Summary {
        plan.summary_of(|step| self.pending.contains(&step))
    }

    /// This change as a plan: its steps and remarks, and each group from the base's counts to the desired ones. For views and exit codes; it cannot be applied.
    pub fn this_change(&self, plan: &Plan) -> Plan {
        match &self.base_plan {
            Some(base) => part::this_change(plan, base, &self.pending),
            None => plan.clone(),
        }
    }

    /// The pending changes as a plan, with the drift; groups with the base's counts. For views; it cannot be
    /// applied.
    pub fn pending_changes(&self, plan: &Plan) -> Plan {
        let base = self.base_plan.as_deref();
        part::pending_changes(plan, base, &self.pending)
    }

    /// Whether the state file of the checkout is not the base's.
    pub fn edits_state(&self) -> bool {
        let code = codes::STATE_EDITED.name();
        self.remarks.iter().any(|note| note.code == code)
    }

    /// Refusals that the base's plan has, too.
    pub fn pending_refusals<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Note> {
        let base = self.base_plan.as_deref();
        let of_base = move |note: &&Note| base.is_some_and(|base| base.refusals.contains(note));
        plan.refusals.iter().filter(of_base)
    }
}
