//! Turns: of the Machines of a group that the plan leaves stopped, and that somebody has started since, one at a time
//! restarts, gate included (rule 29).
//!
//! Limits these Machines alone; the pools of the plan limit those that were planned as serving.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use crate::core::fleet::{DesiredGroup, GroupName};
use crate::core::plan::{self, Change, GateKind};

/// The turns of a run, by group.
#[derive(Default)]
pub(super) struct Turns(RefCell<BTreeMap<GroupName, Arc<Mutex<TurnState>>>>);

/// What the turns of a group have shown so far.
#[derive(Default)]
pub(super) struct TurnState {
    /// One did not pass its gate, so that no other may go down.
    failed: bool,
}

/// A turn; it ends when this is dropped.
pub(super) type Turn = OwnedMutexGuard<TurnState>;

impl Turns {
    fn of_group(&self, group: &GroupName) -> Arc<Mutex<TurnState>> {
        let mut groups = self.0.borrow_mut();
        Arc::clone(groups.entry(group.clone()).or_default())
    }
}

impl StepContext<'_> {
    /// Waits for the turn among the Machines of this group, which each take at most so long.
    pub(super) async fn take_turn(&self, group: &GroupName, at_most: Duration) -> PartResult {
        let turn = self.shared.turns.of_group(group);
        // The run has one reference, this step another, and so has each step that holds or awaits it.
        let ahead = Arc::strong_count(&turn).saturating_sub(2);
        if ahead > 0 {
            let at_most = at_most.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
            self.report_waiting(
                format!("its turn: one started Machine of {group} restarts at a time"),
                at_most,
            );
        }
        let halted = || StepError::Halted {
            during: "while waiting for its turn".to_owned(),
        };
        let turn = tokio::select! {
            biased;
            () = self.shared.cancel.stopping() => return Err(halted()),
            turn = turn.lock_owned() => turn,
        };
        if turn.failed || self.shared.halt.borrow().is_some() {
            return Err(halted());
        }
        *self.turn.borrow_mut() = Some(turn);
        Ok(())
    }

    /// Whether this step has the turn.
    pub(super) fn has_turn(&self) -> bool {
        self.turn.borrow().is_some()
    }

    /// The gate of a change; a Machine that restarts on its turn has that of its group.
    pub(super) fn planned_gate(&self, change: &Change, group: &DesiredGroup) -> GateKind {
        if self.has_turn() {
            plan::gate(group)
        } else {
            change.gate
        }
    }

    /// Gives the turn back unused.
    pub(super) fn return_turn(&self) {
        self.turn.borrow_mut().take();
    }

    /// Ends the turn, if the step has one; after a failure nobody else gets one.
    pub(super) fn end_turn(&self, passed: bool) {
        if let Some(mut turn) = self.turn.borrow_mut().take() {
            turn.failed |= !passed;
        }
    }
}
