//! One line of a view. Escapes, wraps and colours labelled pieces of text, or writes them as a line of a diff, so that
//! views need not.

use std::borrow::Cow;
use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::core::fleet::secret::patterns::redact_certain;

use super::command_hints::expand_commands;
use super::escape;
use super::line_wrapper::{COMMAND_SPACE, LineWrapper, UNBREAKABLE_SPACE, prefix_within};
use super::style::{Label, Style};

/// An arrow does not wrap.
const ARROW: &str = "\u{1}→\u{1}";

/// The column of a terminal view that is the first one behind the sign of a diff.
const DIFF_COLUMN: usize = 6;

/// A line under construction. Every pushed text is escaped.
#[derive(Debug, Clone)]
pub struct Line {
    indent: usize,
    hang: usize,
    pieces: Vec<(Label, String)>,
}

/// Pieces without a possible line break between them.
struct Word<'a> {
    /// Spaces before it on the same line.
    gap: usize,
    width: usize,
    pieces: Vec<(Label, Cow<'a, str>)>,
}

impl Line {
    /// A line with this indent; wrapped lines are indented two more columns.
    pub fn new(indent: usize) -> Self {
        Self {
            indent,
            hang: indent + 2,
            pieces: Vec::new(),
        }
    }

    /// Sets the indent of wrapped lines.
    #[must_use]
    pub fn hang(mut self, columns: usize) -> Self {
        self.hang = columns;
        self
    }

    /// Indents it further.
    #[must_use]
    pub fn indented(mut self, columns: usize) -> Self {
        self.indent += columns;
        self.hang += columns;
        self
    }

    /// Adds a piece.
    #[must_use]
    pub fn push(mut self, label: Label, text: impl AsRef<str>) -> Self {
        self.add(label, text);
        self
    }

    /// Adds ordinary text.
    #[must_use]
    pub fn plain(self, text: impl AsRef<str>) -> Self {
        self.push(Label::Plain, text)
    }

    /// Adds a piece in place.
    pub fn add(&mut self, label: Label, text: impl AsRef<str>) {
        let text = escape::safe(text.as_ref());
        if !text.is_empty() {
            self.pieces.push((label, text.replace(" → ", ARROW)));
        }
    }

    /// Adds a piece that does not break at its spaces, except at its start.
    pub fn add_unbroken(&mut self, label: Label, text: impl AsRef<str>) {
        let text = escape::safe(text.as_ref());
        let body = text.trim_start_matches(' ');
        let lead = " ".repeat(text.len() - body.len());
        let glued: String = body
            .chars()
            .map(|c| if c == ' ' { UNBREAKABLE_SPACE } else { c })
            .collect();
        self.pieces.push((label, lead + &glued));
    }

    /// Pads with spaces to this column.
    #[must_use]
    pub fn pad_to_column(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width());
        self.plain(" ".repeat(missing))
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Its columns without wrapping, including the indent.
    pub fn width(&self) -> usize {
        self.indent
            + self
                .pieces
                .iter()
                .map(|(_, text)| text.width())
                .sum::<usize>()
    }

    /// Its text on one line, without colours and indent.
    pub fn text(&self, program: &'static str) -> String {
        let style = Style {
            color: false,
            width: usize::MAX,
            verbose: false,
            program,
            cut_words: false,
        };
        let mut text = String::new();
        self.write(&style, &mut text)
            .expect("writing to a String cannot fail");
        text.trim().to_owned()
    }

    /// Writes it, wrapped at the style's width, with its line end.
    ///
    /// Secrets are hidden here, where a line ends: in a document, an unterminated private key would hide all
    /// that follows.
    pub fn write(&self, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
        let text: String = self.pieces.iter().map(|(_, text)| text.as_str()).collect();
        let Cow::Owned(hidden) = redact_certain(&text) else {
            return self.write_pieces(style, out);
        };
        let label = self
            .pieces
            .first()
            .map_or(Label::Plain, |(label, _)| *label);
        let line = Self {
            pieces: vec![(label, hidden)],
            ..*self
        };
        line.write_pieces(style, out)
    }

