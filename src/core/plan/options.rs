//! Options of the planner that come from flags.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::commits::CommitRelations;
use super::requested::Requested;
use crate::core::fleet::{LaunchId, RunId};

/// The goal of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanMode {
    /// The manifests (`aeroform apply`).
    #[default]
    #[serde(rename = "manifests")]
    Normal,
    /// No Machine of the app (`aeroform destroy`).
    #[serde(rename = "nothing")]
    Destroy,
    /// A state that matches the platform; no Machine changes (`aeroform refresh`).
    #[serde(rename = "state")]
    RefreshOnly,
}

/// Options from flags, never from files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one per flag, and any of them may be given"
)]
pub struct Options {
    /// The goal.
    pub mode: PlanMode,
    /// Continue although all Machines in the state are missing (rule 8).
    pub accept_missing: bool,
    /// Create Machines although some existing ones cannot be identified (rule 9).
    pub accept_unknown: bool,
    /// Take over an app or a state of another lineage (rule 5).
    pub take_over: bool,
    /// Runs to adopt although the state does not list them (rule 12).
    pub adopt_runs: BTreeSet<RunId>,
    /// The planned commit as compared with those of other runs.
    pub commits: CommitRelations,
    /// Apply a commit that is older than what runs (rule 12).
    pub allow_older: bool,
    /// The current time in seconds since 1970, if known; it decides whether a release counts as in progress.
    pub now: Option<i64>,
    /// Runs in this host's journal; adopted without a flag (rule 12).
    pub own_runs: BTreeSet<RunId>,
    /// Releases that those runs registered: nobody else is working on them.
    pub own_releases: BTreeSet<String>,
    /// Swaps that this host's journal lists as switched.
    pub switched_swaps: BTreeSet<String>,
    /// Commands that run once and that this host's journal lists as ended with code 0.
    pub ended_once: BTreeSet<LaunchId>,
    /// Commands that run once and that this host's journal lists as started, and not as ended.
    pub started_once: BTreeSet<LaunchId>,
    /// Requests of a verb beyond the manifests; only with [`PlanMode::Normal`].
    pub requested: Requested,
    /// The `--parallelism` limit, if given. It changes only the text of the plan.
    pub parallelism: Option<usize>,
}
