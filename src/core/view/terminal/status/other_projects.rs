//! Machines of the same app that belong to other project folders: listed, not counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::status::OtherProjectMachine;
use crate::core::view::style::Label;

/// Maximum ids per folder.
const MAX_NAMED: usize = 8;

/// Writes an empty line, and one line per folder.
pub(in crate::core::view::terminal) fn other_projects(
    all: &[OtherProjectMachine],
    page: &mut LineWriter<'_>,
) -> fmt::Result {
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
        let more = ids.len().saturating_sub(MAX_NAMED);
        let mut named = ids[..ids.len().min(MAX_NAMED)].join(" ");
        if more > 0 {
            named = format!("{named} + {} more", phrases::group_digits(more));
        }
        let line = Line::new(0)
            .hang(2)
            .plain(phrases::count_noun(ids.len(), "Machine"))
            .plain(format!(" of the same app in `{folder}`: "))
            .plain(named)
            .push(Label::Dim, "; `aeroform import ID` adopts one");
        page.line(&line)?;
    }
    Ok(())
}
