//! The plan as a person reads it before saying yes.
//!
//! Header, one line per group, drift, one section per group that changes (those that go last), what the
//! state alone records, notes, warnings, refusals, and the closing counts. What takes long to read is
//! collapsed; nothing that is destroyed, shrunk or left behind ever is without its count.

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
