//! Folds that are not about this change: drift, pending changes, and dropped ones.

use super::layout::{Layout, PieceId};
use super::plan::{diff_style, title};
use super::{MarkdownStyle, fold};
use crate::core::plan::{DroppedChange, Plan};
use crate::core::view::line::{Detail, Line, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases::{count_noun, infinitive};
use crate::core::view::style::Label;
use crate::core::view::terminal::plan::{drift as terminal, ids, section};

/// Changes outside Aeroform.
pub(super) fn drift(
    plan: &Plan,
    outline: &Outline<'_>,
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> Option<PieceId> {
    if outline.drift.is_empty() {
        return None;
    }
    let style = diff_style(style);
    let mut lines = String::new();
    let page = &mut LineWriter::diff(&style, Detail::ALL, &mut lines);
    for bundle in &outline.drift {
        terminal::drift_entry(bundle, plan.serial == 0, page)
            .expect("writing to a String cannot fail");
    }
    ids::standby_legend(page).expect("writing to a String cannot fail");
    let heading = terminal::heading(plan).text(style.program);
    let summary = format!("{heading} · {}", count_noun(plan.drift.len(), "difference"));
    Some(layout.text(fold::fold(&summary, &lines)))
}

/// The pending changes, with their drift.
pub(super) fn pending(
    plan: &Plan,
    outline: &Outline<'_>,
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> Option<PieceId> {
    if plan.is_empty() && outline.drift.is_empty() {
        return None;
    }
    let style = diff_style(style);
    let mut lines = String::new();
    let page = &mut LineWriter::diff(&style, Detail::ALL, &mut lines);
    for bundle in &outline.drift {
        terminal::drift_entry(bundle, plan.serial == 0, page)
            .expect("writing to a String cannot fail");
    }
    for section in &outline.sections {
        let head = Line::new(6).plain(format!("{}:", section.name));
        page.line(&head)
            .and_then(|()| section::entries(section, false, page))
            .expect("writing to a String cannot fail");
    }
    ids::standby_legend(page).expect("writing to a String cannot fail");
    for record in &plan.records {
        page.line(&Line::new(6).plain(&record.message))
            .expect("writing to a String cannot fail");
    }
    let summary = format!("Pending before this change · {}", title(plan));
    Some(layout.text(fold::fold(&summary, &lines)))
}

/// The steps that only the base's plan has.
pub(super) fn dropped(
    changes: &[DroppedChange],
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> Option<PieceId> {
    if changes.is_empty() {
        return None;
    }
    let style = diff_style(style);
    let mut lines = String::new();
    let page = &mut LineWriter::diff(&style, Detail::ALL, &mut lines);
    for change in changes {
        let machine = &change.machine;
        let id = machine
            .id
            .as_ref()
            .map_or(machine.name.as_str(), |id| id.as_str());
        let line = Line::new(4)
            .push(
                Label::Change,
                format!("~ no longer {}: ", infinitive(change.action)),
            )
            .plain(format!("{} {} {id}", change.group, change.region));
        page.line(&line).expect("writing to a String cannot fail");
    }
    let summary = format!(
        "Dropped by this change · {}",
        count_noun(changes.len(), "change")
    );
    Some(layout.text(fold::fold(&summary, &lines)))
}
