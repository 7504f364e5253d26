//! Writes views to the streams.

use std::fmt;

use super::formats::{self, CommandOutput};
use crate::core::plan::Plan;
use crate::core::view::{Style, terminal};
use crate::ui::{Loudness, Ui};

/// The style of standard output.
pub(super) fn style(ui: &Ui) -> Style {
    Style {
        color: ui.color_data(),
        width: ui.width(),
        verbose: ui.loudness() == Loudness::Verbose,
        program: ui.program(),
        cut_words: false,
    }
}

/// Writes a view to standard output.
pub(super) fn write_stdout(ui: &Ui, view: impl FnOnce(&Style, &mut String) -> fmt::Result) {
    let mut text = String::new();
    view(&style(ui), &mut text).expect("writing to a String cannot fail");
    ui.data(&text);
}

/// Writes a view to standard error.
pub(super) fn write_stderr(ui: &Ui, view: impl FnOnce(&Style, &mut String) -> fmt::Result) {
    let style = Style {
        color: ui.color_talk(),
        ..style(ui)
    };
    let mut text = String::new();
    view(&style, &mut text).expect("writing to a String cannot fail");
    ui.talk(text.trim_end());
}

/// The plan before its approval. Where standard output is for programs or goes elsewhere, it is also on standard
/// error, where the question is.
pub(super) fn plan_before_question(ui: &Ui, plan: &Plan) {
    let streams = ui.streams();
    formats::print(ui, CommandOutput::ProposedPlan(plan));
    if streams.can_ask() && (ui.format().is_for_programs() || !streams.stdout) {
        write_stderr(ui, |style, text| terminal::plan(plan, style, text));
    }
}
