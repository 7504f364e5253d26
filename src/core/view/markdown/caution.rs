//! The caution block: changes that cannot simply be undone. It is never left out; with little space it shows counts.

use std::fmt::Write;

use super::layout::{Layout, Omitted, PieceId};
use super::text;
use crate::core::view::phrases::group_digits;

/// Maximum ids per line.
const MAX_IDS: usize = 50;

/// The lines of the block, worst first.
#[derive(Debug, Default)]
pub(super) struct Caution {
    kinds: Vec<CautionKind>,
}

/// Lines that fold into one.
#[derive(Debug)]
pub(super) struct CautionKind {
    /// The start of each line.
    pub(super) prefix: &'static str,
    /// In order of weight.
    pub(super) lines: Vec<CautionLine>,
    /// The replacement for lines that are not shown: their number, the sum of their amounts, and whether none is shown.
    pub(super) fold: fn(usize, usize, bool) -> String,
}

/// One line.
#[derive(Debug, Default)]
pub(super) struct CautionLine {
    /// Markdown.
    pub(super) head: String,
    /// A foreign message after it.
    pub(super) message: String,
    /// Foreign ids after that, each with its region.
    pub(super) ids: Vec<String>,
    /// How many Machines or volumes it is about.
    pub(super) amount: usize,
}

/// How much of the block is written.
#[derive(Debug, Clone, Copy)]
struct Level {
    ids: bool,
    lines: usize,
    letters: usize,
}

const COMPLETE: Level = Level {
    ids: true,
    lines: usize::MAX,
    letters: 1000,
};

/// The cuts that are made before rows of the table are dropped.
const FIRST_CUTS: [Level; 2] = [
    Level {
        ids: false,
        lines: usize::MAX,
        letters: 1000,
    },
    Level {
        ids: false,
        lines: 20,
        letters: 1000,
    },
];

/// The cuts after that. The last one has a line for each kind.
const LAST_CUTS: [Level; 6] = [
    Level {
        ids: false,
        lines: 20,
        letters: 200,
    },
    Level {
        ids: false,
        lines: 15,
        letters: 120,
    },
    Level {
        ids: false,
        lines: 10,
        letters: 80,
    },
    Level {
        ids: false,
        lines: 5,
        letters: 64,
    },
    Level {
        ids: false,
        lines: 2,
        letters: 64,
    },
    Level {
        ids: false,
        lines: 0,
        letters: 0,
    },
];

impl Caution {
    /// Adds a kind of lines, unless there are none.
    pub(super) fn add(&mut self, kind: CautionKind) {
        if !kind.lines.is_empty() {
            self.kinds.push(kind);
        }
    }

    /// Adds a kind of lines before all others.
    pub(super) fn add_first(&mut self, kind: CautionKind) {
        self.kinds.insert(0, kind);
    }

    /// Adds one line that never folds away.
    pub(super) fn add_line(&mut self, head: impl Into<String>) {
        let head = head.into();
        self.add(CautionKind {
            prefix: "",
            lines: vec![CautionLine {
                head,
                ..CautionLine::default()
            }],
            fold: |_, _, _| String::new(),
        });
    }

    /// Places the block.
    pub(super) fn place(&self, layout: &mut Layout<'_>) -> PieceId {
        layout.text(self.render(COMPLETE))
    }

    /// Adds the first cuts of the block.
    pub(super) fn first_cuts<'a>(&'a self, piece: PieceId, layout: &mut Layout<'a>) {
        self.cuts(piece, &FIRST_CUTS, layout);
    }

    /// Adds the last ones.
    pub(super) fn last_cuts<'a>(&'a self, piece: PieceId, layout: &mut Layout<'a>) {
        self.cuts(piece, &LAST_CUTS, layout);
    }

    fn cuts<'a>(&'a self, piece: PieceId, levels: &[Level], layout: &mut Layout<'a>) {
        if self.kinds.is_empty() {
            return;
        }
        for level in levels.iter().copied() {
            let what = if level.lines == usize::MAX {
                Omitted::CautionIds
            } else {
                Omitted::CautionLines
            };
            layout.cut(piece, what, 1, move || self.render(level));
        }
    }

    fn render(&self, level: Level) -> String {
        if self.kinds.is_empty() {
            return String::new();
        }
        let mut block = "> [!CAUTION]\n".to_owned();
        for kind in &self.kinds {
            let is_folded = level.lines == 0 && !(kind.fold)(1, 1, true).is_empty();
            let shown = if is_folded { 0 } else { level.lines.max(1) };
            for line in kind.lines.iter().take(shown) {
                line.render(kind.prefix, level, &mut block);
            }
            let rest = kind.lines.get(shown..).unwrap_or_default();
            if !rest.is_empty() {
                let amount = rest.iter().map(|line| line.amount).sum();
                let text = (kind.fold)(rest.len(), amount, is_folded);
                let prefix = kind.prefix;
                writeln!(block, "> - {prefix}{text}").expect("writing to a String cannot fail");
            }
        }
        block.push('\n');
        block
    }
}

impl CautionLine {
    fn render(&self, prefix: &str, level: Level, block: &mut String) {
        block.push_str("> - ");
        block.push_str(prefix);
        block.push_str(&self.head);
        if !self.message.is_empty() {
            block.push(' ');
            block.push_str(&text::message(&self.message, level.letters));
        }
        if level.ids && !self.ids.is_empty() {
            block.push_str(": ");
            let shown: Vec<String> = self
                .ids
                .iter()
                .take(MAX_IDS)
                .map(|id| text::name(id))
                .collect();
            block.push_str(&shown.join(", "));
            let more = self.ids.len().saturating_sub(MAX_IDS);
            if more > 0 {
                let more = group_digits(more);
                write!(block, " and {more} more").expect("writing to a String cannot fail");
            }
        }
        block.push('\n');
    }
}
