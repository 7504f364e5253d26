//! The end of an apply: what is so, what is not, what nobody knows, and what to do next.

use std::collections::BTreeMap;
use std::fmt;

use super::progress::subject;
use crate::core::plan::{Action, Aim, Change, Outcome};
use crate::core::view::line::{Line, Page};
use crate::core::view::run::{RunEnd, RunReport, StateEnd, successor};
use crate::core::view::style::{Label, Style};
use crate::core::view::words;

/// Steps of one kind of failure that are listed.
const LISTED: usize = 8;

/// Writes the report.
pub fn report(report: &RunReport<'_>, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut Page::new(style, out);
    replaced(report, page)?;
    failures(report, page)?;
    unknowns(report, page)?;
    not_begun(report, page)?;
    for finding in report.findings {
        page.line(
            &Line::new(0)
                .push(Label::Error, "not verified:")
                .plain(" ")
                .plain(finding),
        )?;
    }
    state(report, page)?;
    page.line(&verdict(report))?;
    next(report, page)
}

/// Who took whose place because a host had no room.
fn replaced(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    let replaced: Vec<_> = report.replaced().collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let line = Line::new(0)
        .push(Label::Change, "replaced:")
        .plain(" their hosts had no room, so new Machines took their places");
    page.line(&line)?;
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        LISTED
    };
    for (change, new) in replaced.iter().take(limit) {
        let line = subject(change).indented(4).plain(" → ").plain(&new.id);
        page.line(&line)?;
    }
    more(replaced.len().saturating_sub(limit), page)
}

fn more(more: usize, page: &mut Page<'_>) -> fmt::Result {
    if more == 0 {
        return Ok(());
    }
    let text = format!("+ {} more", words::number(more));
    page.line(&Line::new(4).push(Label::Dim, text))
}

