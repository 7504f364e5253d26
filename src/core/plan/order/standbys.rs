//! The standbys of a group: changed and created after everything that they may watch.

use std::collections::BTreeSet;

use super::updates::StepSlot;
use super::{FailureScope, StepBuilder};
use crate::core::fleet::{GroupName, MachineId};
use crate::core::plan::decision::{ChangeRole, GroupDecision};
use crate::core::plan::types::{GateKind, StandbyTarget, StepId, Work};

/// What a group's standbys watch.
#[derive(Debug, Clone, Default)]
pub(super) struct Primaries {
    pub(super) stay: BTreeSet<MachineId>,
    pub(super) new: Vec<StepId>,
}

impl Primaries {
    pub(super) fn mark_replaced(&mut self, all: &[(MachineId, StepId)]) {
        for (old, new) in all {
            if self.stay.remove(old) {
                self.new.push(*new);
            }
        }
    }

    pub(super) fn standby_targets(&self) -> Vec<StandbyTarget> {
        let stay = self.stay.iter().cloned().map(StandbyTarget::Machine);
        stay.chain(self.new.iter().copied().map(StandbyTarget::Step))
            .collect()
    }
}

impl StepBuilder<'_, '_, '_> {
    /// Changed and new standbys, after everything that they may watch is created.
    pub(super) fn add_standbys(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let stops = decision
            .desired
            .map_or(FailureScope::Nothing, FailureScope::of);
        let changed: Vec<_> = decision
            .changed
            .iter()
            .filter(|c| c.role != ChangeRole::Primary)
            .collect();
        let total = changed.len() + decision.standbys.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.add_pool(format!("{name}: standbys"), total, false, stops);
        let mut ids = Vec::new();
        for change in changed {
            let gate = GateKind::Settled;
            let slot = StepSlot { pool, after, gate };
            ids.push(self.add_update(name, decision, change, primaries, slot));
        }
        let needs: Vec<StepId> = after.into_iter().collect();
        for region in &decision.standbys {
            let watched = primaries.standby_targets();
            let mut change = self.new_create(name, decision, region, watched, GateKind::Settled);
            self.assign_volumes(decision, &mut change, &[]);
            "standby".clone_into(&mut change.reason);
            ids.push(self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change))));
        }
        ids
    }
}
