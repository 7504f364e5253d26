//! `aeroform man`: writes a man page for each command.

use std::path::Path;

use super::{Context, args};
use crate::ui::codes::UNWRITABLE;
use crate::ui::{Exit, Failure};

/// Writes the pages; existing ones are overwritten.
pub(super) fn run(context: &Context<'_>, dir: &Path) -> Result<Exit, Failure> {
    let written =
        std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(args::command(), dir));
    written.map_err(|error| {
        let message = format!("cannot write `{}`", dir.display());
        Failure::new(UNWRITABLE, message).cause(error)
    })?;
    context
        .ui
        .talk(&format!("wrote the man pages to `{}`", dir.display()));
    Ok(Exit::Done)
}
