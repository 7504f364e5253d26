//! The columns of a table: how wide, and which go first on a narrow terminal.

use std::fmt;

use crate::core::view::line::{Line, Page, columns, cut};
use crate::core::view::style::Label;

/// The widest that a column gets whose values may be cut.
const COLUMN: usize = 30;

/// A row's cells with their labels, in the order of the heads.
pub(super) type Cells<const N: usize> = [(Label, String); N];

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) name: &'static str,
    /// The lower, the longer the column stays on a narrow terminal; those below 2 always do.
    pub(super) rank: u8,
    /// Its values are there to be copied: never cut.
    pub(super) whole: bool,
}

/// A column whose values may be cut.
pub(super) const fn head(name: &'static str, rank: u8) -> Head {
    Head {
        name,
        rank,
        whole: false,
    }
}

/// A column whose values are there to be copied.
pub(super) const fn whole(name: &'static str, rank: u8) -> Head {
    Head {
        name,
        rank,
        whole: true,
    }
}

/// Widths of the columns that fit.
pub(super) struct Table<const N: usize> {
    heads: [Head; N],
    /// Width of each column; zero leaves it out.
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// As wide as the rows need and the terminal allows.
    pub(super) fn of<'a>(
        heads: [Head; N],
        rows: impl Iterator<Item = &'a Cells<N>>,
        width: usize,
    ) -> Self {
        let mut widths = [0; N];
        for cells in rows {
            for (width, (_, text)) in widths.iter_mut().zip(cells) {
                *width = (*width).max(columns(text));
            }
        }
        for (width, head) in widths.iter_mut().zip(heads) {
            // A column without a single value is left out.
            if *width > 0 {
                *width = (*width).max(head.name.len());
            }
            if !head.whole {
                *width = (*width).min(COLUMN);
            }
        }
        let mut table = Self { heads, widths };
        let most = heads.iter().map(|head| head.rank).max().unwrap_or(0);
        for rank in (2..=most).rev() {
            if table.width() <= width {
                break;
            }
            for (column, head) in table.widths.iter_mut().zip(heads) {
                if head.rank == rank {
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

    /// Whether the columns that stay have room.
    pub(super) fn fits(&self, width: usize) -> bool {
        self.width() <= width
    }

    fn width(&self) -> usize {
        self.widths.iter().filter(|w| **w > 0).map(|w| w + 2).sum()
    }

    /// Writes the names of the columns.
    pub(super) fn heads(&self, page: &mut Page<'_>) -> fmt::Result {
        let cells = self.heads.map(|head| (Label::Dim, head.name.to_owned()));
        self.row(&cells, page)
    }

    /// Writes one row.
    pub(super) fn row(&self, cells: &Cells<N>, page: &mut Page<'_>) -> fmt::Result {
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
