//! The table of groups, and its rows in order of weight.

use std::fmt::Write as _;

use super::layout::{Layout, Omitted, PieceId};
use super::text;
use crate::core::view::phrases::count_noun;

/// Rows that are dropped only when everything else is.
const WORST_ROWS: usize = 20;

/// A table with a row for each group.
pub(super) struct GroupTable {
    /// The headings after `Group`.
    pub(super) headings: &'static [&'static str],
    /// The rows, worst first.
    pub(super) rows: Vec<GroupRow>,
    /// Groups without a row.
    pub(super) unchanged: usize,
}

/// One row.
pub(super) struct GroupRow {
    /// The group's name; foreign.
    pub(super) name: String,
    /// The cells after it: Markdown.
    pub(super) cells: Vec<String>,
}

/// The cuts of a table, in two parts.
pub(super) struct RowCuts {
    beyond: Vec<PieceId>,
    worst: Vec<PieceId>,
}

impl GroupTable {
    /// Places the table; nothing for one without rows.
    pub(super) fn place(self, layout: &mut Layout<'_>) -> RowCuts {
        let mut cuts = RowCuts {
            beyond: Vec::new(),
            worst: Vec::new(),
        };
        if self.rows.is_empty() && self.unchanged == 0 {
            return cuts;
        }
        let columns = self.headings.len() + 1;
        layout.text(format!(
            "| Group | {} |\n|{}\n",
            self.headings.join(" | "),
            " --- |".repeat(columns)
        ));
        for (at, row) in self.rows.iter().enumerate() {
            let piece = layout.text(format!(
                "| {} | {} |\n",
                text::cell(&row.name),
                row.cells.join(" | ")
            ));
            if at < WORST_ROWS {
                cuts.worst.push(piece);
            } else {
                cuts.beyond.push(piece);
            }
        }
        let unchanged = self.unchanged;
        layout.counting(move |omissions| {
            let mut rest = String::new();
            let mut row = |n: usize, noun: &str, what: &str| {
                if n > 0 {
                    let cells = " |".repeat(columns - 1);
                    let _ = writeln!(rest, "| {} {what} |{cells}", count_noun(n, noun));
                }
            };
            row(omissions.count(Omitted::Rows), "more group", "with changes");
            row(unchanged, "group", "without changes");
            rest.push('\n');
            rest
        });
        cuts
    }
}

impl RowCuts {
    /// Adds the cuts of all rows but the worst, from the last one on.
    pub(super) fn beyond_the_worst(&self, layout: &mut Layout<'_>) {
        drop_rows(&self.beyond, layout);
    }

    /// Adds the cuts of the worst rows.
    pub(super) fn worst(&self, layout: &mut Layout<'_>) {
        drop_rows(&self.worst, layout);
    }
}

fn drop_rows(rows: &[PieceId], layout: &mut Layout<'_>) {
    for row in rows.iter().rev() {
        layout.cut(*row, Omitted::Rows, 1, String::new);
    }
}
