//! Checks an edit: the desired state afterwards must be the one before plus exactly this edit.

use std::collections::BTreeMap;

use super::{Edit, GroupLayout, groups_order};
use crate::core::fleet::{
    Count, Desired, DesiredGroup, GroupLocations, GroupName, MovedGroup, MovedMachine, Regions,
};

/// Whether the manifests already have the result of the edit.
pub(super) fn is_already_applied(desired: &Desired, edit: &Edit) -> bool {
    match edit {
        Edit::Layout { .. }
        | Edit::Regions { .. }
        | Edit::Size { .. }
        | Edit::MoveMachine { .. }
        | Edit::RemoveMachine { .. }
        | Edit::Hold(_) => matches_intent(desired, desired, edit),
        Edit::AddGroup { .. }
        | Edit::RenameGroup { .. }
        | Edit::RemoveGroup { .. }
        | Edit::State(_) => false,
    }
}

/// Whether the edited manifests have the expected result.
pub(super) fn matches_intent(before: &Desired, after: &Desired, edit: &Edit) -> bool {
    let mut expected = before.clone();
    apply_to_desired(&mut expected, after, edit);
    without_spelling(expected) == without_spelling(after.clone())
}

/// Applies an edit to the desired state. A new group is taken from the edited file, after a check of its known fields.
fn apply_to_desired(desired: &mut Desired, after: &Desired, edit: &Edit) {
    match edit {
        Edit::Layout { group, layout } => {
            if let Some(group) = desired.groups.get_mut(group) {
                set_layout(group, layout);
            }
        }
        Edit::Regions {
            group,
            regions,
            count,
        } => {
            if let Some(group) = desired.groups.get_mut(group) {
                group.regions = Regions::List(regions.clone());
                group.count = count.map_or(group.count, Count::Written);
            }
        }
        Edit::AddGroup {
            group,
            command,
            count,
        } => {
            desired.has_processes = true;
            desired.moved.retain(|moved| moved.from != *group);
            let is_as_given = |edited: &&DesiredGroup| {
                edited.command.as_deref().unwrap_or_default() == command
                    && edited.count == count.map_or(Count::Unwritten, Count::Written)
            };
            let edited = after.groups.get(group).filter(is_as_given);
            desired
                .groups
                .extend(edited.map(|edited| (group.clone(), edited.clone())));
        }
        Edit::RenameGroup { from, to } => rename(desired, from, to),
        Edit::RemoveGroup { group } => {
            desired.groups.remove(group);
            desired.moved.retain(|moved| moved.to != *group);
            desired.moved_machines.retain(|moved| moved.to != *group);
            groups_order::remove_from(desired, group);
        }
        Edit::Size { group, size } => {
            if let Some(group) = desired.groups.get_mut(group) {
                group.template.guest = Some(size.apply_to_guest(group.template.guest.as_ref()));
            }
        }
        Edit::MoveMachine { machine, to } => {
            desired.removed_machines.remove(machine);
            let moved = MovedMachine {
                machine: machine.clone(),
                to: to.clone(),
                location: String::new(),
            };
            desired.moved_machines.retain(|m| m.machine != *machine);
            desired.moved_machines.push(moved);
        }
        Edit::RemoveMachine { machine } => {
            desired.moved_machines.retain(|m| m.machine != *machine);
            desired.removed_machines.insert(machine.clone());
        }
        // A setting, and no part of what the manifests want.
        Edit::State(_) => {}
        Edit::Hold(hold) => desired.hold.clone_from(hold),
    }
}

fn rename(desired: &mut Desired, from: &GroupName, to: &GroupName) {
    desired.has_processes = true;
    if let Some(mut group) = desired.groups.remove(from) {
        let env = group.template.env.get_or_insert_default();
        env.insert("FLY_PROCESS_GROUP".to_owned(), to.to_string());
        desired.groups.insert(to.clone(), group);
    }
    groups_order::rename_in(desired, from, to);
    desired.moved.retain(|moved| moved.from != *to);
    for moved in &mut desired.moved {
        if moved.to == *from {
            moved.to = to.clone();
        }
    }
    for moved in &mut desired.moved_machines {
        if moved.to == *from {
            moved.to = to.clone();
        }
    }
    desired.moved.push(MovedGroup {
        from: from.clone(),
        to: to.clone(),
        location: String::new(),
    });
}

fn set_layout(group: &mut DesiredGroup, layout: &GroupLayout) {
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

/// The desired state without spans and syntax, with irrelevant order normalised.
fn without_spelling(mut desired: Desired) -> Desired {
    // The syntax is not part of the meaning.
    desired.provider_from_flag = false;
    desired.app_name_source = None;
    desired.definition = None;
    let rollout = &mut desired.rollout;
    // It follows from the names of the groups.
    rollout.default_group = None;
    let commands = [&mut rollout.release_command, &mut rollout.verify];
    for command in commands.into_iter().flatten() {
        command.location.clear();
    }
    if let Some(location) = &mut rollout.compose {
        location.clear();
    }
    if let Some(order) = &mut rollout.groups_order {
        order.location.clear();
    }
    for group in desired.groups.values_mut() {
        group.locations = GroupLocations::default();
        if let Regions::Exact(map) = &mut group.regions {
            map.retain(|_, n| *n > 0);
        }
    }
    for moved in &mut desired.moved {
        moved.location.clear();
    }
    for moved in &mut desired.moved_machines {
        moved.location.clear();
    }
    desired.moved.sort_by(|a, b| a.from.cmp(&b.from));
    desired
        .moved_machines
        .sort_by(|a, b| a.machine.cmp(&b.machine));
    desired
}
