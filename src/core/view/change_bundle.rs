//! Machines that undergo the very same thing, and the kinds of things.

use std::collections::{BTreeMap, HashMap};

use crate::core::fleet::{FieldChange, GroupName, MachineId, Region, VolumeId};
use crate::core::plan::{Branch, Change, Removal};

/// Machines that undergo the same.
#[derive(Debug)]
pub struct ChangeBundle<'a> {
    /// What.
    pub kind: ChangeKind<'a>,
    /// The fields that change.
    pub fields: &'a [FieldChange],
    /// What else may happen instead.
    pub branches: &'a [Branch],
    /// The Machines, in the plan's order.
    pub machines: Vec<MachineChange<'a>>,
}

/// What happens to one Machine.
#[derive(Debug, Clone, Copy)]
pub struct MachineChange<'a> {
    /// The change; of a replacement, the new half.
    pub change: &'a Change,
    /// The old half of a replacement.
    pub old: Option<&'a Change>,
}

/// Kinds of change as people see them, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind<'a> {
    /// Waited for: nobody has seen its last change work.
    Wait,
    /// Started again, for the same reason.
    Start,
    /// Taken into the state.
    Adopt,
    /// Dropped from the state.
    Forget,
    /// Moved from that group.
    Move(&'a GroupName),
    /// Updated in place.
    Update,
    /// Another Machine takes its place.
    Replace(ReplaceOrder),
    /// Made.
    Create(NewMachineRole),
    /// Gone for good.
    Destroy(RemovalReason),
}

/// Which half of a replacement comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplaceOrder {
    /// The new Machine.
    NewFirst,
    /// The old one: the new one needs its volume.
    OldFirst,
}

/// What a new Machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NewMachineRole {
    /// It does the work.
    Primary,
    /// It stands by.
    Standby,
}

/// Why a Machine goes; [`Removal`] in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalReason {
    /// Another Machine took its place, and no step of this plan makes that one.
    Replaced,
    /// Named by a person.
    ChosenByUser,
    /// Its region has too many.
    Rebalanced,
    /// Its group has too many.
    CountLowered,
    /// Its group goes.
    GroupRemoved,
    /// The app goes.
    AppDestroyed,
}

impl ChangeBundle<'_> {
    /// The Machines by region: the old one of a replacement.
    pub fn by_region(&self) -> BTreeMap<&Region, Vec<&MachineChange<'_>>> {
        let mut regions: BTreeMap<&Region, Vec<&MachineChange<'_>>> = BTreeMap::new();
        for item in &self.machines {
            regions.entry(&item.change.region).or_default().push(item);
        }
        regions
    }

    /// The reasons that its Machines give, each once, with how many give it.
    pub fn reasons(&self) -> Vec<(&str, usize)> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut order = Vec::new();
        for item in &self.machines {
            let reason = item.change.reason.as_str();
            if reason.is_empty() {
                continue;
            }
            let n = counts.entry(reason).or_insert(0);
            if *n == 0 {
                order.push(reason);
            }
            *n += 1;
        }
        order.into_iter().map(|r| (r, counts[r])).collect()
    }
}

impl MachineChange<'_> {
    /// The id by which people know the Machine: of a replacement, the old one's.
    pub fn id(&self) -> Option<&MachineId> {
        self.old
            .and_then(|old| old.machine.id.as_ref())
            .or(self.change.machine.id.as_ref())
            .or(self.change.replaces())
    }

    /// The volumes that it leaves unattached.
    pub fn unattached_volumes(&self) -> &[VolumeId] {
        self.old.unwrap_or(self.change).left_volumes()
    }
}

impl RemovalReason {
    /// The reason as it is ordered.
    pub(super) fn from_removal(removal: Removal) -> Self {
        match removal {
            Removal::GroupRemoved => Self::GroupRemoved,
            Removal::CountLowered => Self::CountLowered,
            Removal::Rebalanced => Self::Rebalanced,
            Removal::Replaced => Self::Replaced,
            Removal::Named => Self::ChosenByUser,
            Removal::AppDestroyed => Self::AppDestroyed,
        }
    }
}
