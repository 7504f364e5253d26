//! The lines of the state after a rollback.

use std::collections::BTreeSet;

use super::undone::Undone;
use crate::core::fleet::{GroupName, Known, KnownMachine};

/// An undone change: the line of its Machine stays as it was before the run, or passes to the new Machine.
pub(in crate::core::plan) fn apply_undone(next: &mut Known, known: &Known, undone: &Undone) {
    match undone {
        Undone::PutBack { machine, works } => {
            if let Some(line) = next.machines.get_mut(&machine.id) {
                line.standby_for.clone_from(&machine.standby_for);
                line.standby_for.sort();
                line.unproven |= !works && line.standby_for.is_empty();
            }
        }
        Undone::Restored {
            old,
            machine,
            replacement,
            launch,
            works,
        } => {
            next.machines.remove(old);
            let Some(before) = known.machines.get(old) else {
                return;
            };
            let mut standby_for = machine.standby_for.clone();
            standby_for.sort();
            let line = KnownMachine {
                name: machine.name.clone(),
                region: machine.region.clone(),
                launch: Some(launch.clone()),
                volumes: machine.volumes.clone(),
                unproven: before.unproven || !works && standby_for.is_empty(),
                standby_for,
                // Until that one is gone, both count as one.
                replaces: replacement
                    .clone()
                    .filter(|new| next.machines.contains_key(new)),
                ..before.clone()
            };
            if let Some(config) = known.configs.get(&before.config) {
                let configs = &mut next.configs;
                configs
                    .entry(before.config.clone())
                    .or_insert_with(|| config.clone());
            }
            next.machines.insert(machine.id.clone(), line);
        }
        Undone::Removed { .. } | Undone::LeftAlone { .. } | Undone::Remains { .. } => {}
    }
}

/// The protection of groups stays as it was before the run, while they have Machines: the stamps of their Machines
/// are those of before, too.
pub(in crate::core::plan) fn keep_protection(next: &mut Known) {
    let machines = next.machines.values();
    let exists: BTreeSet<GroupName> = machines.map(|machine| machine.group.clone()).collect();
    next.protected_groups.retain(|name| exists.contains(name));
}
