//! The update, move or replacement of one Machine. Decides no order: [`super::waves`] does.

use std::collections::BTreeSet;

use super::standbys::Primaries;
use super::{StepBuilder, change_of_member};
use crate::core::fleet::{GroupName, MachineId};
use crate::core::plan::branch::{Branch, Successor};
use crate::core::plan::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision};
use crate::core::plan::members::Member;
use crate::core::plan::placement;
use crate::core::plan::types::{Action, GateKind, PoolId, Removal, StandbyTarget, StepId, Work};

impl StepBuilder<'_, '_, '_> {
    pub(super) fn add_update(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        changed: &ChangedMachine<'_>,
        primaries: &mut Primaries,
        slot: StepSlot,
    ) -> StepId {
        let member = &changed.member;
        let standby_for = match changed.role {
            ChangeRole::Primary => Vec::new(),
            ChangeRole::Standby => current_standby_for(member),
            ChangeRole::Repointed => primaries.standby_targets(),
        };
        let action = match (is_in_place(changed.method), &member.moved_from) {
            (true, Some(from)) => Action::Move {
                from: from.clone(),
                standby_for,
            },
            (true, None) => Action::Update { standby_for },
            (false, _) => {
                let (create, last) =
                    self.add_replacement(name, decision, changed, standby_for, slot);
                if primaries.stay.remove(member.id) {
                    primaries.new.push(create);
                }
                return last;
            }
        };
        let mut step = change_of_member(member, action, changed.reason.clone(), slot.gate);
        step.changes.clone_from(&changed.changes);
        step.precondition = Some(changed.precondition.clone());
        if self.host_may_be_full {
            step.branches.push(self.full_host_branch(name, member));
        }
        let needs = slot.needs(self.replacement_in_old_group(member));
        self.push_step(Some(slot.pool), needs, Work::Change(Box::new(step)))
    }

    /// The step after which the group that this Machine leaves has a replacement for it.
    fn replacement_in_old_group(&self, member: &Member<'_>) -> Option<StepId> {
        self.created_groups
            .get(member.leaves_group.as_ref()?)?
            .created
    }

    /// What happens if the Machine's host has no room. The ids are chosen here, so that a run that crashes
    /// after the create finds the new Machine by its name.
    fn full_host_branch(&mut self, name: &GroupName, member: &Member<'_>) -> Branch {
        if !member.volumes().is_empty() {
            return Branch::NoRoomStops;
        }
        let (launch, bears) = self
            .allocator
            .allocate_successor(name, member.region, member.id);
        let repoints = self.watching.get(member.id).cloned().unwrap_or_default();
        for standby in &repoints {
            if let Some(pin) = self.watchers.remove(standby) {
                self.order.watchers.insert(standby.clone(), pin);
            }
        }
        Branch::NoRoomReplaced(Successor {
            launch,
            name: bears,
            repoints,
        })
    }

    /// The steps of a replacement: the create, and the last step.
    fn add_replacement(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        changed: &ChangedMachine<'_>,
        standby_for: Vec<StandbyTarget>,
        slot: StepSlot,
    ) -> (StepId, StepId) {
        let member = &changed.member;
        let old_first = changed.method == ChangeMethod::ReplaceOldFirst;
        let region = placement::of_successor(changed, decision.desired);
        let mut new = self.new_create(name, decision, region, standby_for, slot.gate);
        new.reason.clone_from(&changed.reason);
        new.changes.clone_from(&changed.changes);
        let own_volumes = if old_first { member.volumes() } else { &[] };
        self.assign_volumes(decision, &mut new, own_volumes);
        if let Action::Create { replaces, .. } = &mut new.action {
            *replaces = Some(member.id.clone());
        }
        let leaves = if old_first {
            Vec::new()
        } else {
            member.volumes().to_vec()
        };
        let destroy = Action::Destroy {
            removal: Removal::Replaced,
            left_volumes: leaves,
        };
        let mut old = change_of_member(member, destroy, changed.reason.clone(), GateKind::Gone);
        old.precondition = Some(changed.precondition.clone());
        let (first, second) = if old_first { (old, new) } else { (new, old) };
        let needs = slot.needs(self.replacement_in_old_group(member));
        let first = self.push_step(Some(slot.pool), needs, Work::Change(Box::new(first)));
        let last = self.push_step(Some(slot.pool), vec![first], Work::Change(Box::new(second)));
        self.order.steps[last.0 as usize].completes = Some(first);
        (if old_first { last } else { first }, last)
    }
}

/// Where in the order a change goes.
#[derive(Clone, Copy)]
pub(super) struct StepSlot {
    pub(super) pool: PoolId,
    pub(super) after: Option<StepId>,
    pub(super) gate: GateKind,
}

impl StepSlot {
    /// A Machine that moves to another group also waits for its replacement in the old one.
    fn needs(self, old_group_step: Option<StepId>) -> Vec<StepId> {
        let mut needs: Vec<StepId> = self.after.into_iter().chain(old_group_step).collect();
        needs.sort();
        needs.dedup();
        needs
    }
}

fn current_standby_for(member: &Member<'_>) -> Vec<StandbyTarget> {
    let watched: BTreeSet<&MachineId> = member.standby_for().iter().collect();
    watched
        .into_iter()
        .cloned()
        .map(StandbyTarget::Machine)
        .collect()
}

fn is_in_place(how: ChangeMethod) -> bool {
    match how {
        ChangeMethod::Update | ChangeMethod::Move => true,
        ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst => false,
    }
}
