//! The report of an apply: changes that are done, failed or not started.

use std::collections::BTreeMap;

use super::caution::{Caution, CautionKind, CautionLine};
use super::frame::{self, Footer, Marker};
use super::group_table::{GroupRow, GroupTable};
use super::layout::{Layout, Omitted, OverBudget};
use super::plan::diff_style;
use super::{MarkdownStyle, fold, text};
use crate::core::fleet::GroupName;
use crate::core::plan::{Outcome, RunOutcome, StateOutcome, StepResult};
use crate::core::view::line::LineWriter;
use crate::core::view::phrases::count_noun;
use crate::core::view::rollback_report::RollbackSummary;
use crate::core::view::run_report::{RunReport, Tally, cause_of, machine_label};
use crate::core::view::terminal::report as terminal;

/// The document of a run; `digest` names its plan.
pub fn report(
    report: &RunReport<'_>,
    digest: &str,
    style: &MarkdownStyle,
) -> Result<String, OverBudget> {
    let caution = caution(report);
    let mut layout = Layout::default();
    let marker = Marker::new(report.verb, &report.plan.app, Some(digest));
    let result = terminal::result_line(report).text(style.program);
    let title = text::message(lower_first(result.trim_end_matches('.')).as_str(), 300);
    frame::open(&marker, &title, &mut layout);
    let block = caution.place(&mut layout);
    let rows = table(report).place(&mut layout);
    let log = details(report, style).map(|text| layout.text(text));
    let footer = footer(report, digest, style).place(style, &mut layout);
    if let Some(piece) = log {
        layout.cut(
            piece,
            Omitted::GroupFolds,
            report.plan.groups.len().max(1),
            String::new,
        );
    }
    rows.beyond_the_worst(&mut layout);
    caution.first_cuts(block, &mut layout);
    rows.worst(&mut layout);
    caution.last_cuts(block, &mut layout);
    footer.last_cut(&mut layout);
    layout.fit(style.budget)
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Failures and unconfirmed changes, each cause once, then the findings of the verification.
fn caution(report: &RunReport<'_>) -> Caution {
    let mut block = Caution::default();
    if let Some(rollback) = RollbackSummary::of(report) {
        block.add_line(format!(
            "**Rollback:** {}",
            text::message(&rollback.head(), 300)
        ));
        let left = rollback.left_alone().iter().map(|left| {
            let name = left.machine.id.as_ref().map_or("", |id| id.as_str());
            format!("{name}: {}", left.why)
        });
        block.add(sentences("**Left alone:**", &left.collect::<Vec<_>>()));
    }
    let failed = |outcome: &Outcome| match outcome {
        Outcome::Failed {
            code,
            message,
            hint,
        } => {
            let hint = hint.iter().map(|hint| format!(" (hint: {hint})"));
            Some(format!("{message} ({code}){}", hint.collect::<String>()))
        }
        Outcome::Done | Outcome::Unknown { .. } | Outcome::Skipped { .. } | Outcome::NotStarted => {
            None
        }
    };
    block.add(CautionKind {
        prefix: "",
        lines: by_cause(report, "**Failed:**", failed),
        fold: |causes, changes, all| {
            let changes = count_noun(changes, "change");
            if all {
                format!("**Failed:** {changes}")
            } else {
                format!("and {}: {changes} failed", count_noun(causes, "more cause"))
            }
        },
    });
    let unknown = |outcome: &Outcome| match outcome {
        Outcome::Unknown { message } => Some(format!("{message}; the next run checks it")),
        Outcome::Done | Outcome::Failed { .. } | Outcome::Skipped { .. } | Outcome::NotStarted => {
            None
        }
    };
    block.add(CautionKind {
        prefix: "",
        lines: by_cause(report, "**Unconfirmed:**", unknown),
        fold: |causes, changes, all| {
            let changes = count_noun(changes, "change");
            if all {
                format!("**Unconfirmed:** {changes}")
            } else {
                format!(
                    "and {}: {changes} unconfirmed",
                    count_noun(causes, "more cause")
                )
            }
        },
    });
    let not_started = report.tally().not_started_total();
    if not_started > 0 {
        block.add_line(format!(
            "**Not started:** {}",
            count_noun(not_started, "change")
        ));
    }
    block.add(sentences("**Not verified:**", report.findings));
    block.add(sentences("**Overtaken:**", report.overtaken));
    if let StateOutcome::Unpublished { cause, copy } = report.state {
        let text = format!(
            "the state was not written: {cause}; `{} state push {copy}` publishes it",
            report.program
        );
        block.add(sentences("**Not published:**", &[text]));
    }
    block
}

fn sentences(head: &str, texts: &[String]) -> CautionKind {
    let lines = texts.iter().map(|text| CautionLine {
        head: head.to_owned(),
        message: text.clone(),
        ..CautionLine::default()
    });
    CautionKind {
        prefix: "",
        lines: lines.collect(),
        fold: |n, _, all| {
            if all {
                format!("{} of the check afterwards", count_noun(n, "finding"))
            } else {
                format!("and {}", count_noun(n, "more finding"))
            }
        },
    }
}

/// A line for each cause with its Machines.
fn by_cause(
    report: &RunReport<'_>,
    head: &str,
    cause: impl Fn(&Outcome) -> Option<String>,
) -> Vec<CautionLine> {
    let mut causes: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for (change, result) in report.results() {
        if let Some(cause) = cause(&result.outcome) {
            let first = causes.entry(cause_of(&cause).to_owned());
            let (_, machines) = first.or_insert((cause, Vec::new()));
            machines.push(machine_label(change, result));
        }
    }
    let mut lines: Vec<CautionLine> = causes
        .into_values()
        .map(|(message, ids)| CautionLine {
            head: head.to_owned(),
            message,
            amount: ids.len(),
            ids,
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.amount));
    lines
}

/// Outcomes by group, the worst first.
fn table(report: &RunReport<'_>) -> GroupTable {
    let mut groups: BTreeMap<&GroupName, Vec<&StepResult>> = BTreeMap::new();
    for (change, result) in report.results() {
        groups.entry(&change.group).or_default().push(result);
    }
    let mut rows: Vec<(&GroupName, Tally)> = groups
        .into_iter()
        .map(|(name, results)| (name, Tally::of_results(results.into_iter())))
        .collect();
    rows.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.total - tally.done));
    let unchanged = report.plan.groups.len().saturating_sub(rows.len());
    let rows = rows.into_iter().map(|(name, tally)| GroupRow {
        name: name.to_string(),
        cells: [
            tally.done,
            tally.failed,
            tally.unknown,
            tally.not_started_total(),
        ]
        .map(|n| n.to_string())
        .to_vec(),
    });
    GroupTable {
        headings: &["Done", "Failed", "Unconfirmed", "Not started"],
        rows: rows.collect(),
        unchanged,
    }
}

/// The report of a terminal, if it has more than this document.
fn details(report: &RunReport<'_>, style: &MarkdownStyle) -> Option<String> {
    if report.outcome == RunOutcome::Complete && report.additions.is_empty() {
        return None;
    }
    let style = diff_style(style);
    let mut lines = String::new();
    terminal::report(report, &style, &mut lines).expect("writing to a String cannot fail");
    Some(fold::fold_text("The report", &text::fence("text", &lines)))
}

fn footer(report: &RunReport<'_>, digest: &str, style: &MarkdownStyle) -> Footer {
    let mut sentences = Vec::new();
    let plain = diff_style(style);
    let mut next = String::new();
    let page = &mut LineWriter::new(&plain, &mut next);
    terminal::next_steps(report, page).expect("writing to a String cannot fail");
    sentences.extend(Some(next).filter(|next| !next.trim().is_empty()));
    sentences.push(match report.state {
        StateOutcome::Written { location, serial } => {
            format!("state: `{location}` is at serial {serial} · plan `{digest}`")
        }
        StateOutcome::Unchanged | StateOutcome::Unpublished { .. } => format!("plan `{digest}`"),
    });
    Footer {
        sentences,
        complete: "The log of the job has everything.".to_owned(),
    }
}
