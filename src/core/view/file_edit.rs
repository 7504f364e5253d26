//! File edits as changed lines, for all views.

use similar::{ChangeTag, TextDiff};

use crate::core::fleet::secret::patterns;

/// One file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Its path for display.
    pub path: String,
    /// Its content before; none for a new file.
    pub before: Option<String>,
    /// Its content after.
    pub after: String,
}

/// Context lines around a change.
const CONTEXT_LINES: usize = 1;

/// A line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Removed.
    Removed,
    /// Added.
    Added,
    /// Unchanged.
    Unchanged,
}

impl FileEdit {
    /// The changed lines with context, in hunks, without line ends.
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

/// Removes unchanged blank lines from both ends of a hunk.
fn trim_unchanged_blank_lines(mut lines: Vec<(LineKind, String)>) -> Vec<(LineKind, String)> {
    let says =
        |(side, text): &(LineKind, String)| *side != LineKind::Unchanged || !text.trim().is_empty();
    let end = lines.iter().rposition(says).map_or(0, |last| last + 1);
    lines.truncate(end);
    let start = lines.iter().position(says).unwrap_or(0);
    lines.split_off(start)
}
