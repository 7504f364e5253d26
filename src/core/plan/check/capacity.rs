//! What the order of a plan must promise: who goes waits for who comes, and no more is down at once than
//! a group allows.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::unproven::{UnprovenState, unproven_machines};
use super::waits::{in_place, may_serve};
use crate::core::fleet::{Desired, GroupName, Known, MachineId, MachineState, Observed, Strategy};
use crate::core::plan::check::Finding;
use crate::core::plan::types::{
    Action, Change, GroupVerdict, Plan, PoolId, Removal, StandbyTarget, StepId, Work,
};

impl Checker<'_> {
    /// Whatever prefix of the order runs: who goes waits for who comes, a removed group waits for all
    /// others, a replaced Machine for its successor, and no rolling pool is wider than it may be.
    pub(super) fn check_capacity(
        &mut self,
        desired: &Desired,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let behind = Ancestors::of(self.plan);
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
        // Steps that wait for the same are behind the same.
        let mut seen: BTreeSet<(&GroupName, &[StepId])> = BTreeSet::new();
        for (id, change) in &changes {
            let needs = self.plan.steps[id.0 as usize].needs.as_slice();
            if let Action::Move { from, .. } = &change.action {
                let left = renamed.get(from).copied().unwrap_or(from);
                if *left != change.group && seen.insert((left, needs)) {
                    self.check_after_creates(*id, additions.get(left), &behind);
                }
            }
            match &change.action {
                Action::Destroy {
                    removal: Removal::CountLowered | Removal::Rebalanced | Removal::Named,
                    ..
                } => {
                    if seen.insert((&change.group, needs)) {
                        self.check_after_creates(*id, creates.get(&change.group), &behind);
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
                    self.check_replaced(*id, successor.copied(), leaves.is_empty(), &behind);
                }
                Action::Destroy {
                    removal: Removal::GroupRemoved,
                    ..
                } => {
                    if seen.insert((&change.group, needs))
                        && last_to_stay.is_some_and(|last| !behind.waits_for(*id, last))
                    {
                        self.report(format!("step {} destroys a removed group too early", id.0));
                    }
                }
                Action::Create { standby_for, .. }
                | Action::Update { standby_for }
                | Action::Move { standby_for, .. } => {
                    for watched in standby_for {
                        if let StandbyTarget::Step(step) = watched
                            && !behind.waits_for(*id, *step)
                        {
                            self.report(format!(
                                "step {} watches step {} before it is done",
                                id.0, step.0
                            ));
                        }
                    }
                }
                Action::Destroy {
                    removal: Removal::AppDestroyed,
                    ..
                }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget => {}
            }
        }
        let unproven = observed.map(|observed| unproven_machines(desired, known, observed));
        let unproven = unproven.unwrap_or_default();
        self.check_pools(desired, &changes, &unproven);
        self.check_unhealthy_first(desired, observed, &unproven, &changes, &behind);
    }

    fn check_after_creates(
        &mut self,
        id: StepId,
        creates: Option<&Vec<StepId>>,
        behind: &Ancestors,
    ) {
        for create in creates.into_iter().flatten() {
            if !behind.waits_for(id, *create) {
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
        behind: &Ancestors,
    ) {
        match successor {
            None => self.report(format!(
                "step {} destroys for a successor that nobody makes",
                id.0
            )),
            Some(create) if behind.waits_for(id, create) => {}
            Some(create) if behind.waits_for(create, id) && leaves_nothing => {}
            Some(_) => self.report(format!("step {} is not ordered with its successor", id.0)),
        }
    }

    /// A pool in which running Machines of a rolling group are updated takes down no more at once than
    /// the group allows of the Machines that change in it.
    fn check_pools(
        &mut self,
        desired: &Desired,
        changes: &[(StepId, &Change)],
        unproven: &BTreeMap<&MachineId, UnprovenState>,
    ) {
        let mut sizes: BTreeMap<PoolId, usize> = BTreeMap::new();
        let mut takes_down: BTreeMap<PoolId, &GroupName> = BTreeMap::new();
        for (id, change) in changes {
            let Some(pool) = self.plan.steps[id.0 as usize].pool else {
                continue;
            };
            let old_half = matches!(
                change.action,
                Action::Destroy {
                    removal: Removal::Replaced,
                    ..
                }
            );
            *sizes.entry(pool).or_default() += usize::from(!old_half);
            // One that does not serve takes no capacity away.
            let id = change.machine.id.as_ref();
            let down = id.is_some_and(|id| unproven.get(id) == Some(&UnprovenState::Down));
            if in_place(&change.action)
                && !down
                && change.state.is_none_or(MachineState::should_run)
            {
                takes_down.insert(pool, &change.group);
            }
        }
        for (id, group) in takes_down {
            let wanted = desired.groups.get(group).map(|wanted| wanted.strategy);
            let (Some(Strategy::Rolling { max_unavailable }), Some(pool)) =
                (wanted, self.plan.pools.get(id.0 as usize))
            else {
                continue;
            };
            if pool.size > max_unavailable.to_count_ceil(sizes[&id]).max(1) || !pool.first_alone {
                self.findings.push(Finding(format!(
                    "pool `{}` takes down too many at once",
                    pool.name
                )));
            }
        }
    }

    /// In a rolling group no Machine that serves is taken down before those that do not are up again.
    fn check_unhealthy_first(
        &mut self,
        desired: &Desired,
        observed: Option<&Observed>,
        unproven: &BTreeMap<&MachineId, UnprovenState>,
        changes: &[(StepId, &Change)],
        behind: &Ancestors,
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
                    self.check_waits_for_all(*id, mended.get(&change.group), behind);
                }
            }
        }
    }

    fn check_waits_for_all(
        &mut self,
        id: StepId,
        mended: Option<&Vec<StepId>>,
        behind: &Ancestors,
    ) {
        for first in mended.into_iter().flatten() {
            if !behind.waits_for(id, *first) {
                self.report(format!(
                    "step {} takes a Machine down before step {} has brought one up again",
                    id.0, first.0
                ));
            }
        }
    }
}

/// Whether a change belongs to a group that stays and does something.
fn stays(plan: &Plan, change: &Change) -> bool {
    let works = match change.action {
        Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
        Action::Destroy { .. } | Action::Wait | Action::Start | Action::Adopt | Action::Forget => {
            false
        }
    };
    let removed = |verdict| verdict == GroupVerdict::Removed;
    works
        && plan
            .groups
            .iter()
            .any(|g| g.name == change.group && !removed(g.verdict))
}

/// Which steps are done before which: for every barrier the set of all that it waits for.
pub(super) struct Ancestors {
    /// Per step: the steps directly needed.
    needs: Vec<Vec<StepId>>,
    /// Per barrier or shared predecessor: everything before it.
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
        let mut behind = Self {
            needs,
            closures: BTreeMap::new(),
        };
        // Steps share few predecessors (barriers), so closing over those is enough.
        let shared: BTreeSet<StepId> = behind.needs.iter().flatten().copied().collect();
        for id in shared {
            if matches!(
                plan.steps.get(id.0 as usize).map(|s| &s.work),
                Some(Work::Barrier { .. })
            ) {
                let all = behind.closure_of(id);
                behind.closures.insert(id, all);
            }
        }
        behind
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
