//! What an operator says to the planner beyond the manifests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::requested::Requested;
use crate::core::fleet::RunId;

/// What a plan leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanMode {
    /// What the manifests say (`aeroform apply`).
    #[default]
    #[serde(rename = "manifests")]
    Normal,
    /// No Machine of the app (`aeroform destroy`).
    #[serde(rename = "nothing")]
    Destroy,
    /// A state that says what is there; no Machine changes (`aeroform refresh`).
    #[serde(rename = "state")]
    RefreshOnly,
}

/// Answers and wishes that come from flags, never from files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What the plan is to lead to.
    pub mode: PlanMode,
    /// Go on although every known Machine is gone (rule 8).
    pub accept_missing: bool,
    /// Make Machines although some that exist do not say whose they are (rule 9).
    pub accept_unknown: bool,
    /// Take over an app or a state of another lineage (rule 5).
    pub take_over: bool,
    /// Runs whose changes are taken over although the state does not list them (rule 12).
    pub adopt_runs: BTreeSet<RunId>,
    /// Now, seconds since 1970, where somebody says it: whether a release is under way depends on it.
    pub now: Option<i64>,
    /// Runs that this host's journal has a record of; taken over without being asked (rule 12).
    pub own_runs: BTreeSet<RunId>,
    /// Releases that those runs have registered: they are nobody else's who may be at work.
    pub own_releases: BTreeSet<String>,
    /// What a verb asks for beyond what the manifests say; only with [`PlanMode::Normal`].
    pub requested: Requested,
    /// Most changes that an apply makes at once, where somebody says it; it changes nothing but what the plan
    /// says of itself.
    pub parallelism: Option<usize>,
}
