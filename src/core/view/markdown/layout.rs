//! Fits a document into its budget: pieces in printed order, and cuts with the least important first.

use std::collections::BTreeMap;

use crate::core::view::phrases::{count_noun, group_digits};

/// A document that cannot be made short enough: a bug, since everything foreign in it has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Markdown has {bytes} bytes at least, and the budget is {budget}")]
pub struct OverBudget {
    /// Its shortest form.
    pub bytes: usize,
    /// The limit.
    pub budget: usize,
}

/// Kinds of omitted content, in the order of the footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Omitted {
    /// Folds that are not about the changes.
    OtherFolds,
    /// Field diffs of updates, by Machine.
    FieldDiffs,
    /// Ports and volumes of new Machines.
    Equipment,
    /// Ids of Machines.
    Ids,
    /// Folds of groups.
    GroupFolds,
    /// Warnings and notes.
    Remarks,
    /// Rows of the table.
    Rows,
    /// Ids in the caution block.
    CautionIds,
    /// Lines of the caution block.
    CautionLines,
    /// Words of the footer.
    Footer,
}

/// How much of each is left out.
#[derive(Debug, Default)]
pub(super) struct Omissions(BTreeMap<Omitted, usize>);

/// Pieces in printed order.
#[derive(Default)]
pub(super) struct Layout<'a> {
    pieces: Vec<Piece<'a>>,
    cuts: Vec<Cut<'a>>,
}

/// The position of a piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct PieceId(usize);

enum Piece<'a> {
    Text(String),
    /// A text that counts what is left out.
    Counting(Box<dyn Fn(&Omissions) -> String + 'a>),
}

struct Cut<'a> {
    piece: PieceId,
    what: Omitted,
    /// The amount left out by this cut and the earlier cuts of the piece.
    count: usize,
    shorter: Box<dyn Fn() -> String + 'a>,
}

impl<'a> Layout<'a> {
    /// Adds a piece.
    pub(super) fn text(&mut self, text: impl Into<String>) -> PieceId {
        self.pieces.push(Piece::Text(text.into()));
        PieceId(self.pieces.len() - 1)
    }

    /// Adds a piece that counts what is left out.
    pub(super) fn counting(&mut self, text: impl Fn(&Omissions) -> String + 'a) {
        self.pieces.push(Piece::Counting(Box::new(text)));
    }

    /// Adds a cut; earlier ones are made first. Without a count there is nothing to cut.
    pub(super) fn cut(
        &mut self,
        piece: PieceId,
        what: Omitted,
        count: usize,
        shorter: impl Fn() -> String + 'a,
    ) {
        if count > 0 {
            self.cuts.push(Cut {
                piece,
                what,
                count,
                shorter: Box::new(shorter),
            });
        }
    }

    /// The document within its budget.
    pub(super) fn fit(mut self, budget: usize) -> Result<String, OverBudget> {
        let mut omissions = Omissions::default();
        let mut fixed: usize = self.pieces.iter().map(Piece::fixed_bytes).sum();
        let mut cuts = self.cuts.iter();
        loop {
            let counting = self.pieces.iter().map(|piece| match piece {
                Piece::Text(_) => 0,
                Piece::Counting(text) => text(&omissions).len(),
            });
            let bytes = fixed + counting.sum::<usize>();
            if bytes <= budget {
                let texts = self.pieces.into_iter().map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Counting(text) => text(&omissions),
                });
                return Ok(texts.collect());
            }
            let Some(cut) = cuts.next() else {
                return Err(OverBudget { bytes, budget });
            };
            let shorter = (cut.shorter)();
            let piece = &mut self.pieces[cut.piece.0];
            fixed = fixed - piece.fixed_bytes() + shorter.len();
            *piece = Piece::Text(shorter);
            *omissions.0.entry(cut.what).or_default() += cut.count;
        }
    }
}

impl Piece<'_> {
    fn fixed_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Counting(_) => 0,
        }
    }
}

impl Omissions {
    /// How much of this is left out.
    pub(super) fn count(&self, what: Omitted) -> usize {
        self.0.get(&what).copied().unwrap_or(0)
    }

    /// What is left out, with counts; none if nothing is.
    pub(super) fn describe(&self, budget: usize) -> Option<String> {
        let listed: Vec<String> = self.0.iter().filter_map(describe_one).collect();
        if listed.is_empty() {
            return None;
        }
        let listed = match self.count(Omitted::Footer) {
            0 => listed.join(", "),
            _ => "details".to_owned(),
        };
        Some(format!(
            "Left out to fit {} bytes: {listed}.",
            group_digits(budget)
        ))
    }
}

fn describe_one((what, count): (&Omitted, &usize)) -> Option<String> {
    let machines = || count_noun(*count, "Machine");
    Some(match what {
        Omitted::OtherFolds => count_noun(*count, "fold") + " about other changes",
        Omitted::FieldDiffs => format!("field diffs of {}", machines()),
        Omitted::Equipment => format!("ports and volumes of {}", machines()),
        Omitted::Ids => format!("ids of {}", machines()),
        Omitted::GroupFolds => format!("details of {}", count_noun(*count, "group")),
        Omitted::Remarks => count_noun(*count, "remark"),
        Omitted::Rows => format!("{} of the table", count_noun(*count, "row")),
        Omitted::CautionIds => "ids in the caution block".to_owned(),
        Omitted::CautionLines => "lines of the caution block".to_owned(),
        Omitted::Footer => return None,
    })
}
