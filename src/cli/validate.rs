//! `aeroform validate`: starts nothing, opens no socket, reads nothing outside the project.

use super::Context;
use super::args::{DiagnosticFormat, ValidateArgs};
use super::manifests::{self, Purpose};
use crate::core::view::phrases::count_noun;
use crate::core::view::{github, json};
use crate::ui::{Exit, Failure};

/// Says what is wrong, or that nothing is.
pub(super) fn run(context: &Context<'_>, args: &ValidateArgs) -> Result<Exit, Failure> {
    let found = manifests::read(
        context,
        Purpose::Validate {
            strict: args.strict,
        },
    )?;
    found.warn_without_settings(context.ui);
    let diagnostics = &found.loaded.diagnostics;
    if context.ui.json() {
        let document = json::validate::validate(diagnostics.iter().map(Into::into).collect());
        context
            .ui
            .document(&document.with_more(diagnostics.omitted()));
    } else if args.format == DiagnosticFormat::Github {
        let mut text = String::new();
        let path = |shown: &str| found.project.repository_path(shown);
        github::render_annotations(diagnostics, path, &mut text)
            .expect("writing to a String cannot fail");
        context.ui.verbatim(&text);
    } else {
        found.show_problems(context.ui);
        if !diagnostics.has_errors() {
            let (what, desired) = (found.fly_path.display(), found.loaded.desired.as_ref());
            let groups = desired.map_or(0, |desired| desired.groups.len());
            let groups = count_noun(groups, "process group");
            context.ui.data(&format!("`{what}` is valid: {groups}\n"));
        }
    }
    if !diagnostics.has_errors() {
        return Ok(Exit::Done);
    }
    if context.ui.json() {
        return Ok(Exit::Error);
    }
    Err(found.failure())
}
