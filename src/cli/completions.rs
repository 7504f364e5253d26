//! `aeroform completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Context;
use super::args::Cli;
use crate::ui::Exit;

/// Prints the completions.
pub(super) fn run(context: &Context<'_>, shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aeroform", &mut script);
    context.ui.data(&String::from_utf8_lossy(&script));
    Exit::Done
}
