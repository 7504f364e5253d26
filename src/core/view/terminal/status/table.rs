//! The columns of the status: which there are, how wide, and which go first on a narrow terminal.

use std::fmt;

use crate::core::view::line::{Line, Page, columns, cut};
use crate::core::view::style::Label;

/// The widest that a column gets, but the last.
const COLUMN: usize = 30;

/// A row's cells with their labels, in the order of [`HEADS`].
pub(super) type Cells = [(Label, String); 6];

/// The columns; the lower the rank, the longer a column stays on a narrow terminal.
const HEADS: [(&str, u8); 6] = [
    ("MACHINE", 0),
    ("REGION", 3),
    ("STATE", 1),
    ("CHECKS", 4),
    ("ADDRESS", 2),
    ("PID", 5),
];

/// Places in [`HEADS`].
pub(super) const CHECKS: usize = 3;
pub(super) const ADDRESS: usize = 4;

/// Widths of the columns that fit.
pub(super) struct Table {
    /// Width of each column; zero leaves it out.
    widths: [usize; 6],
}

impl Table {
    /// As wide as the rows need and the terminal allows.
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a Cells>, width: usize) -> Self {
        let mut widths = [0; 6];
        for cells in rows {
            for (width, (_, text)) in widths.iter_mut().zip(cells) {
                *width = (*width).max(columns(text));
            }
        }
        for (width, (head, _)) in widths.iter_mut().zip(HEADS) {
            // A column without a single value is left out.
            if *width > 0 {
                *width = (*width).max(head.len());
            }
        }
        // The id and the address are there to be copied: never cut, left out last.
        for (width, (head, _)) in widths.iter_mut().zip(HEADS) {
            if !matches!(head, "MACHINE" | "ADDRESS") {
                *width = (*width).min(COLUMN);
            }
        }
        let mut table = Self { widths };
        for rank in (2..=5).rev() {
            if table.width() <= width {
                break;
            }
            for (column, (_, of)) in table.widths.iter_mut().zip(HEADS) {
                if of == rank {
                    *column = 0;
                }
            }
        }
        table
    }

    /// Whether a column was left out.
    pub(super) fn lacks(&self, column: usize) -> bool {
        self.widths[column] == 0
    }

    fn width(&self) -> usize {
        self.widths.iter().filter(|w| **w > 0).map(|w| w + 2).sum()
    }

    /// Writes the names of the columns.
    pub(super) fn heads(&self, page: &mut Page<'_>) -> fmt::Result {
        let cells = HEADS.map(|(head, _)| (Label::Dim, head.to_owned()));
        self.row(&cells, page)
    }

    /// Writes one Machine.
    pub(super) fn row(&self, cells: &Cells, page: &mut Page<'_>) -> fmt::Result {
        let mut line = Line::new(2).hang(4);
        let mut column = 2;
        for ((label, text), width) in cells.iter().zip(self.widths) {
            if width == 0 {
                continue;
            }
            line = line.to_column(column).push(*label, cut(text, width));
            column += width + 2;
        }
        page.line(&line)
    }
}
