//! `aeroform platform`: what Fly offers, from the program's own data. Asks nobody.

use super::args::PlatformVerb;
use super::{Context, views};
use crate::core::view::{json, terminal};
use crate::ui::Exit;

/// Prints a list.
pub(super) fn run(context: &Context<'_>, args: &PlatformVerb) -> Exit {
    let ui = context.ui;
    match args {
        PlatformVerb::VmSizes { .. } if ui.json() => ui.document(&json::platform::vm_sizes()),
        PlatformVerb::Regions { .. } if ui.json() => ui.document(&json::platform::regions()),
        PlatformVerb::VmSizes { .. } => {
            views::write_stdout(ui, |style, text| terminal::platform::vm_sizes(style, text));
        }
        PlatformVerb::Regions { .. } => {
            views::write_stdout(ui, |style, text| terminal::platform::regions(style, text));
        }
    }
    Exit::Done
}
