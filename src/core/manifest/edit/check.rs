//! What an edit is held against: what was wanted before with the edit made to it, and nothing else.

use std::collections::BTreeMap;

use super::{Edit, Layout};
use crate::core::fleet::{Count, Desired, DesiredGroup, MovedMachine, Places, Regions};

/// Whether the manifests say already what the edit would make them say.
pub(super) fn holds(desired: &Desired, edit: &Edit) -> bool {
    match edit {
        Edit::Layout { .. } | Edit::MoveMachine { .. } | Edit::RemoveMachine { .. } => {
            meaning(intended(desired, edit)) == meaning(desired.clone())
        }
    }
}

/// Whether the manifests say after the edit what they are to say.
pub(super) fn is_what_was_meant(before: &Desired, after: &Desired, edit: &Edit) -> bool {
    meaning(intended(before, edit)) == meaning(after.clone())
}

fn intended(before: &Desired, edit: &Edit) -> Desired {
    let mut wanted = before.clone();
    match edit {
        Edit::Layout { group, layout } => {
            if let Some(group) = wanted.groups.get_mut(group) {
                lay_out(group, layout);
            }
        }
        Edit::MoveMachine { machine, to } => {
            wanted.removed_machines.remove(machine);
            let moved = MovedMachine {
                machine: machine.clone(),
                to: to.clone(),
            };
            wanted.moved_machines.retain(|m| m.machine != *machine);
            wanted.moved_machines.push(moved);
        }
        Edit::RemoveMachine { machine } => {
            wanted.moved_machines.retain(|m| m.machine != *machine);
            wanted.removed_machines.insert(machine.clone());
        }
    }
    wanted
}

fn lay_out(group: &mut DesiredGroup, layout: &Layout) {
    let some: BTreeMap<_, _> = layout
        .regions
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(region, n)| (region.clone(), *n))
        .collect();
    group.count = Count::Written(some.values().sum());
    group.regions = if some.is_empty() {
        Regions::Unwritten
    } else {
        Regions::Exact(some)
    };
    group.standby = layout.standby.or(group.standby);
}

/// What is wanted without where it is written; entries whose order says nothing in one order.
fn meaning(mut desired: Desired) -> Desired {
    // What is written is no part of what it means.
    desired.provider_unwritten = false;
    desired.definition = None;
    for group in desired.groups.values_mut() {
        group.places = Places::default();
        if let Regions::Exact(map) = &mut group.regions {
            map.retain(|_, n| *n > 0);
        }
    }
    for moved in &mut desired.moved {
        moved.place.clear();
    }
    desired.moved.sort_by(|a, b| a.from.cmp(&b.from));
    desired
        .moved_machines
        .sort_by(|a, b| a.machine.cmp(&b.machine));
    desired
}
