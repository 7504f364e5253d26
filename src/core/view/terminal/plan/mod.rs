//! The plan as text.
//!
//! Header, one line per group, drift, one section per changed group (removed groups last), changes of the state only,
//! notes, warnings, refusals, and the closing counts. Long lists are collapsed, but everything that is destroyed,
//! shrunk or detached is counted.

mod closing;
mod create;
mod drift;
mod full_plan;
mod group_table;
mod ids;
mod remarks;
mod removal;
mod section;

pub use drift::drift_only as drift;
pub use full_plan::plan;
