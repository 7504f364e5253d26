//! Brings views to the streams.

use std::fmt;

use crate::core::plan::Plan;
use crate::core::view::{RunReport, StateOutcome, Style, json, terminal};
use crate::ui::{Loudness, Ui};

/// How text for standard output is written.
pub(super) fn style(ui: &Ui) -> Style {
    Style {
        color: ui.color_data(),
        width: ui.width(),
        verbose: ui.loudness() == Loudness::Verbose,
        program: ui.program(),
        cut_words: false,
    }
}

/// Text of a view for standard output.
pub(super) fn write_stdout(ui: &Ui, view: impl FnOnce(&Style, &mut String) -> fmt::Result) {
    let mut text = String::new();
    view(&style(ui), &mut text).expect("writing to a String cannot fail");
    ui.data(&text);
}

/// Text of a view for standard error.
pub(super) fn write_stderr(ui: &Ui, view: impl FnOnce(&Style, &mut String) -> fmt::Result) {
    let style = Style {
        color: ui.color_talk(),
        ..style(ui)
    };
    let mut text = String::new();
    view(&style, &mut text).expect("writing to a String cannot fail");
    ui.talk(text.trim_end());
}

/// The plan as the result of a command.
pub(super) fn plan(ui: &Ui, plan: &Plan) {
    if ui.json() {
        ui.document(&json::plan::plan(plan));
    } else {
        write_stdout(ui, |style, text| terminal::plan(plan, style, text));
    }
}

/// The plan as what a person is about to be asked for. Where standard output is for programs or goes
/// elsewhere, the person is shown it where the question stands.
pub(super) fn plan_before_question(ui: &Ui, plan: &Plan) {
    let streams = ui.streams();
    if !ui.json() {
        write_stdout(ui, |style, text| terminal::plan(plan, style, text));
    }
    if streams.can_ask() && (ui.json() || !streams.stdout) {
        write_stderr(ui, |style, text| terminal::plan(plan, style, text));
    }
}

/// That there is nothing to carry out.
pub(super) fn nothing_to_do(ui: &Ui, nothing: &Plan) {
    if ui.json() {
        let state = StateOutcome::Unchanged;
        ui.document(&json::apply::empty_run_line(nothing));
        ui.document(&json::apply::finished_line(&RunReport {
            plan: nothing,
            results: &[],
            interrupted: false,
            findings: &[],
            remarks: &[],
            additions: &[],
            overtaken: &[],
            state: &state,
            partial_rollout: None,
            next_command: None,
            program: "",
            verb: "",
        }));
    } else {
        plan(ui, nothing);
    }
}

/// What came of a run.
pub(super) fn report(ui: &Ui, report: &RunReport<'_>) {
    if ui.json() {
        ui.document(&json::apply::finished_line(report));
    } else {
        write_stdout(ui, |style, text| terminal::report(report, style, text));
    }
}
