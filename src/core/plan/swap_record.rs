//! What the state says of the Machines of a swap that has not ended.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Action, Outcome, Plan, Removal, StepId, StepResult};
use crate::core::fleet::{GroupName, Known, MachineId, SwapRole};

/// Records which Machines of a swap that has not ended are green and which are blue.
pub(super) fn record_roles(next: &mut Known, plan: &Plan, results: &[StepResult]) {
    let outcome = |step: StepId| results.get(step.0 as usize).map(|result| &result.outcome);
    let mut roles: BTreeMap<MachineId, SwapRole> = BTreeMap::new();
    let mut open: BTreeSet<&GroupName> = BTreeSet::new();
    for (step, change) in plan.changes() {
        let role = match &change.action {
            Action::Create { green: Some(_), .. } => SwapRole::Green,
            Action::Destroy {
                removal: Removal::Swapped,
                ..
            } => SwapRole::Blue,
            Action::Switch { .. } => {
                let existing = change.existing_greens();
                roles.extend(existing.map(|id| (id.clone(), SwapRole::Green)));
                if outcome(step) != Some(&Outcome::Done) {
                    open.insert(&change.group);
                }
                continue;
            }
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Canary { .. } => continue,
        };
        if outcome(step) != Some(&Outcome::Done) {
            open.insert(&change.group);
        }
        let made = results
            .get(step.0 as usize)
            .and_then(|result| result.machine.as_ref());
        let id = change
            .machine
            .id
            .as_ref()
            .or(made.map(|machine| &machine.id));
        roles.extend(id.map(|id| (id.clone(), role)));
    }
    let swapped = |group: &GroupName| {
        let planned = plan.swap.as_ref();
        planned.is_some_and(|swap| swap.groups.contains(group))
    };
    for (id, machine) in &mut next.machines {
        if swapped(&machine.group) {
            let role = roles.get(id).copied();
            machine.swap = role.filter(|_| open.contains(&machine.group));
        }
    }
    // Without a green there is no swap.
    let greens: BTreeSet<GroupName> = next
        .machines
        .values()
        .filter(|machine| machine.swap == Some(SwapRole::Green))
        .map(|machine| machine.group.clone())
        .collect();
    for machine in next.machines.values_mut() {
        if !greens.contains(&machine.group) {
            machine.swap = None;
        }
    }
}
