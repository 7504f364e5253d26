//! `aeroform platform`: what Fly offers, from built-in data, without a network request.

use super::Context;
use super::args::PlatformVerb;
use super::formats::{self, CommandOutput};
use crate::ui::Exit;

/// Prints a list.
pub(super) fn run(context: &Context<'_>, args: &PlatformVerb) -> Exit {
    let list = match args {
        PlatformVerb::VmSizes { .. } => CommandOutput::VmSizes,
        PlatformVerb::Regions { .. } => CommandOutput::Regions,
    };
    formats::print(context.ui, list);
    Exit::Done
}
