//! What somebody else changed since the last apply.

use std::fmt;

use crate::core::plan::DriftKind;
use crate::core::view::line::{Line, Page};
use crate::core::view::outline::{DriftBundle, Outline};
use crate::core::view::style::Label;
use crate::core::view::terminal::diff;
use crate::core::view::words;

/// Ids that are listed per entry.
const IDS: usize = 8;

/// Writes the section, if there is drift.
pub(super) fn drift(outline: &Outline<'_>, page: &mut Page<'_>) -> fmt::Result {
    if outline.drift.is_empty() {
        return Ok(());
    }
    page.line(
        &Line::new(0)
            .push(Label::Warning, "Changed outside")
            .plain(" since the last apply"),
    )?;
    for bundle in &outline.drift {
        entry(bundle, page)?;
    }
    page.blank()
}

fn entry(bundle: &DriftBundle<'_>, page: &mut Page<'_>) -> fmt::Result {
    let n = words::count(bundle.items.len(), "Machine");
    let (symbol, label, what) = match bundle.kind {
        DriftKind::Changed => ("~", Label::Change, "changed, will be put back"),
        DriftKind::Missing => ("-", Label::Destroy, "gone"),
        DriftKind::Added => ("+", Label::Create, "added"),
    };
    let line = Line::new(4)
        .push(label, symbol)
        .plain(" ")
        .push(Label::Strong, bundle.group.as_str())
        .plain(format!("  {n} {what}"));
    page.line(&line)?;
    let limit = if page.style.verbose { usize::MAX } else { IDS };
    let mut ids = Line::new(8);
    let mut region = None;
    for drift in bundle.items.iter().take(limit) {
        if region.is_some() {
            ids.add(Label::Plain, " ");
        }
        if region != Some(&drift.region) {
            if region.is_some() {
                ids.add(Label::Dim, "· ");
            }
            ids.add(Label::Dim, &drift.region);
            ids.add(Label::Plain, " ");
            region = Some(&drift.region);
        }
        let machine = &drift.machine;
        ids.add(
            Label::Plain,
            machine
                .id
                .as_ref()
                .map_or(machine.name.as_str(), |id| id.as_str()),
        );
    }
    let more = bundle.items.len().saturating_sub(limit);
    if more > 0 {
        ids.add(Label::Dim, format!(" + {} more", words::number(more)));
    }
    page.line(&ids)?;
    diff::fields(bundle.group, None, bundle.fields, 10, page)
}
