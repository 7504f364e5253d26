//! Changes of the state that a person names by a Machine's id: taking one out, and taking one in.
//!
//! No Machine changes, and no plan stands behind it: what follows for the others is the next plan's to say.

use std::collections::BTreeSet;

use super::fields::adopted;
use super::members::default_group;
use super::record::{RunFacts, listed, remember};
use crate::core::fleet::{
    ConfigDigest, Desired, GroupName, Known, LaunchId, Machine, MachineId, Management,
};

/// Why a Machine cannot be taken into the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It is known already.
    Known,
    /// Another tool made it for a purpose of its own: a release command, a console, a test.
    Special,
    /// Its host does not say what it is.
    Unreachable,
}

/// The group that a Machine would count for: the one that it says, else the default one.
pub fn group_of(machine: &Machine, desired: &Desired) -> GroupName {
    let own = machine.group.clone();
    own.unwrap_or_else(|| default_group(&desired.groups.keys().collect()))
}

/// The state without this Machine, whose id is ignored from then on (rule 33).
pub fn take_out(known: &Known, id: &MachineId, facts: &RunFacts) -> Known {
    let mut next = known.clone();
    next.machines.remove(id);
    for machine in next.machines.values_mut() {
        machine.replaces.take_if(|replaced| replaced == id);
    }
    next.ignored.insert(id.clone());
    let named: BTreeSet<ConfigDigest> = next
        .machines
        .values()
        .map(|machine| &machine.config)
        .chain(
            next.releases
                .iter()
                .flat_map(|r| r.groups.values())
                .map(|g| &g.config),
        )
        .cloned()
        .collect();
    next.configs.retain(|digest, _| named.contains(digest));
    next.filled.retain(|digest, _| named.contains(digest));
    listed(next, known, facts)
}

/// Whether this Machine may be taken into the state.
///
/// # Errors
/// Why not.
pub fn may_take(known: &Known, machine: &Machine) -> Result<(), NotTaken> {
    if known.machines.contains_key(&machine.id) {
        Err(NotTaken::Known)
    } else if machine.config.is_none() {
        Err(NotTaken::Unreachable)
    } else if machine.management == Management::Special {
        Err(NotTaken::Special)
    } else {
        Ok(())
    }
}

/// The state with this Machine as one of its group, as it is now: of its config only what the manifests
/// write (rule 10).
pub fn take_in(known: &Known, machine: &Machine, desired: &Desired, facts: &RunFacts) -> Known {
    let mut next = known.clone();
    next.lineage.get_or_insert_with(|| facts.lineage.clone());
    let group = group_of(machine, desired);
    let sent = adopted(
        desired.groups.get(&group),
        machine,
        &known.filled,
        &facts.lineage,
    );
    let launch = machine.stamps.launch.clone();
    let ours = machine.stamps.lineage.as_ref() == Some(&facts.lineage);
    let launch = launch
        .and_then(|launch| LaunchId::new(launch).ok())
        .filter(|launch| ours && machine.name.answers(launch));
    remember(&mut next, machine, &group, &sent, launch, None);
    listed(next, known, facts)
}