    fn write_pieces(&self, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
        let width = style.width.max(1);
        // A deep indent would leave no space on a narrow terminal.
        let hang = self.hang.min(width / 3);
        let mut pen = LineWrapper::new(style, hang, out);
        pen.blanks(self.indent.min(width / 2));
        for word in split_words(&self.prepared_pieces(style)) {
            if pen.fits(word.gap + word.width) {
                pen.blanks(word.gap);
            } else {
                pen.new_line()?;
            }
            for (label, text) in &word.pieces {
                pen.write(*label, text)?;
            }
        }
        pen.end_line()
    }

    /// Writes it as a line of a diff: its sign (`+`, `-`, `!` for a change) in column 0, the text indented behind it,
    /// never wrapped.
    fn write_diff(&self, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut text = String::new();
        let plain = Style {
            color: false,
            width: usize::MAX,
            ..*style
        };
        self.write(&plain, &mut text)?;
        let (sign, own) = match self.pieces.first().map(|(label, _)| label) {
            Some(Label::Create | Label::CreateEmphasis) => ('+', '+'),
            Some(Label::Destroy | Label::DestroyEmphasis) => ('-', '-'),
            Some(Label::Change) => ('!', '~'),
            Some(Label::Error | Label::Warning) => ('!', '!'),
            Some(Label::Plain | Label::Strong | Label::Dim | Label::Hint | Label::Success)
            | None => (' ', ' '),
        };
        let text = text.trim_end();
        let body = text.trim_start_matches(' ');
        let mut column = text.len() - body.len();
        let body = match body.strip_prefix(own).filter(|rest| rest.starts_with(' ')) {
            Some(rest) => {
                let body = rest.trim_start_matches(' ');
                column += 1 + rest.len() - body.len();
                body
            }
            None => body,
        };
        // `=`, `.` and `>` are neither added nor removed.
        let sign = if sign == '+' && body.starts_with("= ") {
            ' '
        } else {
            sign
        };
        let indent = column.saturating_sub(DIFF_COLUMN);
        writeln!(out, "{}", format!("{sign} {:indent$}{body}", "").trim_end())
    }

    /// The pieces with commands expanded and unbreakable.
    fn prepared_pieces(&self, style: &Style) -> Vec<(Label, Cow<'_, str>)> {
        let pieces = self.pieces.iter();
        pieces
            .map(|(label, text)| {
                let text = expand_commands(text, style.program);
                let text = match with_unbreakable_commands(&text) {
                    Some(firm) => Cow::Owned(firm),
                    None => text,
                };
                (*label, text)
            })
            .collect()
    }
}

/// The text with unbreakable spaces between backticks; none if nothing changes.
fn with_unbreakable_commands(text: &str) -> Option<String> {
    let backticks: Vec<usize> = text.match_indices('`').map(|(at, _)| at).collect();
    let spans = || backticks.chunks_exact(2).map(|span| span[0]..span[1]);
    if !spans().any(|span| text[span].contains(' ')) {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans() {
        shown.push_str(&text[from..span.start]);
        from = span.end;
        shown.extend(
            text[span]
                .chars()
                .map(|c| if c == ' ' { COMMAND_SPACE } else { c }),
        );
    }
    shown.push_str(&text[from..]);
    Some(shown)
}

fn split_words<'t>(pieces: &'t [(Label, Cow<'t, str>)]) -> Vec<Word<'t>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut gap = 0;
    let mut open = false;
    for (label, text) in pieces {
        for part in text.split_inclusive(' ') {
            let body = part.trim_end_matches(' ');
            if !body.is_empty() {
                if !open {
                    words.push(Word {
                        gap,
                        width: 0,
                        pieces: Vec::new(),
                    });
                    gap = 0;
                }
                if let Some(word) = words.last_mut() {
                    word.width += body.width();
                    word.pieces.push((*label, Cow::Borrowed(body)));
                }
                open = true;
            }
            if body.len() < part.len() {
                gap += part.len() - body.len();
                open = false;
            }
        }
    }
    words
}

/// Escapes the text and truncates it to so many columns, ending in `…`.
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
    let text = escape::safe(text);
    if text.width() <= columns {
        return text;
    }
    let end = prefix_within(&text, columns.saturating_sub(1));
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Columns of the escaped text.
pub fn display_width(text: &str) -> usize {
    escape::safe(text).width()
}

/// Writes lines with one style.
pub struct LineWriter<'a> {
    /// The style.
    pub style: &'a Style,
    /// What is written of each change.
    pub detail: Detail,
    as_diff: bool,
    /// A standby was marked with †, so that the page needs the legend.
    pub marks_standbys: bool,
    out: &'a mut dyn fmt::Write,
}

/// What is written of each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// The fields of updates and replacements.
    pub fields: bool,
    /// Ports and volumes of new Machines.
    pub equipment: bool,
    /// The ids of Machines.
    pub ids: bool,
}

