//! Saying: from a plan, an event or a snapshot to text for a terminal and JSON for programs.
//!
//! Pure: takes data and a writer; prints nothing itself and knows neither terminal nor environment.
//! Decides nothing either: whatever a view says stands in the data. Start at [`terminal`] for people
//! and at [`json`] for programs; [`escape`] is what every foreign text passes on its way out.

pub mod change_bundle;
pub mod command_hints;
pub mod diagnostics;
pub mod drift_bundle;
pub mod file_edit;
pub mod github;
pub mod json;
pub mod line;
mod line_wrapper;
pub mod machine;
pub mod next_command;
pub mod outline;
pub mod phrases;
pub mod run_report;
pub mod scale;
pub mod status;
pub mod style;
pub mod terminal;
pub mod toml_diff;

pub use super::escape;
pub use file_edit::FileEdit;
pub use machine::MachineView;
pub use run_report::{RunReport, Tally};
pub use scale::ScaleView;
pub use status::StatusView;
pub use style::{Label, Style};
