//! Writing a line: where it wraps, what is painted together, and that no wrapped line becomes a command.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape;
use super::style::{Label, Style};

/// Stands for a blank at which a line must not break; escaped text never has it.
pub(super) const GLUE: char = '\u{1}';

/// The same inside of a command, which is not broken even where it is longer than a line: it could not be pasted.
pub(super) const FIRM: char = '\u{2}';

/// Where the next character goes.
pub(super) struct Pen<'a> {
    style: &'a Style,
    out: &'a mut dyn fmt::Write,
    width: usize,
    hang: usize,
    column: usize,
    /// Nothing but blanks on this line yet.
    fresh: bool,
    /// Blanks that are written once something follows them.
    gap: usize,
    /// Text of one label that is painted at once.
    run: (Label, String),
}

impl<'a> Pen<'a> {
    /// At the start of a line; later lines begin at `hang`.
    pub(super) fn new(style: &'a Style, hang: usize, out: &'a mut dyn fmt::Write) -> Self {
        Self {
            style,
            out,
            width: style.width.max(1),
            hang,
            column: 0,
            fresh: true,
            gap: 0,
            run: (Label::Plain, String::new()),
        }
    }

    /// Whether so many more columns fit; at the start of a line there is nowhere better.
    pub(super) fn has_room(&self, columns: usize) -> bool {
        self.fresh || self.column + columns <= self.width
    }

    /// Ends the line.
    pub(super) fn end(&mut self) -> fmt::Result {
        self.flush()?;
        self.out.write_char('\n')
    }

    /// So many blanks, if anything follows them.
    pub(super) fn blanks(&mut self, n: usize) {
        self.column += n;
        self.gap += n;
    }

    /// Goes on on the next line.
    pub(super) fn new_line(&mut self) -> fmt::Result {
        self.flush()?;
        self.out.write_char('\n')?;
        self.column = 0;
        self.gap = 0;
        self.fresh = true;
        self.blanks(self.hang);
        Ok(())
    }

    fn flush(&mut self) -> fmt::Result {
        let (label, text) = &mut self.run;
        self.style.paint(*label, text, self.out)?;
        text.clear();
        Ok(())
    }

    fn append(&mut self, label: Label, text: &str) -> fmt::Result {
        let gap = std::mem::take(&mut self.gap);
        if self.run.1.is_empty() || self.run.0 != label {
            self.flush()?;
            for _ in 0..gap {
                self.out.write_char(' ')?;
            }
            self.run.0 = label;
        } else {
            self.run.1.extend(std::iter::repeat_n(' ', gap));
        }
        self.run.1.extend(
            text.chars()
                .map(|c| if matches!(c, GLUE | FIRM) { ' ' } else { c }),
        );
        self.column += text.width();
        self.fresh = false;
        Ok(())
    }

    /// Writes a piece of a word. Where it is longer than a line it goes on beyond its end, or is cut there at a blank
    /// that does not break, or anywhere if the style wants that.
    pub(super) fn write(&mut self, label: Label, text: &str) -> fmt::Result {
        let mut rest = text;
        loop {
            if self.fresh && rest.starts_with("::") {
                self.write(label, escape::ESCAPED_COLON)?;
                rest = &rest[1..];
            }
            let whole = !rest.contains(GLUE) && !self.style.cut_words;
            if whole || rest.contains(FIRM) {
                return self.append(label, rest);
            }
            let room = self.width.saturating_sub(self.column);
            let end = match (end_within(rest, room), self.fresh) {
                // One character at least, or a very narrow terminal would never see the end.
                (0, true) => rest.chars().next().map_or(0, char::len_utf8),
                (end, _) => end,
            };
            let (head, tail) = rest.split_at(end);
            let (head, tail) = match tail {
                "" => (head, tail),
                // Cut at a blank after all, which then belongs to neither line.
                tail => (head.trim_end_matches(GLUE), tail.trim_start_matches(GLUE)),
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
pub(super) fn end_within(text: &str, columns: usize) -> usize {
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
