//! One part of a plan's steps as a plan, so that every view and count works on it unchanged.
//!
//! Such a plan is only shown: its steps may need steps that it does not have.

use std::collections::{BTreeMap, BTreeSet};

use super::super::change::ReplaceHalf;
use super::super::types::{
    Action, Change, Cost, Drift, GroupChange, GroupVerdict, Note, Plan, Step, StepId, Work,
};
use super::DroppedChange;
use crate::core::fleet::{GroupName, Region};

/// The steps that are not pending, with the notes that the base's plan does not have.
pub(super) fn this_change(plan: &Plan, base: &Plan, pending: &BTreeSet<StepId>) -> Plan {
    let steps = steps_where(plan, |id| !pending.contains(&id));
    let groups = groups_of_this_change(plan, base, &steps);
    let new_notes = |ours: &[Note], theirs: &[Note]| -> Vec<Note> {
        let new = ours.iter().filter(|note| !theirs.contains(note));
        new.cloned().collect()
    };
    let drift = plan.drift.iter();
    let drift: Vec<Drift> = drift.filter(|d| !base.drift.contains(d)).cloned().collect();
    let mut part = Plan {
        cost: cost_difference(plan.cost.as_deref(), base.cost.as_deref()),
        drift,
        notes: new_notes(&plan.notes, &base.notes),
        warnings: new_notes(&plan.warnings, &base.warnings),
        refusals: new_notes(&plan.refusals, &base.refusals),
        records: new_notes(&plan.records, &base.records),
        groups,
        steps,
        ..plan.clone()
    };
    if part.groups_with_new_config().is_empty() {
        part.release = None;
    }
    if part.changes().next().is_none() {
        part.at_least_ms = None;
    }
    part
}

/// The pending steps, with the drift.
pub(super) fn pending_changes(
    plan: &Plan,
    base: Option<&Plan>,
    pending: &BTreeSet<StepId>,
) -> Plan {
    let steps = steps_where(plan, |id| pending.contains(&id));
    let groups = match base {
        Some(base) => {
            let touched = touched_groups(&steps);
            let of_base = base.groups.iter().cloned();
            let shown = of_base.map(|group| {
                let verdict = if touched.contains(&group.name) {
                    group.verdict
                } else {
                    GroupVerdict::Unchanged
                };
                GroupChange { verdict, ..group }
            });
            shown.collect()
        }
        None => Vec::new(),
    };
    let both = |ours: &[Note], theirs: fn(&Plan) -> &Vec<Note>| -> Vec<Note> {
        let of_base = |note: &&Note| base.is_some_and(|base| theirs(base).contains(note));
        ours.iter().filter(of_base).cloned().collect()
    };
    Plan {
        cost: base.and_then(|base| base.cost.clone()),
        notes: both(&plan.notes, |base| &base.notes),
        warnings: both(&plan.warnings, |base| &base.warnings),
        refusals: both(&plan.refusals, |base| &base.refusals),
        records: both(&plan.records, |base| &base.records),
        drift: match base {
            Some(base) => {
                let drift = plan.drift.iter();
                drift.filter(|d| base.drift.contains(d)).cloned().collect()
            }
            None => Vec::new(),
        },
        groups,
        steps,
        ..plan.clone()
    }
}

/// The changes of the base's plan that the other plan does not have.
pub(super) fn dropped_changes(base: &Plan, in_both: &BTreeSet<StepId>) -> Vec<DroppedChange> {
    let dropped = base.changes().filter(|(id, _)| !in_both.contains(id));
    dropped
        .filter_map(|(_, change)| dropped_change(change))
        .collect()
}

/// A replacement is listed once, by the Machine that it replaces.
fn dropped_change(change: &Change) -> Option<DroppedChange> {
    let (action, half) = change.action.verb();
    if half == Some(ReplaceHalf::Destroy) {
        return None;
    }
    let mut machine = change.machine.clone();
    if let Some(old) = change.replaces() {
        machine.id = Some(old.clone());
    }
    Some(DroppedChange {
        action,
        group: change.group.clone(),
        region: change.region.clone(),
        machine,
    })
}

