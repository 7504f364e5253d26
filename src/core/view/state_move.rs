//! The place of a state: where it moves to, and what `init` made there.

use crate::core::fleet::{AppName, Lineage};

/// The state, and both places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMove {
    /// The app.
    pub app: AppName,
    /// The old place.
    pub from: String,
    /// The new place.
    pub to: String,
    /// Details of the new place.
    pub target: Option<String>,
    /// The serial; none before the first apply.
    pub serial: Option<u64>,
    /// The lineage.
    pub lineage: Option<Lineage>,
}

/// A place that is ready for a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedState {
    /// The place.
    pub place: String,
    /// The ref of its lock.
    pub lock: Option<String>,
}
