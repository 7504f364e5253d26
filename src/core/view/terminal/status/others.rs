//! Machines of the same app that belong to other project folders: named, and in no count.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::view::line::{Line, Page};
use crate::core::view::status::Other;
use crate::core::view::style::Label;
use crate::core::view::words;

/// Ids that are named of one folder.
const NAMED: usize = 8;

/// A line for each folder, after a blank one; nothing where there is none.
pub(in crate::core::view::terminal) fn others(all: &[Other], page: &mut Page<'_>) -> fmt::Result {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for other in all {
        let ids = folders.entry(&other.project).or_default();
        ids.push(other.id.as_str());
    }
    if folders.is_empty() {
        return Ok(());
    }
    page.blank()?;
    for (folder, ids) in folders {
        let more = ids.len().saturating_sub(NAMED);
        let mut named = ids[..ids.len().min(NAMED)].join(" ");
        if more > 0 {
            named = format!("{named} + {} more", words::number(more));
        }
        let line = Line::new(0)
            .hang(2)
            .plain(words::count(ids.len(), "Machine"))
            .plain(format!(" of the same app in `{folder}`: "))
            .plain(named)
            .push(Label::Dim, "; `aeroform import ID` takes one over");
        page.line(&line)?;
    }
    Ok(())
}
