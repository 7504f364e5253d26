//! `aeroform platform`: what Fly offers, from the program's own data. Asks nobody.

use super::args::Platform;
use super::{Context, show};
use crate::core::view::{json, terminal};
use crate::ui::Exit;

/// Prints a list.
pub(super) fn run(context: &Context<'_>, args: &Platform) -> Exit {
    let ui = context.ui;
    match args {
        Platform::VmSizes { .. } if ui.json() => ui.document(&json::platform::vm_sizes()),
        Platform::Regions { .. } if ui.json() => ui.document(&json::platform::regions()),
        Platform::VmSizes { .. } => {
            show::data(ui, |style, text| terminal::platform::vm_sizes(style, text));
        }
        Platform::Regions { .. } => {
            show::data(ui, |style, text| terminal::platform::regions(style, text));
        }
    }
    Exit::Done
}
