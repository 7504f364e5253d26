//! Views for terminals: plan, progress, report and status.
//!
//! Each view takes data, a [`Style`](super::Style) and a writer. Destroys and refusals come last, next to the prompt.

mod config_diff;
pub mod edit;
pub mod machine;
pub mod plan;
pub mod platform;
pub mod progress;
pub mod questions;
pub mod releases;
pub mod report;
pub mod running_groups;
pub mod scale;
mod state_log;
mod state_move;
pub mod status;
mod table;

pub use edit::edits;
pub use plan::{compared_plan, drift, plan};
pub use progress::event;
pub use questions::{prompt, question};
pub use releases::releases;
pub use report::report;
pub use scale::scale;
pub use state_log::state_log;
pub use state_move::state_move;
pub use status::status;
