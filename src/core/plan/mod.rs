//! Deciding: from what is wanted, known and observed to a plan so complete that carrying it out
//! leaves no choice but the branches that the plan shows.
//!
//! Pure. Start at [`types`] for the shape of a plan and of what happens to it.

pub mod types;

pub use types::{
    Action, Branch, Change, Drift, DriftKind, Event, GateKind, GroupChange, GroupVerdict, Note,
    Outcome, Pin, Plan, Pool, PoolId, Removal, Standby, Step, StepEvent, StepId, StepResult,
    Summary, Target, Work,
};
