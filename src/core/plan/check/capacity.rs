//! The order of a plan: destroys wait for creates, and a group never has more Machines down at once than it
//! allows.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::unproven::{UnprovenState, unproven_machines};
use super::waits::{in_place, may_serve};
use super::waves::Facts;
use crate::core::fleet::{Desired, GroupName, Known, MachineId, MachineState, Observed, Strategy};
use crate::core::plan::types::{
    Action, Change, GroupVerdict, Plan, Removal, StandbyTarget, StepId, Work,
};

impl Checker<'_> {
    /// For every prefix of the order: destroys wait for creates, a removed group waits for all others, a
    /// replaced Machine for its replacement, and no rolling pool is larger than allowed.
    pub(super) fn check_capacity(
        &mut self,
        desired: &Desired,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let ancestors = Ancestors::of(self.plan);
        let changes: Vec<_> = self.plan.changes().collect();
        let mut creates: BTreeMap<&GroupName, Vec<StepId>> = BTreeMap::new();
        let mut additions: BTreeMap<&GroupName, Vec<StepId>> = BTreeMap::new();
        let renamed: BTreeMap<_, _> = desired.moved.iter().map(|m| (&m.from, &m.to)).collect();
        let mut successors: BTreeMap<&MachineId, StepId> = BTreeMap::new();
        let mut last_to_stay = None;
        for (id, change) in &changes {
            if let Action::Create {
                replaces,
                standby_for,
                ..
            } = &change.action
            {
                if replaces.is_none() && standby_for.is_empty() {
                    additions.entry(&change.group).or_default().push(*id);
                }
                creates.entry(&change.group).or_default().push(*id);
                successors.extend(replaces.as_ref().map(|old| (old, *id)));
            }
            if stays(self.plan, change) {
                last_to_stay = Some(*id);
            }
        }
        // Steps with the same predecessors have the same ancestors.
        let mut seen: BTreeSet<(&GroupName, &[StepId])> = BTreeSet::new();
        for (id, change) in &changes {
            let needs = self.plan.steps[id.0 as usize].needs.as_slice();
            if let Action::Move { from, .. } = &change.action {
                let old_group = renamed.get(from).copied().unwrap_or(from);
                if *old_group != change.group && seen.insert((old_group, needs)) {
                    self.check_after_creates(*id, additions.get(old_group), &ancestors);
                }
            }
            match &change.action {
                Action::Destroy {
                    removal: Removal::CountLowered | Removal::Rebalanced | Removal::Named,
                    ..
                } => {
                    if seen.insert((&change.group, needs)) {
                        self.check_after_creates(*id, creates.get(&change.group), &ancestors);
                    }
                }
                Action::Destroy {
                    removal: Removal::Replaced,
                    left_volumes: leaves,
                } => {
                    let successor = change
                        .machine
                        .id
                        .as_ref()
                        .and_then(|old| successors.get(old));
                    self.check_replaced(*id, successor.copied(), leaves.is_empty(), &ancestors);
                }
                Action::Destroy {
                    removal: Removal::GroupRemoved,
                    ..
                } => {
                    if seen.insert((&change.group, needs))
                        && last_to_stay.is_some_and(|last| !ancestors.waits_for(*id, last))
                    {
                        self.report(format!("step {} destroys a removed group too early", id.0));
                    }
                }
                Action::Create { standby_for, .. }
                | Action::Update { standby_for }
                | Action::Move { standby_for, .. } => {
                    self.check_watched(*id, standby_for, &ancestors);
                }
                Action::Destroy {
                    removal:
                        Removal::AppDestroyed | Removal::Canary | Removal::Swapped | Removal::SwapUndone,
                    ..
                }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => {}
            }
        }
        self.check_swap(&changes, &ancestors);
        let unproven = observed.map(|observed| unproven_machines(desired, known, observed));
        let unproven = unproven.unwrap_or_default();
        self.check_waves(&Facts {
            desired,
            known,
            observed,
            changes: &changes,
            unproven: &unproven,
            ancestors: &ancestors,
        });
        self.check_unhealthy_first(desired, observed, &unproven, &changes, &ancestors);
    }

    fn check_watched(&mut self, id: StepId, watched: &[StandbyTarget], ancestors: &Ancestors) {
        for target in watched {
            if let StandbyTarget::Step(step) = target
                && !ancestors.waits_for(id, *step)
            {
                self.report(format!(
                    "step {} watches step {} before it is done",
                    id.0, step.0
                ));
            }
        }
    }

    fn check_after_creates(
        &mut self,
        id: StepId,
        creates: Option<&Vec<StepId>>,
        ancestors: &Ancestors,
    ) {
        for create in creates.into_iter().flatten() {
            if !ancestors.waits_for(id, *create) {
                self.report(format!(
                    "step {} takes a Machine away before step {} has created",
                    id.0, create.0
                ));
            }
        }
    }

    fn check_replaced(
        &mut self,
        id: StepId,
        successor: Option<StepId>,
        leaves_nothing: bool,
        ancestors: &Ancestors,
    ) {
        match successor {
            None => self.report(format!(
                "step {} destroys for a replacement that no step creates",
                id.0
            )),
            Some(create) if ancestors.waits_for(id, create) => {}
            Some(create) if ancestors.waits_for(create, id) && leaves_nothing => {}
            Some(_) => self.report(format!("step {} is not ordered with its replacement", id.0)),
        }
    }

    /// In a rolling group no serving Machine is taken down before the others are up again.
    fn check_unhealthy_first(
        &mut self,
        desired: &Desired,
        observed: Option<&Observed>,
        unproven: &BTreeMap<&MachineId, UnprovenState>,
        changes: &[(StepId, &Change)],
        ancestors: &Ancestors,
    ) {
        let serves = |change: &Change| {
            let id = change.machine.id.as_ref();
            let down = id.is_some_and(|id| unproven.get(id) == Some(&UnprovenState::Down));
            may_serve(change, observed) && !down
        };
        let mut mended: BTreeMap<&GroupName, Vec<StepId>> = BTreeMap::new();
        let mut serving: BTreeSet<(&GroupName, &[StepId])> = BTreeSet::new();
        for (id, change) in changes {
            let rolling = desired
                .groups
                .get(&change.group)
                .is_some_and(|group| matches!(group.strategy, Strategy::Rolling { .. }));
            if !rolling || !in_place(&change.action) {
                continue;
            }
            if change.state == Some(MachineState::Failed) {
                mended.entry(&change.group).or_default().push(*id);
            } else if serves(change) {
                let needs = self.plan.steps[id.0 as usize].needs.as_slice();
                if serving.insert((&change.group, needs)) {
                    self.check_waits_for_all(*id, mended.get(&change.group), ancestors);
                }
            }
        }
    }

    fn check_waits_for_all(
        &mut self,
        id: StepId,
        mended: Option<&Vec<StepId>>,
        ancestors: &Ancestors,
    ) {
        for first in mended.into_iter().flatten() {
            if !ancestors.waits_for(id, *first) {
                self.report(format!(
                    "step {} takes a Machine down before step {} has started another",
                    id.0, first.0
                ));
            }
        }
    }
}

