//! Properties of a change, whatever its action. Counting, printing, ordering and executing use these methods
//! instead of matching on the action.

use serde::{Deserialize, Serialize};

use super::types::{Action, Change, PlannedVolume, Removal, StandbyTarget, SwitchedGreen};
use crate::core::fleet::{MachineId, VolumeId};

/// The action in one word. Both halves of a replacement are `Replace`; [`ReplaceHalf`] tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// A new Machine.
    Create,
    /// An update in place.
    Update,
    /// One half of a replacement.
    Replace,
    /// A move between groups.
    Move,
    /// A Machine is destroyed without a replacement.
    Destroy,
    /// A wait: its last change was never seen healthy.
    Wait,
    /// A start, for the same reason.
    Start,
    /// Adopted into the state.
    Adopt,
    /// Removed from the state.
    Forget,
    /// A command that runs once, on a Machine of its own.
    Run,
    /// One half of a swap's exchange: a green, or a blue.
    Swap,
    /// The greens of a swap are added to the load balancing.
    Switch,
    /// A Machine that tries the new version and is destroyed again.
    Canary,
}

/// Which half of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplaceHalf {
    /// The new Machine.
    Create,
    /// The old one.
    Destroy,
}

impl Action {
    /// Whether the action may send a config to a Machine that stays; a failed one is started by that.
    pub fn sends_config(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Update { .. } | Self::Move { .. } | Self::Start => true,
            Self::Destroy { .. }
            | Self::Wait
            | Self::Adopt
            | Self::Forget
            | Self::Once { .. }
            | Self::Switch { .. }
            | Self::Canary { .. } => false,
        }
    }

    /// The verb and, for a replacement, the half.
    pub fn verb(&self) -> (Verb, Option<ReplaceHalf>) {
        match self {
            Self::Create { green: Some(_), .. } => (Verb::Swap, Some(ReplaceHalf::Create)),
            Self::Destroy {
                removal: Removal::Swapped,
                ..
            } => (Verb::Swap, Some(ReplaceHalf::Destroy)),
            Self::Create {
                replaces: Some(_), ..
            } => (Verb::Replace, Some(ReplaceHalf::Create)),
            Self::Create { replaces: None, .. } => (Verb::Create, None),
            Self::Update { .. } => (Verb::Update, None),
            Self::Move { .. } => (Verb::Move, None),
            Self::Destroy {
                removal: Removal::Replaced,
                ..
            } => (Verb::Replace, Some(ReplaceHalf::Destroy)),
            Self::Destroy {
                removal:
                    Removal::GroupRemoved
                    | Removal::CountLowered
                    | Removal::SwapUndone
                    | Removal::Rebalanced
                    | Removal::Named
                    | Removal::AppDestroyed
                    | Removal::Canary,
                ..
            } => (Verb::Destroy, None),
            Self::Wait => (Verb::Wait, None),
            Self::Start => (Verb::Start, None),
            Self::Adopt => (Verb::Adopt, None),
            Self::Forget => (Verb::Forget, None),
            Self::Once { .. } => (Verb::Run, None),
            Self::Switch { .. } => (Verb::Switch, None),
            Self::Canary { .. } => (Verb::Canary, None),
        }
    }
}

impl Change {
    /// Its group, or the command that it runs, for people.
    pub fn label(&self) -> &str {
        match &self.action {
            Action::Once { what, .. } => what.as_str(),
            _ => self.group.as_str(),
        }
    }

    /// The Machine that a new one replaces.
    pub fn replaces(&self) -> Option<&MachineId> {
        let Action::Create { replaces, .. } = &self.action else {
            return None;
        };
        replaces.as_ref()
    }

    /// The Machine whose config a new one starts from: the one it replaces or clones.
    pub fn config_source(&self) -> Option<&MachineId> {
        let Action::Create { inherits, .. } = &self.action else {
            return None;
        };
        self.replaces().or(inherits.clone_source.as_ref())
    }

    /// The unattached volumes that a new Machine takes, in the order of its mounts.
    pub fn taken_volumes(&self) -> &[VolumeId] {
        let Action::Create { volumes, .. } = &self.action else {
            return &[];
        };
        volumes
    }

    /// The volumes created for a new Machine, for the mounts after those.
    pub fn new_volumes(&self) -> &[PlannedVolume] {
        let Action::Create { new_volumes, .. } = &self.action else {
            return &[];
        };
        new_volumes
    }

    /// The greens that it switches; empty for other actions.
    pub fn greens(&self) -> &[SwitchedGreen] {
        let Action::Switch { greens, .. } = &self.action else {
            return &[];
        };
        greens
    }

    /// Those of them that an earlier run has created.
    pub fn existing_greens(&self) -> impl Iterator<Item = &MachineId> {
        self.greens()
            .iter()
            .filter_map(|green| match &green.machine {
                StandbyTarget::Machine(id) => Some(id),
                StandbyTarget::Step(_) => None,
            })
    }

    /// The volumes that a destroyed Machine leaves unattached.
    pub fn left_volumes(&self) -> &[VolumeId] {
        let Action::Destroy { left_volumes, .. } = &self.action else {
            return &[];
        };
        left_volumes
    }

    /// Whether it updates a primary with the config that it has, which restarts it.
    pub fn keeps_config(&self) -> bool {
        let stays_primary =
            matches!(&self.action, Action::Update { standby_for } if standby_for.is_empty());
        stays_primary && !self.standby && self.changes.is_empty()
    }

    /// The Machines it watches afterwards; empty for a primary.
    pub fn standby_for(&self) -> &[StandbyTarget] {
        match &self.action {
            Action::Create { standby_for, .. }
            | Action::Update { standby_for }
            | Action::Move { standby_for, .. } => standby_for,
            Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => &[],
        }
    }
}
