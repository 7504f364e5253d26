//! `aeroform version`.

use super::Context;
use super::formats::{self, CommandOutput};
use crate::ui::Exit;

/// Prints the version.
pub(super) fn run(context: &Context<'_>) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    formats::print(context.ui, CommandOutput::Version(version));
    Exit::Done
}
