//! The status: counts per group, then its Machines with their addresses.
//!
//! Of a large group, only Machines that need attention are listed; the rest is counted.

pub(in crate::core::view::terminal) mod cells;
mod full_status;
mod other_projects;

pub use full_status::status;
pub(in crate::core::view::terminal) use full_status::warnings;
pub(in crate::core::view::terminal) use other_projects::other_projects;
