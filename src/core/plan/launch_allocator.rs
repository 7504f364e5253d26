//! Which launch id, name and port each new Machine gets (rule 4).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::group_resolver::GroupResolver;
use crate::core::fleet::{
    Desired, GroupName, Known, LaunchId, Lineage, MachineId, MachineName, Observed, PendingCreate,
    Region,
};

/// Hands out intents: derived, never random, never one that a Machine already answers.
pub(super) struct LaunchAllocator<'a> {
    lineage: &'a Lineage,
    serial: u64,
    /// Launch parts of all names that are taken.
    taken: BTreeSet<&'a str>,
    /// Creates of an earlier run that may have happened; their ids are spent first.
    pending: BTreeMap<(GroupName, Region), VecDeque<&'a PendingCreate>>,
    slots: BTreeMap<(GroupName, Region), u32>,
    next_port: Option<u16>,
    ports: BTreeSet<u16>,
}

/// What a new Machine answers to.
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
        // Offline the known names are all there is; online a Machine that is gone frees nothing
        // either, since its name may still be refused for a while.
        let names = known
            .machines
            .values()
            .map(|machine| &machine.name)
            .chain(seen);
        let mut taken: BTreeSet<&str> = names.filter_map(MachineName::launch_suffix).collect();
        let labels = GroupResolver::of(desired);
        let mut pending: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        let mut all_owed: Vec<_> = known.pending_creates.iter().collect();
        all_owed.sort_by(|a, b| a.launch.cmp(&b.launch));
        for owed in all_owed {
            // Each id is spent once, even if a file that was edited by hand has it twice.
            if taken.insert(owed.launch.as_str()) {
                let place = (labels.renamed_group(&owed.group), owed.region.clone());
                pending.entry(place).or_default().push_back(owed);
            }
        }
        Self {
            lineage,
            serial: known.serial,
            taken,
            pending,
            slots: BTreeMap::new(),
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
                if !self.taken.contains(launch.as_str()) {
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

    fn take_pending(
        &mut self,
        group: &GroupName,
        region: &Region,
    ) -> Option<(LaunchId, MachineName)> {
        let place = (group.clone(), region.clone());
        Some(pending_name(self.pending.get_mut(&place)?.pop_front()?))
    }

    /// The Machine that takes this one's place should its host have no room.
    pub(super) fn allocate_successor(
        &mut self,
        group: &GroupName,
        region: &Region,
        old: &MachineId,
    ) -> (LaunchId, MachineName) {
        let owed = self.take_pending_successor(group, region, old);
        owed.unwrap_or_else(|| {
            let derive = |slot| {
                LaunchId::derive_replacement(self.lineage, self.serial, group, region, old, slot)
            };
            let mut launches = (0..).map(derive);
            let free = launches.find(|launch| !self.taken.contains(launch.as_str()));
            let launch = free.expect("there are more slots than Machines");
            let name = MachineName::for_launch(group, &launch);
            (launch, name)
        })
    }

    /// A create that may have happened for this very Machine is the one to find again.
    fn take_pending_successor(
        &mut self,
        group: &GroupName,
        region: &Region,
        old: &MachineId,
    ) -> Option<(LaunchId, MachineName)> {
        let place = (group.clone(), region.clone());
        let owed = self.pending.get_mut(&place)?;
        let at = owed
            .iter()
            .position(|owed| owed.replaces.as_ref() == Some(old))?;
        owed.remove(at).map(pending_name)
    }

    /// The lowest port from the base on that no Machine bears and that nothing listens on.
    fn allocate_port(&mut self) -> Option<u16> {
        let port = (self.next_port?..=u16::MAX).find(|port| !self.ports.contains(port))?;
        self.next_port = port.checked_add(1);
        Some(port)
    }
}

/// The ports that no new Machine can have: those of Machines, and those that something listens on.
pub(super) fn taken_ports(observed: Option<&Observed>) -> BTreeSet<u16> {
    let Some(observed) = observed else {
        return BTreeSet::new();
    };
    let in_use = &observed.description.capabilities.ports_in_use;
    let borne = observed.all_machines().filter_map(|machine| machine.port);
    borne.chain(in_use.iter().copied()).collect()
}

/// The same intent once more: what it may have made bears the name that its group had then.
fn pending_name(owed: &PendingCreate) -> (LaunchId, MachineName) {
    let name = MachineName::for_launch(&owed.group, &owed.launch);
    (owed.launch.clone(), name)
}
