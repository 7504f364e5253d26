//! The status as a person reads it: per group what is wanted and there, then its Machines with what a
//! person needs to reach them.
//!
//! One screen: of a large group only those that need attention are listed, and the rest is counted.

pub(in crate::core::view::terminal) mod cells;
mod full_status;
mod other_projects;

pub use full_status::status;
pub(in crate::core::view::terminal) use full_status::warnings;
pub(in crate::core::view::terminal) use other_projects::other_projects;
