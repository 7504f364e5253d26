//! Saying: from a plan, an event or a snapshot to text for a terminal and JSON for programs.
//!
//! Pure: takes data and a writer; prints nothing itself and knows neither terminal nor environment.
//! Decides nothing either: whatever a view says stands in the data. Start at [`terminal`] for people
//! and at [`json`] for programs; [`escape`] is what every foreign text passes on its way out.

pub mod again;
pub mod bundle;
pub mod commands;
pub mod diagnostics;
pub mod drifted;
pub mod edit;
pub mod github;
pub mod json;
pub mod line;
pub mod one;
pub mod outline;
mod pen;
pub mod run;
pub mod scale;
pub mod status;
pub mod style;
pub mod terminal;
pub mod toml_diff;
pub mod words;

pub use super::escape;
pub use edit::FileEdit;
pub use one::OneView;
pub use run::{RunEnd, RunReport, StateEnd, Tally};
pub use scale::ScaleView;
pub use status::StatusView;
pub use style::{Label, Style};
