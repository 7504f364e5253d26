//! The comment of a pull request: one document, written when the command ends.

use super::{CommandOutput, FailedCommand};
use crate::core::plan::{Comparison, Plan};
use crate::core::view::RunReport;
use crate::core::view::markdown::{self, FailureText, MarkdownStyle, OverBudget, PlanComment};
use crate::ui::{Failure, Loudness, Ui};

pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    if let Some(document) = render(ui, output, ui.budget()) {
        ui.hold(document);
    }
}

pub(super) fn print_failure(ui: &Ui, failed: &FailedCommand<'_>) {
    // The report of a run says more than the error after it.
    if ui.is_holding() && failed.shown_plan.is_none() {
        return;
    }
    let document = render_failure(ui, failed, ui.budget());
    ui.hold(document.unwrap_or_default());
}

/// The document of a failure: with the plan that it is about, if one was shown.
pub(super) fn render_failure(ui: &Ui, failed: &FailedCommand<'_>, budget: usize) -> Option<String> {
    let FailedCommand {
        command,
        app,
        shown_plan,
        failure,
    } = *failed;
    let failed = FailureText {
        command,
        app,
        message: &failure.message,
        code: failure.code,
        causes: &failure.causes,
        hint: failure.hint.as_deref(),
    };
    match shown_plan {
        Some((plan, comparison)) => comment(ui, (plan, comparison.as_ref()), Some(&failed), budget),
        None => fit(ui, budget, |style| markdown::failure(&failed, style)),
    }
}

/// The document of a result; none for one that has no such form, or that is followed by another.
pub(super) fn render(ui: &Ui, output: &CommandOutput<'_>, budget: usize) -> Option<String> {
    match output {
        CommandOutput::Plan(plan) => comment(ui, (plan, None), None, budget),
        CommandOutput::ComparedPlan(plan, comparison) => {
            comment(ui, (plan, Some(comparison)), None, budget)
        }
        CommandOutput::Drift(plan) => fit(ui, budget, |style| markdown::drift(plan, style)),
        CommandOutput::Report(report) => run(ui, report, budget),
        CommandOutput::EmptyRun(plan) | CommandOutput::EndOfEmptyRun(plan) => {
            run(ui, &RunReport::of_empty_run(plan), budget)
        }
        _ => None,
    }
}

fn comment(
    ui: &Ui,
    (plan, comparison): (&Plan, Option<&Comparison>),
    failed: Option<&FailureText<'_>>,
    budget: usize,
) -> Option<String> {
    let comment = PlanComment {
        plan,
        comparison,
        digest: &plan.plan_digest(),
        failed,
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
