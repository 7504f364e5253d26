//! `aeroform version`.

use super::Context;
use crate::core::view::json;
use crate::ui::Exit;

/// Prints it.
pub(super) fn run(context: &Context<'_>) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if context.ui.json() {
        context.ui.document(&json::version::version(version));
    } else {
        context.ui.data(&format!("aeroform {version}\n"));
    }
    Exit::Done
}
