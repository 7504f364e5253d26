//! Which Machines, by region, as many as a person reads.

use std::fmt;

use crate::core::fleet::MachineId;
use crate::core::view::line::{Line, Page};
use crate::core::view::outline::Bundle;
use crate::core::view::style::Label;
use crate::core::view::words;

/// Ids that are listed per region and change.
const IDS: usize = 8;

/// Writes `gru 148ed… 6e82… · bog 3d8d…`; nothing where no Machine has an id yet.
pub(super) fn ids(bundle: &Bundle<'_>, indent: usize, page: &mut Page<'_>) -> fmt::Result {
    let mut line = Line::new(indent);
    let limit = if page.style.verbose { usize::MAX } else { IDS };
    let mut first = true;
    for (region, items) in bundle.by_region() {
        let ids: Vec<&str> = items
            .iter()
            .filter_map(|item| item.id())
            .map(MachineId::as_str)
            .collect();
        if ids.is_empty() {
            continue;
        }
        if !first {
            line.add(Label::Dim, " · ");
        }
        first = false;
        line.add(Label::Dim, region);
        for id in ids.iter().take(limit) {
            line.add(Label::Plain, " ");
            line.add(Label::Plain, id);
        }
        let more = ids.len().saturating_sub(limit);
        if more > 0 {
            line.add(Label::Dim, format!(" + {} more", words::number(more)));
        }
    }
    if first { Ok(()) } else { page.line(&line) }
}
