//! What a change says of itself, whatever its action: who counts, prints, orders or carries it out asks here
//! instead of taking the action apart.

use serde::Serialize;

use super::types::{Action, Change, PlannedVolume, Removal, StandbyTarget};
use crate::core::fleet::{MachineId, VolumeId};

/// What is done, in one word. Both halves of a replacement are `Replace`, told apart by their half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// A new Machine.
    Create,
    /// An update in place.
    Update,
    /// A half of a replacement.
    Replace,
    /// A move between groups.
    Move,
    /// A Machine goes, and none comes for it.
    Destroy,
    /// Waited for: nobody has seen its last change work.
    Wait,
    /// Started again, for the same reason.
    Start,
    /// Taken into the state.
    Adopt,
    /// Dropped from the state.
    Forget,
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
    /// Whether carrying it out may send a config: a Machine that failed is started by that.
    pub fn sends_config(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Update { .. } | Self::Move { .. } | Self::Start => true,
            Self::Destroy { .. } | Self::Wait | Self::Adopt | Self::Forget => false,
        }
    }

    /// The word for it and, of a replacement, the half.
    pub fn verb(&self) -> (Verb, Option<ReplaceHalf>) {
        match self {
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
                    | Removal::Rebalanced
                    | Removal::Named
                    | Removal::AppDestroyed,
                ..
            } => (Verb::Destroy, None),
            Self::Wait => (Verb::Wait, None),
            Self::Start => (Verb::Start, None),
            Self::Adopt => (Verb::Adopt, None),
            Self::Forget => (Verb::Forget, None),
        }
    }
}

impl Change {
    /// The Machine whose place a new one takes.
    pub fn replaces(&self) -> Option<&MachineId> {
        match &self.action {
            Action::Create { replaces, .. } => replaces.as_ref(),
            Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => None,
        }
    }

    /// The Machine that a new one begins as: the one whose place it takes, or that it is to be like.
    pub fn config_source(&self) -> Option<&MachineId> {
        match &self.action {
            Action::Create { inherits, .. } => self.replaces().or(inherits.clone_source.as_ref()),
            Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => None,
        }
    }

    /// The unattached volumes that a new Machine takes, in the order of its mounts.
    pub fn taken_volumes(&self) -> &[VolumeId] {
        match &self.action {
            Action::Create { volumes, .. } => volumes,
            Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => &[],
        }
    }

    /// The volumes that are made for a new Machine, for the mounts behind those.
    pub fn new_volumes(&self) -> &[PlannedVolume] {
        match &self.action {
            Action::Create { new_volumes, .. } => new_volumes,
            Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => &[],
        }
    }

    /// The volumes that one which goes leaves unattached.
    pub fn left_volumes(&self) -> &[VolumeId] {
        match &self.action {
            Action::Destroy {
                left_volumes: leaves,
                ..
            } => leaves,
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => &[],
        }
    }

    /// The Machines that it stands by for afterwards; none of a primary.
    pub fn standby_for(&self) -> &[StandbyTarget] {
        match &self.action {
            Action::Create { standby_for, .. }
            | Action::Update { standby_for }
            | Action::Move { standby_for, .. } => standby_for,
            Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget => &[],
        }
    }
}
