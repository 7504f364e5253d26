//! Machines one by one: all of them in a table or to choose from, one with everything, and what a verb did to
//! one.

mod action;
mod choices;
mod detail;
mod list;

pub use action::action;
pub use choices::choices;
pub use detail::detail;
pub use list::list;
