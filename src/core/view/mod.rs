//! Plans, events and snapshots as text for a terminal, Markdown for a pull request, and JSON for programs.
//!
//! Pure: takes data and a writer, and knows neither terminal nor environment. Views decide nothing. Start at
//! [`terminal`] and [`json`]; [`escape`] makes untrusted text safe to print.

pub mod change_bundle;
pub mod command_hints;
pub mod diagnostics;
pub mod drift_bundle;
pub mod file_edit;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod line;
mod line_wrapper;
pub mod machine;
pub mod markdown;
pub mod next_command;
pub mod outline;
pub mod phrases;
pub mod releases;
mod rollback_report;
pub mod run_report;
pub mod scale;
mod state_move;
pub mod status;
pub mod style;
pub mod terminal;
pub mod toml_diff;
mod waves;

pub use super::escape;
pub use file_edit::FileEdit;
pub use machine::MachineView;
pub use run_report::{RunReport, Tally};
pub use scale::ScaleView;
pub use state_move::{PreparedState, StateMove};
pub use status::StatusView;
pub use style::{Label, Style};
