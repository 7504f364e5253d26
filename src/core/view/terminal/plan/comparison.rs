//! A plan compared with that of its base: this change in full, what was pending before it and what it drops in one
//! line each.

use std::collections::BTreeMap;
use std::fmt;

use super::{behind, closing, drift, full_plan, group_table, remarks};
use crate::core::plan::{BaseComparison, Comparison, DriftKind, DroppedChange, Plan};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases;
use crate::core::view::style::{Label, Style};

/// Writes this change, and one line each for what is pending and dropped.
pub fn compared_plan(
    plan: &Plan,
    comparison: &Comparison,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    full_plan::hold_line(plan.hold.as_ref(), page)?;
    page.line(&full_plan::header(plan))?;
    page.blank()?;
    remarks::render_notes("warning", Label::Warning, &comparison.remarks, page)?;
    match &comparison.base {
        BaseComparison::Compared => behind::first_lines(plan, page)?,
        BaseComparison::NewInThisChange { why } => {
            let line = Line::new(0).push(Label::Strong, "New in this change:");
            page.line(&line.plain(format!(" {why}")))?;
            page.blank()?;
            return full_plan::body(plan, page);
        }
        BaseComparison::NotCompared { .. } => return full_plan::body(plan, page),
    }
    full_plan::part_and_order(plan, page)?;
    let own = comparison.this_change(plan);
    let outline = Outline::of(&own);
    group_table::table(&own, &outline, page)?;
    drift::drift(&own, &outline, page)?;
    full_plan::sections(&outline, page)?;
    remarks::remarks(&own, page)?;
    let refused: Vec<_> = comparison.pending_refusals(plan).cloned().collect();
    let refused = behind::without_first(&refused);
    remarks::render_notes(
        "refused before this change, too",
        Label::Error,
        &refused,
        page,
    )?;
    let pending = comparison.pending_changes(plan);
    pending_lines(&pending, page)?;
    dropped_line(&comparison.dropped, page)?;
    closing::closing_of_change(&own, &outline, page)?;
    if own.refusals.is_empty() && !plan.refusals.is_empty() {
        let text = "Refused, before this change as well: see above.";
        page.line(&Line::new(0).push(Label::Error, text))?;
    }
    Ok(())
}

/// The pending changes on one line, with those that cannot be undone; `-v` shows all.
fn pending_lines(pending: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    let what = pending_text(pending);
    if what.is_empty() {
        return Ok(());
    }
    let mut line = Line::new(0)
        .push(Label::Strong, "Pending before this change:")
        .plain(format!(" {}.", what.join(", ")));
    let irreversible = closing::irreversible(pending, &Outline::of(pending));
    for text in irreversible {
        line.add(Label::Plain, " ");
        line.add(Label::Destroy, text);
    }
    if !page.style.verbose {
        line.add(Label::Dim, " (-v shows it)");
        page.line(&line)?;
        return page.blank();
    }
    page.line(&line)?;
    page.blank()?;
    let outline = Outline::of(pending);
    drift::drift(pending, &outline, page)?;
    full_plan::sections(&outline, page)?;
    remarks::records_and_warnings(pending, page)
}

/// The pending changes, as counts.
fn pending_text(pending: &Plan) -> Vec<String> {
    let counts = closing::counts(pending).into_iter();
    let mut what: Vec<String> = counts
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, ..)| format!("{} {what}", phrases::group_digits(n)))
        .collect();
    let remaining = pending
        .drift
        .iter()
        .filter(|drift| drift.kind == DriftKind::Changed);
    match remaining.count() {
        0 => {}
        n => what.push(format!(
            "{} changed outside",
            phrases::count_noun(n, "Machine")
        )),
    }
    match pending.records.len() {
        0 => {}
        n => what.push(phrases::count_noun(n, "change of the state only")),
    }
    match pending.warnings.len() {
        0 => {}
        n => what.push(phrases::count_noun(n, "warning")),
    }
    what
}

/// The steps that only the base's plan has.
fn dropped_line(dropped: &[DroppedChange], page: &mut LineWriter<'_>) -> fmt::Result {
    if dropped.is_empty() {
        return Ok(());
    }
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for change in dropped {
        let groups = counts
            .entry(phrases::infinitive(change.action))
            .or_default();
        *groups.entry(change.group.as_str()).or_default() += 1;
    }
    let texts = counts.into_iter().map(|(verb, groups)| {
        let n: usize = groups.values().sum();
        let names: Vec<&str> = groups.into_keys().take(MAX_GROUPS).collect();
        format!(
            "{} {verb} in {}",
            phrases::group_digits(n),
            names.join(", ")
        )
    });
    let texts: Vec<String> = texts.collect();
    let line = Line::new(0)
        .push(Label::Strong, "Dropped by this change:")
        .plain(format!(" {}.", texts.join("; ")));
    page.line(&line)?;
    page.blank()
}

/// Maximum groups named per kind of dropped changes.
const MAX_GROUPS: usize = 10;
