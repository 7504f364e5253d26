//! The report of an apply: failures, unconfirmed changes, platform additions, the state, and how the run ended.

mod next_steps;
mod result_line;
mod rollback;
mod running_versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub(in crate::core::view) use self::next_steps::next_steps;
pub(in crate::core::view) use self::result_line::result_line;
use self::running_versions::running_versions;
use super::progress::subject;
use crate::core::fleet::MachineId;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::{Change, Outcome, RunOutcome, StateOutcome, StepResult};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::run_report::{RunReport, cause_of};
use crate::core::view::style::{Label, Style};
use crate::core::view::toml_diff::{self, TomlLines};

/// Maximum steps listed per cause.
const MAX_LISTED: usize = 8;

/// Writes the report.
pub fn report(report: &RunReport<'_>, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    rollback::head(report, page)?;
    replaced_machines(report, page)?;
    failures(report, page)?;
    unknowns(report, page)?;
    unstarted_steps(report, page)?;
    for finding in report.findings {
        page.line(
            &Line::new(0)
                .push(Label::Error, "not verified:")
                .plain(" ")
                .plain(finding),
        )?;
    }
    additions(report, page)?;
    for text in report.overtaken {
        let line = Line::new(0).push(Label::Error, "overtaken:").plain(" ");
        page.line(&line.plain(text))?;
    }
    rollback::rest(report, page)?;
    state_line(report, page)?;
    running_versions(report, page)?;
    page.line(&result_line(report))?;
    next_steps(report, page)
}

/// Machines that replaced others because a host had no room.
fn replaced_machines(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let replaced: Vec<_> = report.replaced_machines().collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let line = Line::new(0)
        .push(Label::Change, "replaced:")
        .plain(" their hosts had no room, new Machines were created");
    page.line(&line)?;
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    for (change, new) in replaced.iter().take(limit) {
        let line = subject(change, None)
            .indented(4)
            .plain(" → ")
            .plain(&new.id);
        page.line(&line)?;
    }
    more_line(replaced.len().saturating_sub(limit), page)
}

fn more_line(more: usize, page: &mut LineWriter<'_>) -> fmt::Result {
    if more == 0 {
        return Ok(());
    }
    let text = format!("+ {} more", phrases::group_digits(more));
    page.line(&Line::new(4).push(Label::Dim, text))
}

/// Failures, grouped by cause.
fn failures(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    type Failed<'r> = (&'r str, Vec<(&'r Change, Option<&'r MachineId>)>);
    let mut causes: BTreeMap<(&str, &str, Option<&str>), Failed<'_>> = BTreeMap::new();
    for (change, result) in report.results() {
        if let Outcome::Failed {
            code,
            message,
            hint,
        } = &result.outcome
        {
            let of_cause = causes.entry((code, cause_of(message), hint.as_deref()));
            let (_, changes) = of_cause.or_insert((message, Vec::new()));
            changes.push((change, created_machine(result)));
        }
    }
    for ((code, _, hint), (message, changes)) in causes {
        let line = Line::new(0)
            .push(Label::Error, "failed:")
            .plain(format!(" {message} "))
            .push(Label::Dim, format!("({code})"));
        page.line(&line)?;
        subjects(&changes, page)?;
        if let Some(hint) = hint {
            page.line(&Line::new(2).push(Label::Hint, "hint: ").plain(hint))?;
        }
    }
    Ok(())
}

fn unknowns(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut causes: BTreeMap<&str, Vec<(&Change, Option<&MachineId>)>> = BTreeMap::new();
    for (change, result) in report.results() {
        if let Outcome::Unknown { message } = &result.outcome {
            let subject = (change, created_machine(result));
            causes.entry(message).or_default().push(subject);
        }
    }
    for (message, changes) in causes {
        let line = Line::new(0)
            .push(Label::Warning, "unconfirmed:")
            .plain(format!(" {message}; the next run checks it"));
        page.line(&line)?;
        subjects(&changes, page)?;
    }
    Ok(())
}

