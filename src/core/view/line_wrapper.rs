//! Wraps and colours one line, and prevents a wrapped line from becoming a CI command.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape;
use super::style::{Label, Style};

/// A space at which a line must not break; escaped text never contains this character.
pub(super) const UNBREAKABLE_SPACE: char = '\u{1}';

/// The same inside a command, which never breaks, even if it is longer than a line: it could not be pasted.
pub(super) const COMMAND_SPACE: char = '\u{2}';

/// Writes text at a column, with wrapping.
pub(super) struct LineWrapper<'a> {
    style: &'a Style,
    out: &'a mut dyn fmt::Write,
    width: usize,
    hang: usize,
    column: usize,
    /// This line has only spaces so far.
    at_line_start: bool,
    /// Spaces that are written before the next text.
    pending_blanks: usize,
    /// Text of one label, written at once.
    pending_text: (Label, String),
}

impl<'a> LineWrapper<'a> {
    /// Starts a line; wrapped lines begin at `hang`.
    pub(super) fn new(style: &'a Style, hang: usize, out: &'a mut dyn fmt::Write) -> Self {
        Self {
            style,
            out,
            width: style.width.max(1),
            hang,
            column: 0,
            at_line_start: true,
            pending_blanks: 0,
            pending_text: (Label::Plain, String::new()),
        }
    }

    /// Whether so many columns fit; true at the start of a line.
    pub(super) fn fits(&self, columns: usize) -> bool {
        self.at_line_start || self.column + columns <= self.width
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self) -> fmt::Result {
        self.flush()?;
        self.out.write_char('\n')
    }

    /// Adds spaces, if text follows.
    pub(super) fn blanks(&mut self, n: usize) {
        self.column += n;
        self.pending_blanks += n;
    }

    /// Continues on the next line.
    pub(super) fn new_line(&mut self) -> fmt::Result {
        self.flush()?;
        self.out.write_char('\n')?;
        self.column = 0;
        self.pending_blanks = 0;
        self.at_line_start = true;
        self.blanks(self.hang);
        Ok(())
    }

    fn flush(&mut self) -> fmt::Result {
        let (label, text) = &mut self.pending_text;
        self.style.paint(*label, text, self.out)?;
        text.clear();
        Ok(())
    }

    fn append(&mut self, label: Label, text: &str) -> fmt::Result {
        let gap = std::mem::take(&mut self.pending_blanks);
        if self.pending_text.1.is_empty() || self.pending_text.0 != label {
            self.flush()?;
            for _ in 0..gap {
                self.out.write_char(' ')?;
            }
            self.pending_text.0 = label;
        } else {
            self.pending_text.1.extend(std::iter::repeat_n(' ', gap));
        }
        self.pending_text.1.extend(text.chars().map(|c| {
            if matches!(c, UNBREAKABLE_SPACE | COMMAND_SPACE) {
                ' '
            } else {
                c
            }
        }));
        self.column += text.width();
        self.at_line_start = false;
        Ok(())
    }

    /// Writes a piece of a word. A piece longer than a line overflows, or breaks at an unbreakable space, or anywhere if
    /// the style says so.
    pub(super) fn write(&mut self, label: Label, text: &str) -> fmt::Result {
        let mut rest = text;
        loop {
            if self.at_line_start && rest.starts_with("::") {
                self.write(label, escape::ESCAPED_COLON)?;
                rest = &rest[1..];
            }
            let whole = !rest.contains(UNBREAKABLE_SPACE) && !self.style.cut_words;
            if whole || rest.contains(COMMAND_SPACE) {
                return self.append(label, rest);
            }
            let room = self.width.saturating_sub(self.column);
            let end = match (prefix_within(rest, room), self.at_line_start) {
                // At least one character, or the loop would not end on a very narrow terminal.
                (0, true) => rest.chars().next().map_or(0, char::len_utf8),
                (end, _) => end,
            };
            let (head, tail) = rest.split_at(end);
            let (head, tail) = match tail {
                "" => (head, tail),
                // Drop the space at the break.
                tail => (
                    head.trim_end_matches(UNBREAKABLE_SPACE),
                    tail.trim_start_matches(UNBREAKABLE_SPACE),
                ),
            };
            if !head.is_empty() {
                self.append(label, head)?;
            }
            if tail.is_empty() {
                return Ok(());
            }
            self.new_line()?;
            rest = tail;
        }
    }
}

/// How many bytes of the text fit into so many columns.
pub(super) fn prefix_within(text: &str, columns: usize) -> usize {
    if columns >= text.len() {
        return text.len();
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(1);
        if used > columns {
            return at;
        }
    }
    text.len()
}
