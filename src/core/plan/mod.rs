//! Deciding: from what is wanted, known and observed to a plan so complete that carrying it out
//! leaves no choice but the branches that the plan shows.
//!
//! Pure. Start at [`planner`](planner::plan) and follow it: members (who is there), headcount (how many
//! are wanted), reconcile (what becomes of each group), order (steps, pools, barriers), guards and
//! history (what is refused), words (what is said). [`check`](check::check) reads the result a second
//! time, [`record()`] turns the results of a run into the next state, and [`saved`] is the form that is
//! kept.

mod additions;
mod asked;
mod branch;
pub mod by_hand;
mod change;
mod check;
pub mod codes;
mod cost;
mod decision;
mod event;
mod fields;
mod gates;
mod guards;
mod headcount;
mod history;
mod intents;
mod lines;
mod makers;
mod members;
mod notes;
mod options;
mod order;
mod owed;
mod pace;
mod placement;
mod planner;
mod ports;
mod questions;
mod reconcile;
mod record;
mod refresh;
pub mod releases;
mod rollout;
mod running;
mod saved;
mod scaling;
pub mod serving;
mod sick;
mod spread;
mod steady;
mod summary;
pub mod types;
mod unproven;
mod unreadable;
mod victims;
mod volumes;
mod words;

pub use additions::{Addition, additions};
pub use asked::{Asked, ChosenStrategy, Like, ReleaseCommandMode, Restart};
pub use branch::{Branch, Instead, Successor};
pub use change::{Deed, Half};
pub use check::{Finding, check};
pub use event::{Event, StepEvent, Stopping, Unconfirmed};
pub use fields::{adopted, filled_of};
pub use gates::gate;
pub use makers::{Maker, Trace};
pub use options::{Aim, Options};
pub use planner::plan;
pub use ports::moved_ports;
pub use questions::{Allow, Questions, Typed, questions};
pub use record::{RunFacts, record};
pub use saved::{SavedChange, SavedPlan, SavedPlanError, SavedStep, Spent};
pub use scaling::{Amount, NoScale, Scale};
pub use steady::steady_ms;
pub use summary::{Revert, Summary};
pub use types::{
    Action, Change, Cost, Drift, DriftKind, GateKind, GroupChange, GroupVerdict, Inherited, Note,
    Outcome, Pin, Plan, PlannedRelease, PlannedVolume, Pool, PoolId, Removal, Standby, Step,
    StepId, StepResult, TakenOver, Target, Work,
};

pub use crate::core::fleet::FieldChange;
pub use volumes::forked_text;
