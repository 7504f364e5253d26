//! The columns of a table: widths, and which columns a narrow terminal drops first.

use std::fmt;

use crate::core::view::line::{Line, LineWriter, display_width, truncate};
use crate::core::view::style::Label;

/// Maximum width of a column that may be truncated.
const MAX_COLUMN_WIDTH: usize = 30;

/// A row's cells with their labels, in the order of the columns.
pub(super) type Cells<const N: usize> = [(Label, String); N];

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Columns with higher ranks are dropped first on a narrow terminal; below 2, never.
    pub(super) drop_rank: u8,
    /// Its values are for copying and never truncated.
    pub(super) never_truncated: bool,
    /// The width to which it is cut before another column is dropped, except the first one to go; none if it is not.
    pub(super) least_width: Option<usize>,
}

/// A column whose values may be truncated.
pub(super) const fn cuttable_column(name: &'static str, rank: u8) -> Column {
    Column {
        name,
        drop_rank: rank,
        never_truncated: false,
        least_width: None,
    }
}

/// A column whose values are cut to this width before others are dropped.
pub(super) const fn squeezed_column(name: &'static str, rank: u8, least_width: usize) -> Column {
    Column {
        name,
        drop_rank: rank,
        never_truncated: false,
        least_width: Some(least_width),
    }
}

/// A column whose values are for copying.
pub(super) const fn full_column(name: &'static str, rank: u8) -> Column {
    Column {
        name,
        drop_rank: rank,
        never_truncated: true,
        least_width: None,
    }
}

/// Columns that fit, with their widths.
pub(super) struct ColumnLayout<const N: usize> {
    heads: [Column; N],
    /// Width of each column; zero drops it.
    widths: [usize; N],
}

impl<const N: usize> ColumnLayout<N> {
    /// Widths that the rows need, within the terminal's width.
    pub(super) fn fit<'a>(
        heads: [Column; N],
        rows: impl Iterator<Item = &'a Cells<N>>,
        width: usize,
    ) -> Self {
        let mut widths = [0; N];
        for cells in rows {
            for (width, (_, text)) in widths.iter_mut().zip(cells) {
                *width = (*width).max(display_width(text));
            }
        }
        for (width, head) in widths.iter_mut().zip(heads) {
            // A column without any value is dropped.
            if *width > 0 {
                *width = (*width).max(head.name.len());
            }
            if !head.never_truncated {
                *width = (*width).min(MAX_COLUMN_WIDTH);
            }
        }
        let mut table = Self { heads, widths };
        let most = heads.iter().map(|head| head.drop_rank).max().unwrap_or(0);
        for rank in (2..=most).rev() {
            if table.width() <= width || (rank < most && table.squeeze_into(width)) {
                break;
            }
            for (column, head) in table.widths.iter_mut().zip(heads) {
                if head.drop_rank == rank {
                    *column = 0;
                }
            }
        }
        table
    }

    /// Cuts columns so that all fit; changes nothing if that is not enough.
    fn squeeze_into(&mut self, width: usize) -> bool {
        let mut excess = self.width().saturating_sub(width);
        let mut widths = self.widths;
        for (width, head) in widths.iter_mut().zip(self.heads) {
            let least = head.least_width.unwrap_or(*width);
            let cut = width.saturating_sub(least).min(excess);
            *width -= cut;
            excess -= cut;
        }
        if excess == 0 {
            self.widths = widths;
        }
        excess == 0
    }

    /// Whether a column was dropped.
    pub(super) fn is_dropped(&self, column: usize) -> bool {
        self.widths[column] == 0
    }

    /// Whether the remaining columns fit.
    pub(super) fn fits(&self, width: usize) -> bool {
        self.width() <= width
    }

    fn width(&self) -> usize {
        self.widths.iter().filter(|w| **w > 0).map(|w| w + 2).sum()
    }

    /// Writes the names of the columns.
    pub(super) fn write_header(&self, page: &mut LineWriter<'_>) -> fmt::Result {
        let cells = self.heads.map(|head| (Label::Dim, head.name.to_owned()));
        self.write_row(&cells, page)
    }

    /// Writes one row.
    pub(super) fn write_row(&self, cells: &Cells<N>, page: &mut LineWriter<'_>) -> fmt::Result {
        let mut line = Line::new(2).hang(4);
        let mut column = 2;
        for ((label, text), width) in cells.iter().zip(self.widths) {
            if width == 0 {
                continue;
            }
            line = line
                .pad_to_column(column)
                .push(*label, truncate(text, width));
            column += width + 2;
        }
        page.line(&line)
    }
}
