//! The report of drift.

use std::collections::BTreeMap;

use super::caution::{Caution, CautionKind};
use super::frame::{self, Footer, Marker};
use super::group_table::{GroupRow, GroupTable};
use super::layout::{Layout, Omitted, OverBudget, PieceId};
use super::plan::diff_style;
use super::{MarkdownStyle, fold, plan_caution, text};
use crate::core::fleet::GroupName;
use crate::core::plan::{DriftKind, Plan};
use crate::core::view::drift_bundle::DriftBundle;
use crate::core::view::line::{Detail, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases::{count_noun, join_counts};
use crate::core::view::terminal::plan::{drift as terminal, full_plan, ids};

/// The document of the drift that this plan found.
pub fn drift(plan: &Plan, style: &MarkdownStyle) -> Result<String, OverBudget> {
    let outline = Outline::of(plan);
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
    let mut layout = Layout::default();
    frame::open(
        &Marker::new("drift", &plan.app, None),
        &title(plan),
        &mut layout,
    );
    let block = caution.place(&mut layout);
    let rows = table(plan).place(&mut layout);
    let folds = folds(plan, &outline, style, &mut layout);
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
    let counts = counts(&plan.drift.iter().map(|drift| drift.kind));
    if counts.is_empty() {
        return "no drift".to_owned();
    }
    format!("drift: {}", join_counts(&counts))
}

fn table(plan: &Plan) -> GroupTable {
    let mut groups: BTreeMap<&GroupName, Vec<DriftKind>> = BTreeMap::new();
    for drift in &plan.drift {
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
fn folds(
    plan: &Plan,
    outline: &Outline<'_>,
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> Vec<PieceId> {
    let mut groups: BTreeMap<&GroupName, Vec<&DriftBundle<'_>>> = BTreeMap::new();
    for bundle in &outline.drift {
        groups.entry(bundle.group).or_default().push(bundle);
    }
    let style = diff_style(style);
    let fold = |(name, bundles): (&GroupName, Vec<&DriftBundle<'_>>)| {
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
