//! The comment of a pull request: one document, written when the command ends.

use super::CommandOutput;
use crate::core::fleet::AppName;
use crate::core::plan::{Comparison, Plan};
use crate::core::view::RunReport;
use crate::core::view::markdown::{self, FailureText, MarkdownStyle, OverBudget, PlanComment};
use crate::ui::{Failure, Loudness, Ui};

pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    if let Some(document) = render(ui, output, ui.budget()) {
        ui.hold(document);
    }
}

pub(super) fn print_failure(ui: &Ui, command: &str, app: Option<&AppName>, failure: &Failure) {
    let document = render_failure(ui, command, app, failure, ui.budget());
    ui.hold(document.unwrap_or_default());
}

/// The document of a failure.
pub(super) fn render_failure(
    ui: &Ui,
    command: &str,
    app: Option<&AppName>,
    failure: &Failure,
    budget: usize,
) -> Option<String> {
    let failed = FailureText {
        command,
        app,
        message: &failure.message,
        code: failure.code,
        causes: &failure.causes,
        hint: failure.hint.as_deref(),
    };
    fit(ui, budget, |style| markdown::failure(&failed, style))
}

/// The document of a result; none for one that has no such form, or that is followed by another.
pub(super) fn render(ui: &Ui, output: &CommandOutput<'_>, budget: usize) -> Option<String> {
    match output {
        CommandOutput::Plan(plan) => comment(ui, plan, None, budget),
        CommandOutput::ComparedPlan(plan, comparison) => {
            comment(ui, plan, Some(comparison), budget)
        }
        CommandOutput::Drift(plan) => fit(ui, budget, |style| markdown::drift(plan, style)),
        CommandOutput::Report(report) => run(ui, report, budget),
        CommandOutput::EmptyRun(plan) | CommandOutput::EndOfEmptyRun(plan) => {
            run(ui, &RunReport::of_empty_run(plan), budget)
        }
        _ => None,
    }
}

fn comment(ui: &Ui, plan: &Plan, comparison: Option<&Comparison>, budget: usize) -> Option<String> {
    let comment = PlanComment {
        plan,
        comparison,
        digest: &plan.plan_digest(),
    };
    fit(ui, budget, |style| markdown::plan(&comment, style))
}

fn run(ui: &Ui, report: &RunReport<'_>, budget: usize) -> Option<String> {
    let digest = report.plan.plan_digest();
    fit(ui, budget, |style| markdown::report(report, &digest, style))
}

/// The document as it leaves the program: within its budget after that, too.
fn fit(
    ui: &Ui,
    budget: usize,
    document: impl Fn(&MarkdownStyle) -> Result<String, OverBudget>,
) -> Option<String> {
    let mut style = MarkdownStyle {
        budget,
        program: ui.program(),
        verbose: ui.loudness() == Loudness::Verbose,
    };
    loop {
        let text = match document(&style) {
            Ok(text) => text,
            Err(error) => {
                ui.note_defect(Failure::bug(error.to_string()));
                return None;
            }
        };
        let safe = ui.sanitized_stdout(&text).into_owned();
        if safe.len() <= budget {
            return Some(safe);
        }
        style.budget = style.budget.saturating_sub(safe.len() - budget);
    }
}
