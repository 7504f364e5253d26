//! A step of a GitHub workflow: text, then annotations, the step's summary and its outputs.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::{CommandOutput, FailedCommand, markdown, text};
use crate::cli::manifests::Manifests;
use crate::core::fleet::GroupName;
use crate::core::manifest::Diagnostics;
use crate::core::plan::{Comparison, Plan};
use crate::core::view::github::{self, SourcePosition, StepOutputs};
use crate::core::view::markdown::MIN_BUDGET;
use crate::env::Env;
use crate::ui::output_file::open_to_append;
use crate::ui::{Exit, OutputFormat, Ui};

/// Bytes of a step's summary; GitHub drops a longer one without failing the step.
const MAX_SUMMARY: usize = 1024 * 1024;
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
const OUTPUT: &str = "GITHUB_OUTPUT";

pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    text::print(ui, output);
    match output {
        CommandOutput::Validated(manifests) => {
            note_diagnostics(ui, manifests, &manifests.loaded.diagnostics);
            return;
        }
        CommandOutput::Plan(plan) | CommandOutput::ProposedPlan(plan) => note_plan(ui, plan, None),
        CommandOutput::ComparedPlan(plan, comparison) => note_plan(ui, plan, Some(comparison)),
        CommandOutput::EmptyRun(plan) | CommandOutput::EndOfEmptyRun(plan) => {
            note_plan(ui, plan, None);
        }
        CommandOutput::Report(report) => {
            note_plan(ui, report.plan, None);
            ui.step().of_result.extend(github::of_report(report));
        }
        CommandOutput::Drift(plan) => ui.step().outputs = StepOutputs::of_drift(plan),
        _ => return,
    }
    let room = ui.step().summary_capacity;
    if room < MIN_BUDGET {
        ui.warn("the step's summary is full; nothing was added to it");
    } else if let Some(document) = markdown::render(ui, output, room) {
        ui.step().summary = document;
    }
}

fn note_plan(ui: &Ui, plan: &Plan, comparison: Option<&Comparison>) {
    let mut step = ui.step();
    step.of_result = github::of_plan(plan, comparison);
    step.outputs = StepOutputs::of_plan(plan, comparison);
}

/// Notes what is wrong in the manifests, and where their groups are.
pub(in crate::cli) fn note_diagnostics(ui: &Ui, manifests: &Manifests, found: &Diagnostics) {
    if ui.format() != OutputFormat::Github {
        return;
    }
    let path = |shown: &str| manifests.project.repository_path(shown);
    let mut step = ui.step();
    step.of_files = github::of_diagnostics(found, path);
    step.group_positions = manifests
        .group_locations()
        .into_iter()
        .map(|(group, position)| {
            let position = SourcePosition {
                file: path(&position.file),
                line: position.line,
                column: None,
            };
            (group, position)
        })
        .collect();
    step.app_position = Some(SourcePosition {
        file: path(manifests.main_file()),
        line: 1,
        column: None,
    });
}

/// Looks how much of the step's summary is left.
pub(super) fn begin(ui: &Ui, env: &Env) {
    let used = env
        .var(SUMMARY)
        .and_then(|path| fs::metadata(path).ok())
        .map_or(0, |found| {
            usize::try_from(found.len()).unwrap_or(usize::MAX)
        });
    // A line end comes before the document.
    ui.step().summary_capacity = MAX_SUMMARY.saturating_sub(used).saturating_sub(1);
}

/// Notes the error of the command, unless annotations of the files or the plan say it.
pub(super) fn note_failure(ui: &Ui, failed: &FailedCommand<'_>) {
    let failure = failed.failure;
    let room = ui.step().summary_capacity;
    let document = markdown::render_failure(ui, failed, room.max(MIN_BUDGET));
    let mut step = ui.step();
    // The report of a run says more than the error after it.
    let has_report = !step.summary.is_empty() && failed.shown_plan.is_none();
    if !has_report && room >= MIN_BUDGET {
        step.summary = document.unwrap_or_default();
    }
    let is_said = !failure.diagnostics.is_empty() || step.outputs.is_refused();
    if !is_said {
        let causes = failure
            .causes
            .iter()
            .map(|cause| format!("\ncaused by: {cause}"));
        let hint = failure.hint.iter().map(|hint| format!("\nhint: {hint}"));
        let message = format!(
            "{}{}",
            failure.message,
            causes.chain(hint).collect::<String>()
        );
        step.of_result
            .push(github::failure(failure.code, message, None));
    }
}

/// Writes annotations, summary and outputs.
pub(super) fn finish(ui: &Ui, env: &Env, command: &str, exit: Exit) {
    let (annotations, summary, outputs) = {
        let mut step = ui.step();
        let mut all = std::mem::take(&mut step.of_result);
        all.append(&mut step.of_files);
        let mut text = String::new();
        let position = |group: Option<&GroupName>| {
            let own = group.and_then(|group| step.group_positions.get(group));
            own.or(step.app_position.as_ref()).cloned()
        };
        github::render(&all, position, &mut text).expect("writing to a String cannot fail");
        let summary = std::mem::take(&mut step.summary);
        (text, summary, std::mem::take(&mut step.outputs))
    };
    ui.runner_commands(&annotations);
    // It has annotations only.
    if command == "validate" {
        return;
    }
    if !summary.is_empty() {
        append(ui, env, SUMMARY, &summary);
    }
    let outputs = outputs.with_exit_code(exit.code());
    append(ui, env, OUTPUT, &ui.sanitized_stdout(&outputs.render()));
}

/// Adds text to a file of the runner. A file that is not there or cannot be written is a warning.
fn append(ui: &Ui, env: &Env, variable: &str, text: &str) {
    let Some(path) = env.var(variable) else {
        ui.warn(&format!(
            "`{variable}` is not set; nothing was written for the workflow there"
        ));
        return;
    };
    let written = open_to_append(Path::new(path)).and_then(|mut file| {
        // The first line of a document is a line of its own.
        let begun = file.metadata()?.len() > 0;
        let gap = if begun && variable == SUMMARY {
            "\n"
        } else {
            ""
        };
        file.write_all(format!("{gap}{text}").as_bytes())
    });
    if let Err(error) = written {
        ui.warn(&format!("cannot write `{path}` (`{variable}`): {error}"));
    }
}
