//! Alternatives that a step may have to take, chosen by the plan (rule 20), and their results.
//!
//! The executor takes a branch if the provider's answer requires it, and makes no choice of its own.

use serde::{Deserialize, Serialize};

use super::types::Change;
use crate::core::fleet::{LaunchId, Machine, MachineId, MachineName};

/// An alternative that a step may have to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// Its host has no room: it is replaced.
    NoRoomReplaced(Successor),
    /// Its host has no room and it has a volume: its group stops here.
    NoRoomStops,
}

/// The Machine that replaces one whose host has no room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Successor {
    /// The launch id; the name ends in it.
    pub launch: LaunchId,
    /// Its name.
    pub name: MachineName,
    /// Standbys that watch the old Machine and that no step changes: they watch the new one before the old one
    /// is destroyed. Their preconditions are in the plan, once: each watches all of its group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repoints: Vec<MachineId>,
}

/// The result of a branch that was taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplaceFallback {
    /// The new Machine exists: the step's result has it instead of the old one.
    #[serde(rename = "made")]
    pub created: bool,
    /// The old one is gone.
    pub old_gone: bool,
    /// Standbys that now watch the new one.
    pub repointed: Vec<Machine>,
}

impl Branch {
    /// The branch as JSON output names it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoRoomReplaced(_) => "no-room-replaced",
            Self::NoRoomStops => "no-room-stops",
        }
    }

    /// Whether both are the same choice. Launch ids and preconditions are derived each time and not compared.
    pub(super) fn is_same_choice(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NoRoomReplaced(_), Self::NoRoomReplaced(_))
            | (Self::NoRoomStops, Self::NoRoomStops) => true,
            (Self::NoRoomReplaced(_), Self::NoRoomStops)
            | (Self::NoRoomStops, Self::NoRoomReplaced(_)) => false,
        }
    }
}

impl Change {
    /// The Machine that replaces this one if its host has no room.
    pub fn successor(&self) -> Option<&Successor> {
        self.branches.iter().find_map(|branch| match branch {
            Branch::NoRoomReplaced(successor) => Some(successor),
            Branch::NoRoomStops => None,
        })
    }
}
