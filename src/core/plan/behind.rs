//! A plan without the changes of a run that the state does not list.
//!
//! While the state is behind such a run, the plan is refused, and it would revert the changes of the run. That was
//! not requested, so views show these Machines in one line.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Action, Change, GroupChange, GroupVerdict, Plan, Step, Work};
use crate::core::fleet::{GroupName, MachineId, Region};

impl Plan {
    /// The Machines that such runs changed, by their group in this plan.
    pub fn machines_of_unlisted_runs(&self) -> BTreeMap<&GroupName, usize> {
        let machines = self.unlisted_machines();
        let mut groups: BTreeMap<&MachineId, &GroupName> = BTreeMap::new();
        let drift = self.drift.iter();
        groups.extend(drift.filter_map(|d| Some((d.machine.id.as_ref()?, &d.group))));
        let changes = self.changes();
        groups.extend(changes.filter_map(|(_, c)| Some((c.machine.id.as_ref()?, &c.group))));
        let mut counts: BTreeMap<&GroupName, usize> = BTreeMap::new();
        for machine in machines {
            if let Some(group) = groups.get(machine) {
                *counts.entry(group).or_default() += 1;
            }
        }
        counts
    }

    /// How many Machines such runs changed.
    pub fn unlisted_machine_count(&self) -> usize {
        self.unlisted_machines().len()
    }

    /// This plan without the steps and the drift of those Machines, for views; it cannot be applied.
    #[must_use]
    pub fn without_unlisted_runs(&self) -> Self {
        let machines = self.unlisted_machines();
        let is_of_run = |id: Option<&MachineId>| id.is_some_and(|id| machines.contains(id));
        let is_folded = |step: &Step| match &step.work {
            Work::Change(change) => {
                is_of_run(change.machine.id.as_ref()) || is_of_run(change.replaces())
            }
            Work::Barrier { .. } => false,
        };
        let (folded, steps): (Vec<Step>, Vec<Step>) =
            self.steps.iter().cloned().partition(is_folded);
        let drift = self.drift.iter();
        let drift = drift.filter(|drift| !is_of_run(drift.machine.id.as_ref()));
        let mut groups = self.groups.clone();
        for step in &folded {
            if let Work::Change(change) = &step.work {
                unfold(&mut groups, change);
            }
        }
        let changes = |step: &Step| match &step.work {
            Work::Change(change) => Some(change.group.clone()),
            Work::Barrier { .. } => None,
        };
        let touched: BTreeSet<GroupName> = steps.iter().filter_map(changes).collect();
        let folded: BTreeSet<GroupName> = folded.iter().filter_map(changes).collect();
        groups.retain(|group| touched.contains(&group.name) || !folded.contains(&group.name));
        Self {
            drift: drift.cloned().collect(),
            groups,
            steps,
            cost: None,
            ..self.clone()
        }
    }

    fn unlisted_machines(&self) -> BTreeSet<&MachineId> {
        let runs = self.unlisted_runs.iter();
        runs.flat_map(|run| &run.machines).collect()
    }
}

/// Counts a Machine that is not destroyed after all.
fn unfold(groups: &mut [GroupChange], change: &Change) {
    let removal = match change.action {
        Action::Destroy { removal, .. } => removal,
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Move { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => return,
    };
    let group = groups.iter_mut().find(|group| group.name == change.group);
    if let Some(group) = group.filter(|_| removal.is_loss()) {
        group.after += 1;
        keep_one(&mut group.regions, &change.region);
        if group.verdict == GroupVerdict::Removed {
            group.verdict = GroupVerdict::Changed;
        }
    }
}

fn keep_one(regions: &mut BTreeMap<Region, (u32, u32)>, region: &Region) {
    if let Some((_, after)) = regions.get_mut(region) {
        *after += 1;
    }
}
