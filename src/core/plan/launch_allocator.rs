//! Assigns launch id, name and port to each new Machine (rule 4).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::group_resolver::GroupResolver;
use crate::core::fleet::{
    Desired, GroupName, Known, LaunchId, Lineage, Machine, MachineId, MachineName, Observed,
    PendingCreate, Region,
};

/// Allocates launch ids. They are derived, never random, and never one that a Machine already has.
pub(super) struct LaunchAllocator<'a> {
    lineage: &'a Lineage,
    /// Greens of earlier runs by name.
    taken: BTreeMap<&'a str, &'a Machine>,
    serial: u64,
    /// Launch ids in all existing names.
    used: BTreeSet<&'a str>,
    /// Creates of an earlier run that may have happened; their ids are used first.
    pending: BTreeMap<(GroupName, Region), VecDeque<&'a PendingCreate>>,
    slots: BTreeMap<(GroupName, Region), u32>,
    /// The greens of each swap so far.
    greens: BTreeMap<(String, GroupName, Region), u32>,
    next_port: Option<u16>,
    ports: BTreeSet<u16>,
}

/// The identity of a new Machine.
pub(super) struct NewMachine {
    pub(super) launch: LaunchId,
    pub(super) name: MachineName,
    pub(super) port: Option<u16>,
}

impl<'a> LaunchAllocator<'a> {
    pub(super) fn of(
        desired: &Desired,
        known: &'a Known,
        observed: Option<&'a Observed>,
        lineage: &'a Lineage,
    ) -> Self {
        let seen = observed.into_iter().flat_map(Observed::all_machines);
        let seen = seen.map(|m| &m.name);
        // Offline only the known names are available. Online, a missing Machine does not free its name either:
        // the platform may refuse it for a while.
        let names = known
            .machines
            .values()
            .map(|machine| &machine.name)
            .chain(seen);
        let mut used: BTreeSet<&str> = names.filter_map(MachineName::launch_suffix).collect();
        let labels = GroupResolver::of(desired);
        let mut pending: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        let mut pending_creates: Vec<_> = known.pending_creates.iter().collect();
        pending_creates.sort_by(|a, b| a.launch.cmp(&b.launch));
        for pending_create in pending_creates {
            // Each id is used once, even if a hand-edited state lists it twice.
            if used.insert(pending_create.launch.as_str()) {
                let region_key = (
                    labels.renamed_group(&pending_create.group),
                    pending_create.region.clone(),
                );
                pending
                    .entry(region_key)
                    .or_default()
                    .push_back(pending_create);
            }
        }
        Self {
            lineage,
            taken: observed
                .into_iter()
                .flat_map(Observed::all_machines)
                .filter(|machine| !machine.state.is_gone() && machine.stamps.swap.is_some())
                .map(|machine| (machine.name.as_str(), machine))
                .collect(),
            serial: known.serial,
            used,
            pending,
            slots: BTreeMap::new(),
            greens: BTreeMap::new(),
            next_port: observed.and_then(|o| o.description.capabilities.port_base),
            ports: taken_ports(observed),
        }
    }

    pub(super) fn allocate(&mut self, group: &GroupName, region: &Region) -> NewMachine {
        let (launch, name) = self.take_pending(group, region).unwrap_or_else(|| {
            let slot = self
                .slots
                .entry((group.clone(), region.clone()))
                .or_default();
            loop {
                let launch = LaunchId::derive(self.lineage, self.serial, group, region, *slot);
                *slot += 1;
                if !self.used.contains(launch.as_str()) {
                    let name = MachineName::for_launch(group, &launch);
                    return (launch, name);
                }
            }
        });
        NewMachine {
            launch,
            name,
            port: self.allocate_port(),
        }
    }

    /// The identity of the canary of a group. An earlier run from the same state has given it the same name.
    pub(super) fn allocate_canary(&mut self, group: &GroupName, region: &Region) -> NewMachine {
        let launch = LaunchId::derive_canary(self.lineage, self.serial, group, region);
        NewMachine {
            name: MachineName::for_launch(group, &launch),
            launch,
            port: self.allocate_port(),
        }
    }

    fn take_pending(
        &mut self,
        group: &GroupName,
        region: &Region,
    ) -> Option<(LaunchId, MachineName)> {
        let region_key = (group.clone(), region.clone());
        Some(pending_name(
            self.pending.get_mut(&region_key)?.pop_front()?,
        ))
    }

    /// The identity of the Machine that replaces this one if its host has no room.
    pub(super) fn allocate_successor(
        &mut self,
        group: &GroupName,
        region: &Region,
        old: &MachineId,
    ) -> (LaunchId, MachineName) {
        let pending_create = self.take_pending_successor(group, region, old);
        pending_create.unwrap_or_else(|| {
            let derive = |slot| {
                LaunchId::derive_replacement(self.lineage, self.serial, group, region, old, slot)
            };
            let mut launches = (0..).map(derive);
            let free = launches.find(|launch| !self.used.contains(launch.as_str()));
            let launch = free.expect("there are more slots than Machines");
            let name = MachineName::for_launch(group, &launch);
            (launch, name)
        })
    }

    /// Reuses a pending create for this Machine, so that it is found again.
    fn take_pending_successor(
        &mut self,
        group: &GroupName,
        region: &Region,
        old: &MachineId,
    ) -> Option<(LaunchId, MachineName)> {
        let region_key = (group.clone(), region.clone());
        let pending_create = self.pending.get_mut(&region_key)?;
        let at = pending_create
            .iter()
            .position(|pending_create| pending_create.replaces.as_ref() == Some(old))?;
        pending_create.remove(at).map(pending_name)
    }

    /// The identity of a green: the same for every run that goes on with its swap.
    pub(super) fn allocate_green(
        &mut self,
        tag: &str,
        group: &GroupName,
        region: &Region,
    ) -> (NewMachine, bool) {
        let key = (tag.to_owned(), group.clone(), region.clone());
        let slot = self.greens.entry(key).or_default();
        let launch = LaunchId::derive_green(self.lineage, tag, group, region, *slot);
        *slot += 1;
        let name = MachineName::for_launch(group, &launch);
        let taken = self.taken.get(name.as_str()).copied();
        let port = match taken {
            Some(taken) => taken.port,
            None => self.allocate_port(),
        };
        let new = NewMachine { launch, name, port };
        (new, taken.is_some())
    }

    /// The lowest port from the base on that no Machine has and no program listens on.
    fn allocate_port(&mut self) -> Option<u16> {
        let port = (self.next_port?..=u16::MAX).find(|port| !self.ports.contains(port))?;
        self.next_port = port.checked_add(1);
        Some(port)
    }
}

/// Ports that a new Machine cannot have: those of Machines, and those with a listener.
pub(super) fn taken_ports(observed: Option<&Observed>) -> BTreeSet<u16> {
    let Some(observed) = observed else {
        return BTreeSet::new();
    };
    let in_use = &observed.description.capabilities.ports_in_use;
    let borne = observed.all_machines().filter_map(|machine| machine.port);
    borne.chain(in_use.iter().copied()).collect()
}

/// The identity of a pending create: its Machine has the name that the group had then.
fn pending_name(pending_create: &PendingCreate) -> (LaunchId, MachineName) {
    let name = MachineName::for_launch(&pending_create.group, &pending_create.launch);
    (pending_create.launch.clone(), name)
}