/// Failures of one cause together: 400 Machines that fail alike are one failure to a person.
fn failures(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    let mut causes: BTreeMap<(&str, &str, Option<&str>), Vec<&Change>> = BTreeMap::new();
    for (change, outcome) in report.ended() {
        if let Outcome::Failed {
            code,
            message,
            hint,
        } = outcome
        {
            causes
                .entry((code, message, hint.as_deref()))
                .or_default()
                .push(change);
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

fn unknowns(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    let mut causes: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for (change, outcome) in report.ended() {
        if let Outcome::Unknown { message } = outcome {
            causes.entry(message).or_default().push(change);
        }
    }
    for (message, changes) in causes {
        let line = Line::new(0)
            .push(Label::Warning, "unknown:")
            .plain(format!(" {message}; the next run finds out"));
        page.line(&line)?;
        subjects(&changes, page)?;
    }
    Ok(())
}

fn subjects(changes: &[&Change], page: &mut Page<'_>) -> fmt::Result {
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        LISTED
    };
    for change in changes.iter().take(limit) {
        page.line(&subject(change).indented(4))?;
    }
    more(changes.len().saturating_sub(limit), page)
}

/// What was not begun, counted by group.
fn not_begun(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for (change, outcome) in report.ended() {
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
        .map(|(group, n)| format!("{group} {}", words::number(*n)))
        .collect();
    let line = Line::new(0)
        .push(Label::Warning, "not started:")
        .plain(format!(" {}", words::count(total, "change")))
        .push(Label::Dim, format!(" ({})", texts.join(", ")));
    page.line(&line)
}

fn state(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    match report.state {
        StateEnd::Unchanged => Ok(()),
        StateEnd::Written { place, serial } => page.line(
            &Line::new(0)
                .push(Label::Dim, "state: ")
                .push(Label::Hint, place)
                .push(Label::Dim, format!(" is at serial {serial}")),
        ),
        StateEnd::Unpublished { cause, copy } => {
            let line = Line::new(0)
                .push(Label::Error, "not published:")
                .plain(format!(" the state was not written: {cause}"));
            page.line(&line)?;
            let hint = format!(
                "nothing is lost; publish it with `{} state push {copy}`",
                report.program
            );
            page.line(&Line::new(2).push(Label::Hint, "hint: ").plain(hint))
        }
    }
}

/// `Apply complete: 6 created, 4 updated, 2 destroyed.`
fn verdict(report: &RunReport<'_>) -> Line {
    let mut done: BTreeMap<u8, (&str, usize)> = BTreeMap::new();
    for (change, result) in report.results() {
        if result.outcome != Outcome::Done {
            continue;
        }
        let (rank, word) = match &change.action {
            Action::Update { .. } | Action::Move { .. } if successor(result).is_some() => {
                (3, "replaced")
            }
            Action::Create { .. } => (0, "created"),
            Action::Update { .. } => (1, "updated"),
            Action::Move { .. } => (2, "moved"),
            Action::Destroy { .. } => (4, "destroyed"),
            Action::Adopt => (5, "adopted"),
            Action::Forget => (6, "forgotten"),
        };
        done.entry(rank).or_insert((word, 0)).1 += 1;
    }
    let texts: Vec<String> = done
        .values()
        .map(|(word, n)| format!("{} {word}", words::number(*n)))
        .collect();
    let tally = report.tally();
    let rest = tally.total - tally.done;
    // What failed or is unknown may have changed a Machine all the same.
    let is_untouched = tally.failed + tally.unknown == 0;
    let done = match (texts.is_empty(), report.state) {
        (false, _) => texts.join(", "),
        (true, StateEnd::Written { .. }) if tally.total == 0 => {
            "only the state was changed".to_owned()
        }
        (true, _) if is_untouched => "nothing was changed".to_owned(),
        (true, _) => "nothing came to its end".to_owned(),
    };
    let verb = match report.plan.aim {
        Aim::Manifests => "Apply",
        Aim::Nothing => "Destroy",
        Aim::State if report.verb == "import" => "Import",
        Aim::State => "Refresh",
    };
    let line = Line::new(0);
    let left_out = report.verb != "import" && report.plan.not_taken_in().next().is_some();
    match report.end() {
        RunEnd::Complete if left_out => line
            .push(Label::Warning, format!("{verb} incomplete:"))
            .plain(format!(
                " {done}; fly.toml has to say the rest, see the note above."
            )),
        RunEnd::Complete => line
            .push(Label::Good, format!("{verb} complete:"))
            .plain(format!(" {done}.")),
        RunEnd::Failed if rest == 0 => line
            .push(Label::Error, format!("{verb} incomplete:"))
            .plain(format!(" {done}, but see above.")),
        RunEnd::Failed => line
            .push(Label::Error, format!("{verb} incomplete:"))
            .plain(format!(
                " {done}; {} of {} not done.",
                words::number(rest),
                words::count(tally.total, "change")
            )),
        RunEnd::Interrupted => line.push(Label::Warning, "Interrupted:").plain(format!(
            " {done}; {} of {} not done.",
            words::number(rest),
            words::count(tally.total, "change")
        )),
    }
}

fn next(report: &RunReport<'_>, page: &mut Page<'_>) -> fmt::Result {
    let tally = report.tally();
    if report.end() == RunEnd::Complete || tally.done == tally.total {
        return Ok(());
    }
    // Whoever else has changed a Machine would be undone by an apply that nobody looks at first.
    let conflict = report
        .ended()
        .any(|(_, outcome)| matches!(outcome, Outcome::Failed { code, .. } if code == "conflict"));
    let text = if conflict {
        format!(
            "`{} plan` shows what is left to do, and what it would undo of what others have changed",
            report.program
        )
    } else {
        format!(
            "run `{} {}` again: it does what is left",
            report.program, report.verb
        )
    };
    page.line(&Line::new(0).push(Label::Hint, "hint: ").plain(text))
}
