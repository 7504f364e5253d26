//! The report of drift.

use std::collections::BTreeMap;

use super::caution::{Caution, CautionKind, CautionLine};
use super::frame::{self, Footer, Marker};
use super::group_table::{GroupRow, GroupTable};
use super::layout::{Layout, Omitted, OverBudget, PieceId};
use super::plan::diff_style;
use super::{MarkdownStyle, fold, plan_caution, text};
use crate::core::fleet::GroupName;
use crate::core::plan::{DriftKind, Plan, RunDrift};
use crate::core::view::drift_bundle::{DriftBundle, drift_bundles};
use crate::core::view::line::{Detail, LineWriter};
use crate::core::view::phrases::{count_noun, join_counts};
use crate::core::view::terminal::plan::{drift as terminal, full_plan, ids};

/// The document of the drift that this plan found.
pub fn drift(plan: &Plan, style: &MarkdownStyle) -> Result<String, OverBudget> {
    let runs = plan.unrecorded_runs();
    let mut caution = Caution::default();
    let unseen = plan.unverifiable_machines();
    caution.add(CautionKind {
        prefix: "",
        lines: unseen
            .map(|note| plan_caution::note_line("**Unknown:**", note, style.program))
            .collect(),
        fold: |n, _, all| {
            if all {
                format!("**Unknown** for {}", count_noun(n, "reason"))
            } else {
                format!("and {}", count_noun(n, "more reason"))
            }
        },
    });
    caution.add(unlisted_runs(&runs, style));
    if plan.may_be_destroyed_by_run() {
        caution.add_line(format!("**Gone:** {}", terminal::GONE_BY_RUN));
    }
    let mut layout = Layout::default();
    frame::open(
        &Marker::new("drift", &plan.app, None),
        &title(plan),
        &mut layout,
    );
    let block = caution.place(&mut layout);
    let rows = table(plan).place(&mut layout);
    let mut folds = folds(plan, style, &mut layout);
    folds.extend(
        runs.iter()
            .map(|run| run_fold(plan, run, style, &mut layout)),
    );
    let footer = Footer {
        sentences: vec![full_plan::header(plan).text("aeroform")],
        complete: "`aeroform drift -v` prints everything.".to_owned(),
    };
    let footer = footer.place(style, &mut layout);
    for piece in folds.iter().rev() {
        layout.cut(*piece, Omitted::GroupFolds, 1, String::new);
    }
    rows.beyond_the_worst(&mut layout);
    caution.first_cuts(block, &mut layout);
    rows.worst(&mut layout);
    caution.last_cuts(block, &mut layout);
    footer.last_cut(&mut layout);
    layout.fit(style.budget)
}

/// `2 changed, 1 gone, 3 added`.
fn counts(kinds: &(impl Iterator<Item = DriftKind> + Clone)) -> Vec<(&'static str, usize)> {
    let words = [
        (DriftKind::Changed, "changed"),
        (DriftKind::Missing, "gone"),
        (DriftKind::Added, "added"),
    ];
    let counts = words.map(|(kind, word)| (word, kinds.clone().filter(|one| *one == kind).count()));
    counts.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// `drift: 2 changed, 1 gone`.
pub fn title(plan: &Plan) -> String {
    let counts = counts(&plan.outside_drift().map(|drift| drift.kind));
    let drift = if counts.is_empty() {
        "no drift".to_owned()
    } else {
        format!("drift: {}", join_counts(&counts))
    };
    match plan.unrecorded_runs().len() {
        0 => drift,
        runs => format!("{drift} · {} not in the state", count_noun(runs, "run")),
    }
}

fn table(plan: &Plan) -> GroupTable {
    let mut groups: BTreeMap<&GroupName, Vec<DriftKind>> = BTreeMap::new();
    for drift in plan.outside_drift() {
        groups.entry(&drift.group).or_default().push(drift.kind);
    }
    let mut rows: Vec<(&GroupName, Vec<DriftKind>)> = groups.into_iter().collect();
    rows.sort_by_key(|(_, kinds)| std::cmp::Reverse(kinds.len()));
    let rows = rows.into_iter().map(|(name, kinds)| GroupRow {
        name: name.to_string(),
        cells: vec![join_counts(&counts(&kinds.iter().copied()))],
    });
    GroupTable {
        headings: &["Machines"],
        rows: rows.collect(),
        unchanged: 0,
    }
}

/// A fold for each group.
fn folds(plan: &Plan, style: &MarkdownStyle, layout: &mut Layout<'_>) -> Vec<PieceId> {
    let mut groups: BTreeMap<&GroupName, Vec<DriftBundle<'_>>> = BTreeMap::new();
    for bundle in drift_bundles(plan, plan.outside_drift()) {
        groups.entry(bundle.group).or_default().push(bundle);
    }
    let style = diff_style(style);
    let fold = |(name, bundles): (&GroupName, Vec<DriftBundle<'_>>)| {
        let mut lines = String::new();
        let page = &mut LineWriter::diff(&style, Detail::ALL, &mut lines);
        for bundle in &bundles {
            terminal::drift_entry(bundle, plan.serial == 0, page)
                .expect("writing to a String cannot fail");
        }
        ids::standby_legend(page).expect("writing to a String cannot fail");
        let machines = bundles.iter().map(|bundle| bundle.machines.len()).sum();
        let summary = format!(
            "{} · {}",
            text::html(name.as_str()),
            count_noun(machines, "Machine")
        );
        layout.text(fold::fold(&summary, &lines))
    };
    groups.into_iter().map(fold).collect()
}

/// A line for each run that the state does not list.
fn unlisted_runs(runs: &[RunDrift<'_>], style: &MarkdownStyle) -> CautionKind {
    let line = |run: &RunDrift<'_>| {
        let message = format!("{} (hint: {})", run.describe(), run.hint());
        CautionLine {
            head: "**Not in the state:**".to_owned(),
            message: frame::with_program(&message, style.program),
            amount: run.machines.len(),
            ..CautionLine::default()
        }
    };
    CautionKind {
        prefix: "",
        lines: runs.iter().map(line).collect(),
        fold: |n, machines, all| {
            let machines = count_noun(machines, "Machine");
            if all {
                format!(
                    "**Not in the state:** {} that changed {machines}",
                    count_noun(n, "run")
                )
            } else {
                format!("and {} that changed {machines}", count_noun(n, "more run"))
            }
        },
    }
}

/// What a run changed.
fn run_fold(
    plan: &Plan,
    run: &RunDrift<'_>,
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> PieceId {
    let style = diff_style(style);
    let mut lines = String::new();
    let page = &mut LineWriter::diff(&style, Detail::ALL, &mut lines);
    terminal::run_entries(plan, run, page)
        .and_then(|()| ids::standby_legend(page))
        .expect("writing to a String cannot fail");
    let summary = format!(
        "{} · a run that is not in the state · {}",
        text::html(run.run.as_str()),
        count_noun(run.machines.len(), "Machine")
    );
    layout.text(fold::fold(&summary, &lines))
}
