//! Annotations of the lines that are wrong, for a GitHub workflow. Other results are text.

use super::{CommandOutput, text};
use crate::core::view::github::render_annotations;
use crate::ui::Ui;

pub(super) fn print(ui: &Ui, output: CommandOutput<'_>) {
    let CommandOutput::Validated(manifests) = output else {
        return text::print(ui, output);
    };
    let mut annotations = String::new();
    let path = |shown: &str| manifests.project.repository_path(shown);
    render_annotations(&manifests.loaded.diagnostics, path, &mut annotations)
        .expect("writing to a String cannot fail");
    ui.verbatim(&annotations);
}
