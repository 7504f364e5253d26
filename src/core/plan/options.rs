//! What an operator says to the planner beyond the manifests.

use std::collections::BTreeSet;

use crate::core::fleet::RunId;

/// Answers and wishes that come from flags, never from files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Take the whole app away.
    pub destroy: bool,
    /// Go on although every known Machine is gone (RULES 8).
    pub accept_missing: bool,
    /// Take over an app or a state of another lineage (RULES 5).
    pub take_over: bool,
    /// Runs whose changes are taken over although the state does not list them (RULES 12).
    pub adopt_runs: BTreeSet<RunId>,
    /// Runs that this host's journal has a record of; taken over without being asked (RULES 12).
    pub own_runs: BTreeSet<RunId>,
}
