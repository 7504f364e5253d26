//! What a run leaves open: which Machine each new one replaces, and which creates are pending.
//!
//! Counts places only; [`super::next_state()`] decides what the state says of each Machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::change::Verb;
use super::options::PlanMode;
use super::types::{Action, Change, Outcome, Plan, Removal, StepId, StepResult};
use super::way_back::Undone;
use crate::core::fleet::{Count, Desired, GroupName, Known, LaunchId, MachineId, PendingCreate};

/// The Machine that each create replaces: an explicit one, a missing one, or one that is removed to balance its
/// group.
pub(super) fn replaced_by_create(
    plan: &Plan,
    known: &Known,
    desired: &Desired,
) -> BTreeMap<StepId, MachineId> {
    let mut replaceable: BTreeMap<&GroupName, VecDeque<&MachineId>> = BTreeMap::new();
    for (_, change) in plan.changes() {
        let Some(id) = &change.machine.id else {
            continue;
        };
        let stood_by = |id: &MachineId| {
            let known = known.machines.get(id);
            known.is_some_and(|known| !known.standby_for.is_empty())
        };
        let leaves_a_place = match &change.action {
            Action::Destroy { removal, .. } => *removal == Removal::Rebalanced,
            Action::Forget => !desired.removed_machines.contains(id) && !stood_by(id),
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
        };
        if leaves_a_place {
            replaceable.entry(&change.group).or_default().push_back(id);
        }
    }
    let mut place_of = |change: &Change| {
        let adds = change.action.verb() == (Verb::Create, None);
        if adds && change.standby_for().is_empty() {
            replaceable.get_mut(&change.group)?.pop_front().cloned()
        } else {
            change.replaces().cloned()
        }
    };
    let changes = plan.changes();
    changes
        .filter_map(|(step, change)| Some((step, place_of(change)?)))
        .collect()
}

/// A replacement and the Machine it replaces count as one only while both exist, and only until a plan that
/// keeps both completes in their group.
pub(super) fn settle_successors(next: &mut Known, plan: &Plan, results: &[StepResult]) {
    let present: BTreeSet<MachineId> = next.machines.keys().cloned().collect();
    let unfinished: BTreeSet<&GroupName> = plan
        .changes()
        .filter(|(id, _)| {
            let result = results.get(id.0 as usize);
            result.is_none_or(|result| result.outcome != Outcome::Done)
        })
        .flat_map(|(_, change)| {
            let left = match &change.action {
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
            left.into_iter().chain([&change.group])
        })
        .chain(plan.left_out.iter().map(|left| &left.group))
        .collect();
    for machine in next.machines.values_mut() {
        let open = unfinished.contains(&machine.group);
        let old = machine.replaces.take();
        machine.replaces = old.filter(|old| open && present.contains(old));
    }
}

/// Pending creates: those that may have happened and, in a group without a written count, those that did not
/// happen, since nothing else would request them again. One that this plan did not need is dropped.
pub(super) fn settle_pending(
    next: &mut Known,
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
    replaced: &BTreeMap<StepId, MachineId>,
) {
    let counted = |name: &GroupName| {
        let group = desired.groups.get(name);
        group.is_none_or(|group| matches!(group.count, Count::Written(_)))
    };
    let before: BTreeSet<&LaunchId> = known.pending_creates.iter().map(|p| &p.launch).collect();
    let mut open_creates = Vec::new();
    for (id, change) in plan.changes() {
        if let (Some(successor), Some(result)) = (change.successor(), results.get(id.0 as usize)) {
            let again = before.contains(&successor.launch) && result.outcome != Outcome::Done;
            open_creates.extend(pending_successor(change, &successor.launch, result, again));
        }
        // A green is found by the tag of its swap.
        let Action::Create {
            launch,
            standby_for,
            green: None,
            ..
        } = &change.action
        else {
            continue;
        };
        let Some(result) = results.get(id.0 as usize) else {
            continue;
        };
        let is_known = result.machine.is_some() && result.sent.is_some();
        let unknown = matches!(result.outcome, Outcome::Unknown { .. });
        let replaced_machine = replaced.get(&id).cloned();
        let stays = replaced_machine
            .as_ref()
            .is_some_and(|old| next.machines.contains_key(old));
        // The next plan makes again what was undone completely, unless a Machine was missing.
        let wanted = replaced_machine.is_some() || !is_undone(plan, results, &change.group);
        let missing = !counted(&change.group) && !stays && wanted;
        if !is_known && (unknown || missing || before.contains(launch)) {
            open_creates.push(PendingCreate {
                launch: launch.clone(),
                group: change.group.clone(),
                region: change.region.clone(),
                standby: !standby_for.is_empty(),
                replaces: replaced_machine,
            });
        }
    }
    let answered = |launch: &LaunchId| {
        next.machines
            .values()
            .any(|m| m.name.matches_launch(launch))
    };
    let is_left_out = |pending: &PendingCreate| {
        let renamed = |left: &GroupName| {
            let mut moved = desired.moved.iter();
            moved.any(|moved| moved.from == pending.group && moved.to == *left)
        };
        let mut left = plan.left_out.iter().map(|left| &left.group);
        left.any(|left| *left == pending.group || renamed(left))
    };
    let stays =
        |pending: &&PendingCreate| plan.mode == PlanMode::RefreshOnly || is_left_out(pending);
    {
        let earlier = known.pending_creates.iter().filter(stays);
        open_creates.extend(
            earlier
                .filter(|pending| !answered(&pending.launch))
                .cloned(),
        );
    }
    next.pending_creates = open_creates;
    for pending in &mut next.pending_creates {
        let exists = |old: &MachineId| next.machines.contains_key(old);
        pending.replaces = pending.replaces.take().filter(exists);
    }
}

/// Whether a rollback has undone every change of this group that had begun.
fn is_undone(plan: &Plan, results: &[StepResult], group: &GroupName) -> bool {
    let of_group = plan.changes().filter(|(_, change)| change.group == *group);
    let mut undone = of_group
        .filter_map(|(id, _)| results.get(id.0 as usize))
        .flat_map(|result| &result.undone)
        .peekable();
    undone.peek().is_some() && undone.all(Undone::is_undone)
}

/// The replacement that an update on a full host may have created, or that an earlier run may have.
fn pending_successor(
    change: &Change,
    launch: &LaunchId,
    result: &StepResult,
    was_pending: bool,
) -> Option<PendingCreate> {
    let created = result
        .replace_fallback
        .as_ref()
        .is_some_and(|fallback| fallback.created)
        && result.sent.is_some();
    let unknown =
        result.replace_fallback.is_some() && matches!(result.outcome, Outcome::Unknown { .. });
    (!created && (unknown || was_pending)).then(|| PendingCreate {
        launch: launch.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        standby: !change.standby_for().is_empty(),
        replaces: change.machine.id.clone(),
    })
}
