//! The result of an apply in one line.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::GroupName;
use crate::core::plan::{Action, Outcome, PlanMode, Removal, RunOutcome, StateOutcome};
use crate::core::view::line::Line;
use crate::core::view::phrases;
use crate::core::view::rollback_report::RollbackSummary;
use crate::core::view::run_report::{RunReport, Tally, replacement_machine};
use crate::core::view::style::Label;

/// How many Machines were changed in each way, in display order.
fn count_done(report: &RunReport<'_>) -> BTreeMap<(u8, &'static str), usize> {
    let mut done = BTreeMap::new();
    let switched = report.results().filter(|(change, result)| {
        result.outcome == Outcome::Done && matches!(change.action, Action::Switch { .. })
    });
    let switched: BTreeSet<&GroupName> = switched.map(|(change, _)| &change.group).collect();
    for (change, result) in report.results() {
        if result.outcome != Outcome::Done || result.is_reverted() {
            continue;
        }
        let key = match &change.action {
            Action::Update { .. } | Action::Move { .. }
                if replacement_machine(result).is_some() =>
            {
                (3, "replaced")
            }
            // Its blue tells it.
            Action::Create {
                green: Some(_),
                replaces,
                standby_for,
                ..
            } if switched.contains(&change.group)
                && (replaces.is_some() || !standby_for.is_empty()) =>
            {
                continue;
            }
            Action::Create { .. } if result.updated => (1, "updated"),
            Action::Create { .. } => (0, "created"),
            Action::Update { .. } if report.plan.is_restart(change) => (1, "restarted"),
            Action::Update { .. } => (1, "updated"),
            Action::Move { .. } => (2, "moved"),
            Action::Start => (4, "started again"),
            Action::Wait => (5, "waited for"),
            Action::Destroy {
                removal: Removal::Swapped,
                ..
            } => (3, "swapped"),
            Action::Destroy { .. } => (6, "destroyed"),
            Action::Adopt => (7, "adopted"),
            Action::Forget => (8, "forgotten"),
            Action::Once { .. } => (9, "command"),
            Action::Switch { .. } => continue,
            Action::Canary { .. } => (10, "canary passed"),
        };
        *done.entry(key).or_insert(0) += 1;
    }
    done
}

/// `Apply complete: 6 created, 4 updated, 2 destroyed.`
pub(in crate::core::view) fn result_line(report: &RunReport<'_>) -> Line {
    let done = count_done(report);
    let texts: Vec<String> = done
        .iter()
        .map(|((_, word), n)| match *word {
            "command" => format!("{} run", phrases::count_noun(*n, word)),
            word => format!("{} {word}", phrases::group_digits(*n)),
        })
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
    let rollback = RollbackSummary::of(report);
    if let Some(rollback) = rollback.filter(|_| report.outcome == RunOutcome::Failed) {
        let what = if rollback.is_complete() {
            "rolled back"
        } else {
            "incomplete"
        };
        return line
            .push(Label::Error, format!("{verb} {what}:"))
            .plain(format!(" {}.", rollback.counts()));
    }
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
        RunOutcome::Failed | RunOutcome::Stale if tally.is_complete() => line
            .push(Label::Error, format!("{verb} incomplete:"))
            .plain(format!(" {done}; see the errors above.")),
        RunOutcome::Failed | RunOutcome::Stale if texts.is_empty() => line
            .push(Label::Error, format!("{verb} failed:"))
            .plain(format!(" {}.", completed(&tally))),
        RunOutcome::Failed | RunOutcome::Stale => line
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