impl Detail {
    /// Everything.
    pub const ALL: Self = Self {
        fields: true,
        equipment: true,
        ids: true,
    };
}

impl<'a> LineWriter<'a> {
    /// Writes to `out`.
    pub fn new(style: &'a Style, out: &'a mut dyn fmt::Write) -> Self {
        Self {
            style,
            detail: Detail::ALL,
            as_diff: false,
            marks_standbys: false,
            out,
        }
    }

    /// Writes the lines of a diff, without colours and without wrapping.
    pub fn diff(style: &'a Style, detail: Detail, out: &'a mut dyn fmt::Write) -> Self {
        Self {
            style,
            detail,
            as_diff: true,
            marks_standbys: false,
            out,
        }
    }

    /// Writes a line.
    pub fn line(&mut self, line: &Line) -> fmt::Result {
        if self.as_diff {
            line.write_diff(self.style, self.out)
        } else {
            line.write(self.style, self.out)
        }
    }

    /// Writes an empty line.
    pub fn blank(&mut self) -> fmt::Result {
        self.out.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(line: &Line, width: usize, color: bool) -> String {
        let style = Style {
            color,
            width,
            verbose: false,
            program: "aeroform",
            cut_words: true,
        };
        let mut out = String::new();
        line.write(&style, &mut out).unwrap();
        out
    }

    #[test]
    fn long_lines_continue_indented_and_words_are_not_split() {
        let line = Line::new(2)
            .push(Label::Strong, "four")
            .plain(" words and one");
        assert_eq!(written(&line, 12, false), "  four words\n    and one\n");
        assert_eq!(written(&line, usize::MAX, false), "  four words and one\n");
    }

    #[test]
    fn neither_a_word_nor_a_command_is_broken() {
        let style = Style {
            color: false,
            width: 24,
            verbose: false,
            program: "aeroform -C shop",
            cut_words: false,
        };
        let rendered = |text: &str| {
            let mut out = String::new();
            Line::new(2).plain(text).write(&style, &mut out).unwrap();
            out
        };
        assert_eq!(
            rendered("then run `aeroform apply` again"),
            "  then run\n    `aeroform -C shop apply`\n    again\n"
        );
        assert_eq!(
            rendered("see https://status.flyio.net/history or `a b`"),
            "  see\n    https://status.flyio.net/history\n    or `a b`\n"
        );
        assert_eq!(
            rendered("an odd ` and no end of it"),
            "  an odd ` and no end of\n    it\n"
        );
    }

    #[test]
    fn a_wrapped_command_cannot_reach_the_start_of_a_line() {
        let line = Line::new(0).plain("aaaa::error::x");
        assert!(!written(&line, 4, false).contains("\n::"));
    }

    proptest! {
        #[test]
        fn lines_keep_to_the_width_and_never_panic(
            texts in prop::collection::vec("\\PC{0,30}", 0..5), width in 1_usize..60, indent in 0_usize..30,
        ) {
            let mut line = Line::new(indent);
            for text in &texts {
                // What stands between two of them is never broken.
                line.add(Label::Create, text.replace('`', "'"));
            }
            for row in written(&line, width, false).lines() {
                prop_assert!(row.width() <= width.max(9) + 1, "{row:?}");
            }
            prop_assert!(written(&line, width, true).ends_with('\n'));
        }
    }
}
