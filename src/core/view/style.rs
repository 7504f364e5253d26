//! Labels of text, and one table of their colours.
//!
//! Views use labels, never colours. Output without colours has the same meaning.

use std::fmt;

/// How a terminal view is written. `ui` fills it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Write ANSI colours.
    pub color: bool,
    /// Columns; lines wrap there. `usize::MAX` never wraps.
    pub width: usize,
    /// Show every id, reason and value, without truncation.
    pub verbose: bool,
    /// How the program was started (`aeroform -C shop`), for commands in messages.
    pub program: &'static str,
    /// Break words longer than a line, where every line must be one row of a screen.
    pub cut_words: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Ordinary text.
    Plain,
    /// A heading or an important name.
    Strong,
    /// Context and unchanged things.
    Dim,
    /// Something is created.
    Create,
    /// The added part of a line.
    CreateEmphasis,
    /// Something changes.
    Change,
    /// Something is destroyed.
    Destroy,
    /// The removed part of a line.
    DestroyEmphasis,
    /// What to do next, and paths.
    Hint,
    /// The word `error`, and refusals.
    Error,
    /// The word `warning`.
    Warning,
    /// Success.
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
    /// Writes text that is already escaped.
    pub(super) fn paint(&self, label: Label, text: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.color && label != Label::Plain && !text.is_empty() {
            write!(out, "{}", label.ansi_style().style(text))
        } else {
            out.write_str(text)
        }
    }
}
