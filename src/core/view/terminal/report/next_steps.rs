//! The commands that continue an incomplete apply or roll it back.

use std::fmt;

use super::is_done;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::partial_rollout::PartialRollout;
use crate::core::plan::way_back::Rollback;
use crate::core::plan::{PlanMode, RunOutcome};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::next_command::{Continuation, NextCommand};
use crate::core::view::run_report::RunReport;
use crate::core::view::style::Label;

/// The commands that continue or roll back.
pub(in crate::core::view) fn next_steps(
    report: &RunReport<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    if report.outcome == RunOutcome::Overtaken {
        let text = format!(
            "`{} plan` shows the Machines as they are now and what an apply would change",
            report.program
        );
        return page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text));
    }
    if is_done(report) {
        return Ok(());
    }
    let Some(next_command) = report.next_command else {
        return Ok(());
    };
    let program = report.program;
    if report.rollback.is_some_and(Rollback::is_complete) {
        let command = &next_command.command;
        let text = format!("fix the cause, then `{program} {command}` deploys it again");
        return page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text));
    }
    let begun = report.partial_rollout.filter(|left| left.has_new());
    let applies = begun.filter(|_| report.plan.mode == PlanMode::Normal && report.verb == "apply");
    let command = &next_command.command;
    let forward = match next_command.continuation {
        Continuation::AfterReview => {
            let options = &next_command.options;
            let text = format!(
                "`{program} plan{options}` shows the remaining changes, and which changes of others they would revert"
            );
            return page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text));
        }
        Continuation::StartsOver => {
            format!("`{program} {command}` starts over, including the Machines already done")
        }
        Continuation::SameCommand | Continuation::OtherCommand if applies.is_some() => {
            format!("`{program} {command}` continues with the rest")
        }
        Continuation::SameCommand => {
            format!("run `{program} {command}` again to do the rest")
        }
        Continuation::OtherCommand => format!("`{program} {command}` does the rest"),
    };
    let back = applies.and_then(|left| rollback_command(report, next_command, left));
    let text = back.map_or_else(|| forward.clone(), |back| format!("{forward}; {back}"));
    page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text))
}

/// The command that rolls back.
fn rollback_command(
    report: &RunReport<'_>,
    next_command: &NextCommand,
    partial_rollout: &PartialRollout,
) -> Option<String> {
    let program = report.program;
    if let Some(image) = &partial_rollout.image_before {
        let (image, options) = (shell_word(image), &next_command.options_without_image);
        return Some(format!(
            "`{program} apply --image {image}{options}` rolls back"
        ));
    }
    let mut changes = report.plan.changes();
    let options = &next_command.options;
    changes
        .any(|(_, change)| !change.changes.is_empty())
        .then(|| {
            let files = format!("restore the previous files and run `{program} apply{options}`");
            if report.plan.newest_release.is_some() {
                format!("to roll back, run `{program} rollback`, or {files}")
            } else {
                format!("to roll back, {files}")
            }
        })
}
