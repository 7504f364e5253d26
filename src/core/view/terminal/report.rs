//! The report of an apply: failures, unconfirmed changes, result and next steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::progress::subject;
use crate::core::fleet::MachineId;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::partial_rollout::{
    GroupVersions, MachineHealth, PartialRollout, VersionCount,
};
use crate::core::plan::{Action, Change, Outcome, PlanMode, RunOutcome, StateOutcome, StepResult};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::next_command::{Continuation, NextCommand};
use crate::core::view::phrases;
use crate::core::view::run_report::{RunReport, Tally, replacement_machine};
use crate::core::view::style::{Label, Style};
use crate::core::view::toml_diff::{self, TomlLines};

/// Maximum steps listed per cause.
const MAX_LISTED: usize = 8;

/// Writes the report.
pub fn report(report: &RunReport<'_>, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
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
    state_line(report, page)?;
    serving(report, page)?;
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
    type Failed<'r> = Vec<(&'r Change, Option<&'r MachineId>)>;
    let mut causes: BTreeMap<(&str, &str, Option<&str>), Failed<'_>> = BTreeMap::new();
    for (change, result) in report.results() {
        if let Outcome::Failed {
            code,
            message,
            hint,
        } = &result.outcome
        {
            causes
                .entry((code, message, hint.as_deref()))
                .or_default()
                .push((change, created_machine(result)));
        }
    }
    for ((code, message, hint), changes) in causes {
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
                *groups.entry(change.group.as_str()).or_default() += 1;
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

/// `Apply complete: 6 created, 4 updated, 2 destroyed.`
fn result_line(report: &RunReport<'_>) -> Line {
    let mut done: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for (change, result) in report.results() {
        if result.outcome != Outcome::Done {
            continue;
        }
        let key = match &change.action {
            Action::Update { .. } | Action::Move { .. }
                if replacement_machine(result).is_some() =>
            {
                (3, "replaced")
            }
            Action::Create { .. } if result.updated => (1, "updated"),
            Action::Create { .. } => (0, "created"),
            Action::Update { .. } if report.plan.is_restart(change) => (1, "restarted"),
            Action::Update { .. } => (1, "updated"),
            Action::Move { .. } => (2, "moved"),
            Action::Start => (4, "started again"),
            Action::Wait => (5, "waited for"),
            Action::Destroy { .. } => (6, "destroyed"),
            Action::Adopt => (7, "adopted"),
            Action::Forget => (8, "forgotten"),
        };
        *done.entry(key).or_insert(0) += 1;
    }
    let texts: Vec<String> = done
        .iter()
        .map(|((_, word), n)| format!("{} {word}", phrases::group_digits(*n)))
        .collect();
    let tally = report.tally();
    let done = match (texts.is_empty(), report.state) {
        (false, _) => texts.join(", "),
        (true, StateOutcome::Written { .. }) => "only the state was changed".to_owned(),
        (true, StateOutcome::Unchanged | StateOutcome::Unpublished { .. }) => {
            "nothing was changed".to_owned()
        }
    };
    let verb = match report.plan.mode {
        PlanMode::Normal => "Apply",
        PlanMode::Destroy => "Destroy",
        PlanMode::RefreshOnly if report.verb == "import" => "Import",
        PlanMode::RefreshOnly => "Refresh",
    };
    let line = Line::new(0);
    match report.outcome {
        RunOutcome::Incomplete => line
            .push(Label::Warning, format!("{verb} incomplete:"))
            .plain(match report.plan.mode {
                PlanMode::Destroy => format!(
                    " {done}; Machines that cannot be read remain, see the plan above; run destroy again \
                     once they can be read."
                ),
                PlanMode::Normal | PlanMode::RefreshOnly => {
                    format!(" {done}; fly.toml needs the rest, see the note above.")
                }
            }),
        RunOutcome::Complete => line
            .push(Label::Success, format!("{verb} complete:"))
            .plain(format!(" {done}.")),
        RunOutcome::Failed if tally.is_complete() => line
            .push(Label::Error, format!("{verb} incomplete:"))
            .plain(format!(" {done}; see the errors above.")),
        RunOutcome::Failed if texts.is_empty() => line
            .push(Label::Error, format!("{verb} failed:"))
            .plain(format!(" {}.", completed(&tally))),
        RunOutcome::Failed => line
            .push(Label::Error, format!("{verb} incomplete:"))
            .plain(format!(" {done}; {}.", completed(&tally))),
        RunOutcome::Overtaken => line
            .push(Label::Error, format!("{verb} overtaken:"))
            .plain(format!(
                " {done}; others have changed {} since.",
                phrases::count_noun(report.overtaken.len(), "Machine")
            )),
        RunOutcome::Interrupted => {
            let done = if texts.is_empty() {
                String::new()
            } else {
                format!("{done}; ")
            };
            line.push(Label::Warning, format!("{verb} interrupted:"))
                .plain(format!(" {done}{}.", completed(&tally)))
        }
    }
}

/// `3 of 8 changes completed, 2 unconfirmed`: an unconfirmed change may have happened and counts as neither.
fn completed(tally: &Tally) -> String {
    let unconfirmed = match tally.unknown {
        0 => String::new(),
        n => format!(", {} unconfirmed", phrases::group_digits(n)),
    };
    format!(
        "{} of {} completed{unconfirmed}",
        phrases::group_digits(tally.done),
        phrases::count_noun(tally.total, "change")
    )
}

/// The versions that run: `now: web: 1 on v2 (failing), 5 on v1; worker: 3 on v1, not started`.
fn serving(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(left) = report.partial_rollout.filter(|_| !is_done(report)) else {
        return Ok(());
    };
    let has_versions = |group: &&GroupVersions| !group.versions.is_empty();
    let groups: Vec<&GroupVersions> = left.groups.iter().filter(has_versions).collect();
    if groups.is_empty() || report.tally().not_started_total() == report.tally().total {
        return Ok(());
    }
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    let texts = groups.iter().take(limit).map(|group| {
        let is_new = is_first_create(report, group);
        let versions = group.versions.iter().map(|of| version_text(of, is_new));
        let versions: Vec<String> = versions.collect();
        let not_started = if group.not_started {
            ", not started"
        } else {
            ""
        };
        format!("{}: {}{not_started}", group.group, versions.join(", "))
    });
    let mut text = texts.collect::<Vec<_>>().join("; ");
    let more = groups.len().saturating_sub(limit);
    if more > 0 {
        text = format!("{text}; and {}", phrases::count_noun(more, "more group"));
    }
    page.line(
        &Line::new(0)
            .push(Label::Strong, "now:")
            .plain(format!(" {text}")),
    )
}

/// Whether the group had no Machine before: then no other version runs.
fn is_first_create(report: &RunReport<'_>, versions: &GroupVersions) -> bool {
    let mut groups = report.plan.groups.iter();
    groups.any(|group| group.name == versions.group && group.before == 0)
}

/// `5 on v1`, `1 on the new version (failing)`; of a first create `2 created`.
fn version_text(of: &VersionCount, is_first_create: bool) -> String {
    let version = match (of.version.release, of.version.new) {
        (Some(release), _) => format!("on v{release}"),
        (None, true) if is_first_create => "created".to_owned(),
        (None, true) => "on the new version".to_owned(),
        (None, false) => "on the previous version".to_owned(),
    };
    let doing = match of.health {
        MachineHealth::Serving => "",
        MachineHealth::Failing => " (failing)",
        MachineHealth::Unknown => " (unknown)",
        MachineHealth::Stopped => " (stopped)",
    };
    format!("{} {version}{doing}", phrases::group_digits(of.machines))
}

fn is_done(report: &RunReport<'_>) -> bool {
    let tally = report.tally();
    report.outcome == RunOutcome::Complete || tally.done == tally.total
}

/// The commands that continue or roll back.
fn next_steps(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
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
    let begun = report.partial_rollout.filter(|left| left.has_new());
    // An apply without a look at the plan would revert the changes of others.
    let conflict = report
        .outcomes()
        .any(|(_, outcome)| matches!(outcome, Outcome::Failed { code, .. } if code == "conflict"));
    if conflict {
        let options = &next_command.options;
        let text = format!(
            "`{program} plan{options}` shows the remaining changes, and which changes of others they would revert"
        );
        return page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text));
    }
    let applies = begun.filter(|_| report.plan.mode == PlanMode::Normal && report.verb == "apply");
    let command = &next_command.command;
    let forward = match next_command.continuation {
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
            format!("to roll back, restore the previous files and run `{program} apply{options}`")
        })
}
