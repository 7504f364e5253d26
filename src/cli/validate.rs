//! `aeroform validate`: offline, and reads nothing outside the project.

use super::Context;
use super::args::ValidateArgs;
use super::formats::{self, CommandOutput};
use super::manifests::{self, Purpose};
use crate::ui::{Exit, Failure};

/// Prints the diagnostics, or that the files are valid.
pub(super) fn run(context: &Context<'_>, args: &ValidateArgs) -> Result<Exit, Failure> {
    let found = manifests::read(
        context,
        Purpose::Validate {
            strict: args.strict,
        },
    )?;
    found.warn_without_settings(context.ui);
    formats::print(context.ui, CommandOutput::Validated(&found));
    if !found.loaded.diagnostics.has_errors() {
        return Ok(Exit::Done);
    }
    if context.ui.format().is_for_programs() {
        return Ok(Exit::Error);
    }
    Err(found.failure())
}