/// The Machine of a step, if there is one.
fn created_machine(result: &StepResult) -> Option<&MachineId> {
    result.machine.as_ref().map(|machine| &machine.id)
}

fn subjects(changes: &[(&Change, Option<&MachineId>)], page: &mut LineWriter<'_>) -> fmt::Result {
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    for (change, created_id) in changes.iter().take(limit) {
        page.line(&subject(change, *created_id).indented(4))?;
    }
    more_line(changes.len().saturating_sub(limit), page)
}

/// Steps that did not start, counted by group.
fn unstarted_steps(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for (change, outcome) in report.outcomes() {
        match outcome {
            Outcome::Skipped { .. } | Outcome::NotStarted => {
                *groups.entry(change.label()).or_default() += 1;
            }
            Outcome::Done | Outcome::Failed { .. } | Outcome::Unknown { .. } => {}
        }
    }
    if groups.is_empty() {
        return Ok(());
    }
    let total: usize = groups.values().sum();
    let texts: Vec<String> = groups
        .iter()
        .map(|(group, n)| format!("{group} {}", phrases::group_digits(*n)))
        .collect();
    let line = Line::new(0)
        .push(Label::Warning, "not started:")
        .plain(format!(" {}", phrases::count_noun(total, "change")))
        .push(Label::Dim, format!(" ({})", texts.join(", ")));
    page.line(&line)
}

/// Fields that the platform added, each once, with the line of fly.toml that sets it.
fn additions(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut grouped: BTreeMap<(bool, &str, TomlLines), (BTreeSet<&str>, usize)> = BTreeMap::new();
    for addition in report.additions {
        let code = addition.code().name();
        let key = (
            addition.not_removed,
            code,
            toml_diff::lines_for_addition(addition),
        );
        let (groups, machines) = grouped.entry(key).or_default();
        groups.insert(addition.group.as_str());
        *machines += addition.machines;
    }
    for ((is_readded, code, written), (groups, machines)) in grouped {
        let groups: Vec<&str> = groups.into_iter().collect();
        let of = format!(
            "{} of {}",
            phrases::count_noun(machines, "Machine"),
            groups.join(", ")
        );
        let text = written.text();
        let line = if is_readded {
            let text = format!(" {text} was removed from {of}, and the platform added it again ");
            Line::new(0).push(Label::Warning, "warning:").plain(text)
        } else {
            let text = format!(" the platform added {text} to {of} ");
            Line::new(0).push(Label::Hint, "note:").plain(text)
        };
        page.line(&line.push(Label::Dim, format!("({code})")))?;
        let hint = if written.config_only {
            "it is kept; fly.toml has no key for it"
        } else if is_readded {
            "it is kept until fly.toml sets another value"
        } else {
            "it is kept; set it in fly.toml to choose the value"
        };
        page.line(&Line::new(2).push(Label::Hint, "hint: ").plain(hint))?;
    }
    Ok(())
}

fn state_line(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    match report.state {
        StateOutcome::Unchanged => Ok(()),
        StateOutcome::Written { location, serial } => page.line(
            &Line::new(0)
                .push(Label::Dim, "state: ")
                .push(Label::Hint, location)
                .push(Label::Dim, format!(" is at serial {serial}")),
        ),
        StateOutcome::Unpublished { cause, copy } => {
            let line = Line::new(0)
                .push(Label::Error, "not published:")
                .plain(format!(" the state was not written: {cause}"));
            page.line(&line)?;
            let hint = format!(
                "nothing is lost; publish it with `{} state push {}`",
                report.program,
                shell_word(copy)
            );
            page.line(&Line::new(2).push(Label::Hint, "hint: ").plain(hint))
        }
    }
}

fn is_done(report: &RunReport<'_>) -> bool {
    let tally = report.tally();
    report.outcome == RunOutcome::Complete || tally.done == tally.total
}
