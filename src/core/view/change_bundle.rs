//! Machines with the same change, and the kinds of changes.

use std::collections::{BTreeMap, HashMap};

use crate::core::fleet::{FieldChange, GroupName, MachineId, Region, VolumeId};
use crate::core::plan::{Branch, Change, Removal, StepId};

/// Machines with the same change.
#[derive(Debug)]
pub struct ChangeBundle<'a> {
    /// What.
    pub kind: ChangeKind<'a>,
    /// The fields that change.
    pub fields: &'a [FieldChange],
    /// Alternatives that may happen instead.
    pub branches: &'a [Branch],
    /// The Machines, in the plan's order.
    pub machines: Vec<MachineChange<'a>>,
}

/// What happens to one Machine.
#[derive(Debug, Clone, Copy)]
pub struct MachineChange<'a> {
    /// The change; of a replacement or a swap, its create.
    pub change: &'a Change,
    /// The destroy of a replacement or a swap.
    pub old: Option<&'a Change>,
    /// Its first step: of a replacement, the one that comes first.
    pub first_step: StepId,
}

/// Kinds of change, in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind<'a> {
    /// A Machine that is created, tried and destroyed, before the others.
    Canary,
    /// Waited for: its last change was never seen healthy.
    Wait,
    /// Started again for the same reason.
    Start,
    /// Recorded in the state.
    Adopt,
    /// Removed from the state.
    Forget,
    /// Moved from that group.
    Move(&'a GroupName),
    /// Restarted with the config that it has.
    Restart,
    /// Updated in place.
    Update,
    /// A green of a swap in the place of a blue.
    Swap,
    /// Replaced by a new Machine.
    Replace(ReplaceOrder),
    /// Made.
    Create(NewMachineRole),
    /// Destroyed.
    Destroy(RemovalReason),
}

/// Order of a replacement.
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
    /// A primary Machine.
    Primary,
    /// A standby.
    Standby,
}

/// Why a Machine is destroyed; [`Removal`] in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalReason {
    /// Already replaced by a Machine that no step of this plan creates.
    Replaced,
    /// A green of a swap that does not go on.
    SwapUndone,
    /// Chosen by the user.
    ChosenByUser,
    /// Its region has too many Machines.
    Rebalanced,
    /// Its group has too many Machines.
    CountLowered,
    /// Its group is removed.
    GroupRemoved,
    /// The app is destroyed.
    AppDestroyed,
    /// The canary of an earlier run.
    Canary,
}

impl ChangeKind<'_> {
    /// The kind behind a number of Machines (`4 to update`).
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Wait => "to wait for",
            Self::Start => "to start again",
            Self::Adopt => "to adopt",
            Self::Forget => "to forget",
            Self::Move(_) => "to move",
            Self::Restart => "to restart",
            Self::Update => "to update",
            Self::Swap => "to swap",
            Self::Replace(_) => "to replace",
            Self::Create(_) => "to create",
            Self::Destroy(_) => "to destroy",
        }
    }
}

impl ChangeBundle<'_> {
    /// The Machines by region.
    pub fn by_region(&self) -> BTreeMap<&Region, Vec<&MachineChange<'_>>> {
        let mut regions: BTreeMap<&Region, Vec<&MachineChange<'_>>> = BTreeMap::new();
        for item in &self.machines {
            regions.entry(&item.change.region).or_default().push(item);
        }
        regions
    }

    /// The distinct reasons, with counts.
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
    /// The Machine's id; of a replacement, the old one's.
    pub fn id(&self) -> Option<&MachineId> {
        self.old
            .and_then(|old| old.machine.id.as_ref())
            .or(self.change.machine.id.as_ref())
            .or(self.change.replaces())
    }

    /// Whether the Machine that its id names is a standby.
    pub fn is_standby(&self) -> bool {
        self.old.unwrap_or(self.change).standby
    }

    /// The volumes that it leaves unattached.
    pub fn unattached_volumes(&self) -> &[VolumeId] {
        self.old.unwrap_or(self.change).left_volumes()
    }
}

impl RemovalReason {
    /// Converts a removal.
    pub(super) fn from_removal(removal: Removal) -> Self {
        match removal {
            Removal::GroupRemoved => Self::GroupRemoved,
            Removal::CountLowered => Self::CountLowered,
            Removal::Rebalanced => Self::Rebalanced,
            Removal::Replaced | Removal::Swapped => Self::Replaced,
            Removal::SwapUndone => Self::SwapUndone,
            Removal::Named => Self::ChosenByUser,
            Removal::AppDestroyed => Self::AppDestroyed,
            Removal::Canary => Self::Canary,
        }
    }
}
