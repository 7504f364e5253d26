//! Single Machines: a table, rows to choose from, the detail of one, and the result of a verb.

mod action;
mod choices;
mod detail;
mod list;

pub use action::action;
pub use choices::choices;
pub use detail::detail;
pub use list::list;
