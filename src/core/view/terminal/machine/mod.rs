//! Machines one by one: all of them in a table, one with everything, and what a verb did to one.

mod acted;
mod list;
mod one;

pub use acted::acted;
pub use list::list;
pub use one::one;
