//! Edits of files as the lines that change, for every kind of view.

use similar::{ChangeTag, TextDiff};

use crate::core::fleet::secret::patterns;

/// One file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Its path as people are shown it.
    pub path: String,
    /// What it says; none where it is new.
    pub before: Option<String>,
    /// What it is to say.
    pub after: String,
}

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 1;

/// A line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Only before.
    Removed,
    /// Only afterwards.
    Added,
    /// In both.
    Unchanged,
}

impl FileEdit {
    /// The lines that change, in pieces, each with little around it; without their line ends.
    pub(super) fn hunks(&self) -> Vec<Vec<(LineKind, String)>> {
        let before = self.before.as_deref().unwrap_or_default();
        let diff = TextDiff::from_lines(before, self.after.as_str());
        let piece = |ops: Vec<similar::DiffOp>| {
            let changes = ops.iter().flat_map(|op| diff.iter_changes(op));
            let lines = changes.map(|change| {
                let side = match change.tag() {
                    ChangeTag::Delete => LineKind::Removed,
                    ChangeTag::Insert => LineKind::Added,
                    ChangeTag::Equal => LineKind::Unchanged,
                };
                let line = change.value().trim_end_matches(['\n', '\r']);
                let line = line.trim_start_matches('\u{feff}');
                (side, patterns::redact(line).into_owned())
            });
            trim_unchanged_blank_lines(lines.collect())
        };
        diff.grouped_ops(CONTEXT_LINES)
            .into_iter()
            .map(piece)
            .collect()
    }
}

/// Blank lines that do not change say nothing at the ends of a piece.
fn trim_unchanged_blank_lines(mut lines: Vec<(LineKind, String)>) -> Vec<(LineKind, String)> {
    let says =
        |(side, text): &(LineKind, String)| *side != LineKind::Unchanged || !text.trim().is_empty();
    let end = lines.iter().rposition(says).map_or(0, |last| last + 1);
    lines.truncate(end);
    let start = lines.iter().position(says).unwrap_or(0);
    lines.split_off(start)
}
