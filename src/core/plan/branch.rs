//! What carrying out a step may have to do instead, as the plan has chosen it (rule 20), and what came of
//! that.
//!
//! The executor takes a branch where the provider's answer asks for it and chooses nothing about it.

use serde::{Deserialize, Serialize};

use super::types::Change;
use crate::core::fleet::{LaunchId, Machine, MachineId, MachineName};

/// A choice that carrying out a step may have to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// No room on its host: replaced instead.
    NoRoomReplaced(Successor),
    /// No room on its host and it has a volume: its group stops here.
    NoRoomStops,
}

/// The Machine that takes the place of one whose host has no room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Successor {
    /// The intent; the name ends in it.
    pub launch: LaunchId,
    /// Its name.
    pub name: MachineName,
    /// Standbys that watch the old one and that no step of the plan changes: they watch the new one before
    /// the old one goes. What must be true of them stands once, in the plan: each watches all of its group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repoints: Vec<MachineId>,
}

/// What came of a branch that was taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplaceFallback {
    /// The new Machine is there: the step's result shows it, and not the old one.
    #[serde(rename = "made")]
    pub created: bool,
    /// The old one is gone.
    pub old_gone: bool,
    /// Standbys that watch the new one now.
    pub repointed: Vec<Machine>,
}

impl Branch {
    /// The branch in the words of JSON output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoRoomReplaced(_) => "no-room-replaced",
            Self::NoRoomStops => "no-room-stops",
        }
    }

    /// Whether both choose the same. Launch ids and pins are derived anew each time.
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
    /// The Machine that takes this one's place where its host has no room.
    pub fn successor(&self) -> Option<&Successor> {
        self.branches.iter().find_map(|branch| match branch {
            Branch::NoRoomReplaced(successor) => Some(successor),
            Branch::NoRoomStops => None,
        })
    }
}
