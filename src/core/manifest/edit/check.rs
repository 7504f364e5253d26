//! What an edit is held against: what was wanted before with the edit made to it, and nothing else.

use std::collections::BTreeMap;

use super::{Edit, Layout};
use crate::core::fleet::{
    Count, Desired, DesiredGroup, GroupLocations, GroupName, MovedGroup, MovedMachine, Regions,
};

/// Whether the manifests say already what the edit would make them say.
pub(super) fn holds(desired: &Desired, edit: &Edit) -> bool {
    match edit {
        Edit::Layout { .. }
        | Edit::Regions { .. }
        | Edit::Size { .. }
        | Edit::MoveMachine { .. }
        | Edit::RemoveMachine { .. } => is_what_was_meant(desired, desired, edit),
        Edit::AddGroup { .. } | Edit::RenameGroup { .. } | Edit::RemoveGroup { .. } => false,
    }
}

/// Whether the manifests say after the edit what they are to say.
pub(super) fn is_what_was_meant(before: &Desired, after: &Desired, edit: &Edit) -> bool {
    let mut wanted = before.clone();
    intend(&mut wanted, after, edit);
    meaning(wanted) == meaning(after.clone())
}

/// Makes an edit to what is wanted. What a new group is, only its file says; what is known of it beforehand
/// is held against that.
fn intend(wanted: &mut Desired, after: &Desired, edit: &Edit) {
    match edit {
        Edit::Layout { group, layout } => {
            if let Some(group) = wanted.groups.get_mut(group) {
                lay_out(group, layout);
            }
        }
        Edit::Regions {
            group,
            regions,
            count,
        } => {
            if let Some(group) = wanted.groups.get_mut(group) {
                group.regions = Regions::List(regions.clone());
                group.count = count.map_or(group.count, Count::Written);
            }
        }
        Edit::AddGroup {
            group,
            command,
            count,
        } => {
            wanted.has_processes = true;
            wanted.moved.retain(|moved| moved.from != *group);
            let is_it = |made: &&DesiredGroup| {
                made.command.as_deref().unwrap_or_default() == command
                    && made.count == count.map_or(Count::Unwritten, Count::Written)
            };
            let made = after.groups.get(group).filter(is_it);
            wanted
                .groups
                .extend(made.map(|made| (group.clone(), made.clone())));
        }
        Edit::RenameGroup { from, to } => rename(wanted, from, to),
        Edit::RemoveGroup { group } => {
            wanted.groups.remove(group);
            wanted.moved.retain(|moved| moved.to != *group);
            wanted.moved_machines.retain(|moved| moved.to != *group);
        }
        Edit::Size { group, size } => {
            if let Some(group) = wanted.groups.get_mut(group) {
                group.template.guest = Some(size.over(group.template.guest.as_ref()));
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
}

fn rename(wanted: &mut Desired, from: &GroupName, to: &GroupName) {
    wanted.has_processes = true;
    if let Some(mut group) = wanted.groups.remove(from) {
        let env = group.template.env.get_or_insert_default();
        env.insert("FLY_PROCESS_GROUP".to_owned(), to.to_string());
        wanted.groups.insert(to.clone(), group);
    }
    wanted.moved.retain(|moved| moved.from != *to);
    for moved in &mut wanted.moved {
        if moved.to == *from {
            moved.to = to.clone();
        }
    }
    for moved in &mut wanted.moved_machines {
        if moved.to == *from {
            moved.to = to.clone();
        }
    }
    wanted.moved.push(MovedGroup {
        from: from.clone(),
        to: to.clone(),
        location: String::new(),
    });
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

/// What is wanted without where and how it is written; entries whose order says nothing in one order.
fn meaning(mut desired: Desired) -> Desired {
    // What is written is no part of what it means.
    desired.provider_from_flag = false;
    desired.app_name_source = None;
    desired.definition = None;
    for group in desired.groups.values_mut() {
        group.locations = GroupLocations::default();
        if let Regions::Exact(map) = &mut group.regions {
            map.retain(|_, n| *n > 0);
        }
    }
    for moved in &mut desired.moved {
        moved.location.clear();
    }
    desired.moved.sort_by(|a, b| a.from.cmp(&b.from));
    desired
        .moved_machines
        .sort_by(|a, b| a.machine.cmp(&b.machine));
    desired
}