/// Whether a change belongs to a group that stays, and calls the provider.
fn stays(plan: &Plan, change: &Change) -> bool {
    let works = match change.action {
        Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
        Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => false,
    };
    let removed = |verdict| verdict == GroupVerdict::Removed;
    works
        && plan
            .groups
            .iter()
            .any(|g| g.name == change.group && !removed(g.verdict))
}

/// Which steps are done before which: for every barrier the set of all its predecessors.
pub(super) struct Ancestors {
    /// Per step: its direct predecessors.
    needs: Vec<Vec<StepId>>,
    /// Per barrier or shared predecessor: all predecessors.
    closures: BTreeMap<StepId, BTreeSet<StepId>>,
}

impl Ancestors {
    pub(super) fn of(plan: &Plan) -> Self {
        let needs: Vec<Vec<StepId>> = plan
            .steps
            .iter()
            .map(|step| {
                step.needs
                    .iter()
                    .copied()
                    .filter(|need| *need < step.id)
                    .collect()
            })
            .collect();
        let mut ancestors = Self {
            needs,
            closures: BTreeMap::new(),
        };
        // Steps share few predecessors (barriers), so the closures of those are enough.
        let shared: BTreeSet<StepId> = ancestors.needs.iter().flatten().copied().collect();
        for id in shared {
            if matches!(
                plan.steps.get(id.0 as usize).map(|s| &s.work),
                Some(Work::Barrier { .. })
            ) {
                let all = ancestors.closure_of(id);
                ancestors.closures.insert(id, all);
            }
        }
        ancestors
    }

    fn closure_of(&self, id: StepId) -> BTreeSet<StepId> {
        let mut all = BTreeSet::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            if let Some(closed) = self.closures.get(&next) {
                all.extend(closed);
                continue;
            }
            let Some(needs) = self.needs.get(next.0 as usize) else {
                continue;
            };
            open.extend(needs.iter().copied().filter(|need| all.insert(*need)));
        }
        all
    }

    pub(super) fn waits_for(&self, id: StepId, first: StepId) -> bool {
        let Some(needs) = self.needs.get(id.0 as usize) else {
            return false;
        };
        needs.iter().any(|need| {
            *need == first
                || self
                    .closures
                    .get(need)
                    .map_or_else(|| self.waits_for(*need, first), |all| all.contains(&first))
        })
    }
}
