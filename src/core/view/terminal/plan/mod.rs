//! The plan as text.
//!
//! Header, one line per group, drift, one section per changed group (removed groups last), changes of the state only,
//! notes, warnings, refusals, and the closing counts. Long lists are collapsed, but everything that is destroyed,
//! shrunk or detached is counted.

pub(in crate::core::view) mod behind;
pub(in crate::core::view) mod closing;
mod comparison;
mod create;
pub(in crate::core::view) mod drift;
pub(in crate::core::view) mod full_plan;
pub(in crate::core::view) mod group_table;
pub(in crate::core::view) mod ids;
mod remarks;
mod removal;
pub(in crate::core::view) mod section;
mod swap;
pub(in crate::core::view) mod wave_lines;

pub use comparison::compared_plan;
pub use drift::drift_only as drift;
pub use full_plan::plan;
