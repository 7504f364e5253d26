//! Output for users: results on standard output, messages on standard error.
//!
//! Everything the program prints goes through [`Ui`]; [`crate::core`]'s views make the text. Start at [`Ui`],
//! then [`failure`] for errors and [`exit`] for exit codes.

pub mod codes;
pub mod color;
pub mod exit;
pub mod failure;
pub mod format;
pub mod list;
pub mod output_file;
pub mod progress;
pub mod prompt;
pub mod screen;
pub mod signals;
pub mod step;
pub mod terminal;

mod output;

pub use color::ColorChoice;
pub use exit::Exit;
pub use failure::Failure;
pub use format::OutputFormat;
pub use list::ChoiceList;
pub use output::{Loudness, Ui};
pub use output_file::{OutputFile, Readers};
pub use screen::AlternateScreen;
pub use signals::{Signals, StopSignal};
pub use step::StepReport;