fn steps_where(plan: &Plan, is_kept: impl Fn(StepId) -> bool) -> Vec<Step> {
    let is_kept = |step: &&Step| match step.work {
        Work::Change(_) => is_kept(step.id),
        Work::Barrier { .. } => false,
    };
    plan.steps.iter().filter(is_kept).cloned().collect()
}

fn touched_groups(steps: &[Step]) -> BTreeSet<&GroupName> {
    let changes = steps.iter().filter_map(|step| match &step.work {
        Work::Change(change) => Some(change),
        Work::Barrier { .. } => None,
    });
    let touched = changes.flat_map(|change| {
        let from = match &change.action {
            Action::Move { from, .. } => Some(from),
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => None,
        };
        std::iter::once(&change.group).chain(from)
    });
    touched.collect()
}

/// Every group, from the Machines that the base desires to those that are desired now.
fn groups_of_this_change(plan: &Plan, base: &Plan, steps: &[Step]) -> Vec<GroupChange> {
    let touched = touched_groups(steps);
    let of_base: BTreeMap<&GroupName, &GroupChange> = base
        .groups
        .iter()
        .map(|group| (&group.name, group))
        .collect();
    let groups = plan.groups.iter().filter_map(|group| {
        let before = of_base.get(&group.name).copied();
        if touched.contains(&group.name) {
            let moved = moved_to(&group.name, steps);
            return Some(touched_group(group, before, &moved));
        }
        // A removal that is pending is not repeated.
        let is_pending = group.after == 0 && group.verdict == GroupVerdict::Removed;
        (!is_pending).then(|| untouched_group(group))
    });
    groups.collect()
}

/// The regions of the Machines that these steps move to a group.
fn moved_to(name: &GroupName, steps: &[Step]) -> Vec<Region> {
    let moves = steps.iter().filter_map(|step| match &step.work {
        Work::Change(change) if matches!(change.action, Action::Move { .. }) => {
            (change.group == *name).then(|| change.region.clone())
        }
        Work::Change(_) | Work::Barrier { .. } => None,
    });
    moves.collect()
}

fn touched_group(
    group: &GroupChange,
    base: Option<&GroupChange>,
    moved_in: &[Region],
) -> GroupChange {
    let mut regions: BTreeMap<Region, (u32, u32)> = BTreeMap::new();
    for (region, (_, after)) in base.into_iter().flat_map(|base| &base.regions) {
        regions.entry(region.clone()).or_default().0 = *after;
    }
    for region in moved_in {
        regions.entry(region.clone()).or_default().0 += 1;
    }
    for (region, (_, after)) in &group.regions {
        regions.entry(region.clone()).or_default().1 = *after;
    }
    regions.retain(|_, counts| *counts != (0, 0));
    let moved = u32::try_from(moved_in.len()).unwrap_or(u32::MAX);
    let before = base.map_or(0, |base| base.after) + moved;
    let verdict = match group.verdict {
        GroupVerdict::Removed => GroupVerdict::Removed,
        _ if base.is_none_or(|base| base.after == 0) && group.after > 0 => GroupVerdict::Added,
        GroupVerdict::Added | GroupVerdict::Changed | GroupVerdict::Unchanged => {
            GroupVerdict::Changed
        }
    };
    let moved_from = group.moved_from.iter().filter(|_| moved > 0);
    GroupChange {
        before,
        regions,
        verdict,
        moved_in: moved,
        moved_from: moved_from.cloned().collect(),
        ..group.clone()
    }
}

/// A group that this change does not touch: its counts are the desired ones, also if steps are pending.
fn untouched_group(group: &GroupChange) -> GroupChange {
    let regions = group.regions.iter();
    let regions = regions.map(|(region, (_, after))| (region.clone(), (*after, *after)));
    GroupChange {
        before: group.after,
        regions: regions.filter(|(_, counts)| *counts != (0, 0)).collect(),
        verdict: GroupVerdict::Unchanged,
        count_reason: None,
        moved_from: Vec::new(),
        moved_in: 0,
        ..group.clone()
    }
}

/// The cost that this change adds.
fn cost_difference(ours: Option<&Cost>, base: Option<&Cost>) -> Option<Box<Cost>> {
    let (ours, base) = (ours?, base?);
    Some(Box::new(Cost {
        cents_per_month: ours.cents_per_month - base.cents_per_month,
        ..ours.clone()
    }))
}
