//! Speaks to people: standard output carries data, standard error carries talk.
//!
//! Everything that the program prints goes through [`Ui`]; what is printed is made by
//! [`crate::core`]'s views. Start at [`Ui`], then [`failure`] for how a command fails and [`exit`] for
//! how the program ends.

pub mod codes;
pub mod color;
pub mod exit;
pub mod failure;
pub mod format;
pub mod list;
pub mod progress;
pub mod prompt;
pub mod screen;
pub mod signals;
pub mod terminal;

mod output;

pub use color::ColorChoice;
pub use exit::Exit;
pub use failure::Failure;
pub use format::OutputFormat;
pub use list::ChoiceList;
pub use output::{Loudness, Ui};
pub use screen::AlternateScreen;
pub use signals::{Signals, StopSignal};
