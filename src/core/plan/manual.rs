//! Manual changes of the state: removing one Machine, or adopting one.
//!
//! No Machine changes and there is no plan. The next plan shows the effect on others.

use std::collections::BTreeSet;

use super::fields::adopted_config;
use super::group_resolver::default_group;
use super::next_state::{RunInfo, list_run, record_machine};
use crate::core::fleet::{
    ConfigDigest, Desired, GroupName, Known, LaunchId, Machine, MachineId, Management,
};

/// Why a Machine cannot be adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdoptError {
    /// The state has it already.
    AlreadyKnown,
    /// Another tool created it for its own purpose: a release command, a console, a test.
    Special,
    /// Its host does not report its config.
    Unreachable,
}

/// The group that a Machine would count for: its own, else the default group.
pub fn group_of(machine: &Machine, desired: &Desired) -> GroupName {
    let own = machine.group.clone();
    own.unwrap_or_else(|| default_group(&desired.groups.keys().collect()))
}

/// The state without this Machine. Its id is ignored from then on (rule 33).
pub fn forget_machine(known: &Known, id: &MachineId, facts: &RunInfo) -> Known {
    let mut next = known.clone();
    next.machines.remove(id);
    for machine in next.machines.values_mut() {
        machine.replaces.take_if(|replaced| replaced == id);
    }
    next.ignored_machines.insert(id.clone());
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
    next.computed_fields
        .retain(|digest, _| named.contains(digest));
    list_run(next, known, facts, None)
}

/// Checks whether this Machine can be adopted.
///
/// # Errors
/// Why not.
pub fn check_adoptable(known: &Known, machine: &Machine) -> Result<(), AdoptError> {
    if known.machines.contains_key(&machine.id) {
        Err(AdoptError::AlreadyKnown)
    } else if machine.config.is_none() {
        Err(AdoptError::Unreachable)
    } else if machine.management == Management::Auxiliary {
        Err(AdoptError::Special)
    } else {
        Ok(())
    }
}

/// The state with this Machine in its group. Of its config only the keys that the manifests set are recorded
/// (rule 10).
pub fn adopt_machine(
    known: &Known,
    machine: &Machine,
    desired: &Desired,
    facts: &RunInfo,
) -> Known {
    let mut next = known.clone();
    next.lineage.get_or_insert_with(|| facts.lineage.clone());
    let group = group_of(machine, desired);
    let sent = adopted_config(
        desired.groups.get(&group),
        machine,
        &known.computed_fields,
        &facts.lineage,
    );
    let launch = machine.stamps.launch.clone();
    let ours = machine.stamps.lineage.as_ref() == Some(&facts.lineage);
    let launch = launch
        .and_then(|launch| LaunchId::new(launch).ok())
        .filter(|launch| ours && machine.name.matches_launch(launch));
    record_machine(&mut next, machine, &group, &sent, launch, None);
    list_run(next, known, facts, None)
}
