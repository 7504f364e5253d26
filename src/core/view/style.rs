//! What a piece of text is, and in one table how that looks.
//!
//! Views name labels and never colours. Colour only underlines: every view reads the same without.

use std::fmt;

/// How a terminal view is written. Whoever detects the terminal fills it in; views only obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Write ANSI colours.
    pub color: bool,
    /// Columns; lines wrap there. `usize::MAX` never wraps.
    pub width: usize,
    /// Every id, reason and value, nothing collapsed or cut.
    pub verbose: bool,
    /// How commands of this program begin (`aeroform -C shop`), so that they can be pasted.
    pub program: &'static str,
    /// Cut words that are longer than a line, where every line has to be one row of a screen.
    pub cut_words: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Ordinary text.
    Plain,
    /// A heading or a name that the eye looks for.
    Strong,
    /// Beside the point: context, unchanged things.
    Dim,
    /// Something comes.
    Create,
    /// The very part of a line that comes.
    CreateEmphasis,
    /// Something changes.
    Change,
    /// Something goes.
    Destroy,
    /// The very part of a line that goes.
    DestroyEmphasis,
    /// What to do next, and paths.
    Hint,
    /// The word `error` and what is refused.
    Error,
    /// The word `warning`.
    Warning,
    /// It is well.
    Success,
}

impl Label {
    fn ansi_style(self) -> owo_colors::Style {
        let style = owo_colors::Style::new();
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Dim => style.dimmed(),
            Self::Create | Self::Success => style.green(),
            Self::CreateEmphasis => style.green().bold().underline(),
            Self::Change => style.yellow(),
            Self::Destroy => style.red(),
            Self::DestroyEmphasis => style.red().bold().underline(),
            Self::Hint => style.cyan(),
            Self::Error => style.red().bold(),
            Self::Warning => style.yellow().bold(),
        }
    }
}

impl Style {
    /// Writes text that is safe already.
    pub(super) fn paint(&self, label: Label, text: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.color && label != Label::Plain && !text.is_empty() {
            write!(out, "{}", label.ansi_style().style(text))
        } else {
            out.write_str(text)
        }
    }
}
