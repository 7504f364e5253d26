//! What a plan says about a swap. Data only.

use serde::{Deserialize, Serialize};

use super::types::StandbyTarget;
use crate::core::fleet::GroupName;

/// A green of a [`super::Action::Switch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchedGreen {
    /// The Machine.
    pub machine: StandbyTarget,
    /// Its blue is cordoned, so it stays cordoned (rule 10).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays_cordoned: bool,
}

/// A new Machine of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Green {
    /// The swap's tag.
    pub tag: String,
    /// It runs although its blue rests, so that a Machine of its group passes the checks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_run: bool,
    /// An earlier run has created it, and this one takes it; for views.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exists: bool,
}

/// The swap of a plan: new Machines (green) in the place of others (blue), in all groups with the strategy bluegreen
/// that change, or those of an earlier run that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedSwap {
    /// Its tag: derived by the run that begins it, and read from the greens by later ones.
    pub tag: String,
    /// Its groups.
    pub groups: Vec<GroupName>,
    /// How long the greens are watched before a blue is cordoned, and how long a cordoned blue gets before it is
    /// stopped, milliseconds.
    pub wait_ms: u64,
}
