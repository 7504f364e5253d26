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
const AROUND: usize = 1;

/// A line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Only before.
    Gone,
    /// Only afterwards.
    New,
    /// In both.
    Same,
}

impl FileEdit {
    /// The lines that change, in pieces, each with little around it; without their line ends.
    pub(super) fn pieces(&self) -> Vec<Vec<(Side, String)>> {
        let before = self.before.as_deref().unwrap_or_default();
        let diff = TextDiff::from_lines(before, self.after.as_str());
        let piece = |ops: Vec<similar::DiffOp>| {
            let changes = ops.iter().flat_map(|op| diff.iter_changes(op));
            let lines = changes.map(|change| {
                let side = match change.tag() {
                    ChangeTag::Delete => Side::Gone,
                    ChangeTag::Insert => Side::New,
                    ChangeTag::Equal => Side::Same,
                };
                let line = change.value().trim_end_matches(['\n', '\r']);
                let line = line.trim_start_matches('\u{feff}');
                (side, patterns::redact(line).into_owned())
            });
            without_blank_ends(lines.collect())
        };
        diff.grouped_ops(AROUND).into_iter().map(piece).collect()
    }
}

/// Blank lines that do not change say nothing at the ends of a piece.
fn without_blank_ends(mut lines: Vec<(Side, String)>) -> Vec<(Side, String)> {
    let says = |(side, text): &(Side, String)| *side != Side::Same || !text.trim().is_empty();
    let end = lines.iter().rposition(says).map_or(0, |last| last + 1);
    lines.truncate(end);
    let start = lines.iter().position(says).unwrap_or(0);
    lines.split_off(start)
}
