//! The status as a person reads it: per group what is wanted and there, then its Machines with what a
//! person needs to reach them.
//!
//! One screen: of a large group only those that need attention are listed, and the rest is counted.

pub(in crate::core::view::terminal) mod cells;
mod others;
mod whole;

pub(in crate::core::view::terminal) use others::others;
pub use whole::status;
pub(in crate::core::view::terminal) use whole::warnings;
