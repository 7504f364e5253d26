//! Machines one by one: all of them in a table or to choose from, one with everything, and what a verb did to
//! one.

mod acted;
mod choices;
mod list;
mod one;

pub use acted::acted;
pub use choices::choices;
pub use list::list;
pub use one::one;
