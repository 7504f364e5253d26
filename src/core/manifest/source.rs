//! The text of one manifest: bytes to UTF-8, byte offsets to lines, columns and excerpts.
//!
//! Independent of TOML. Finding a location takes logarithmic time in the number of lines and is independent of their
//! length, so that a hostile file cannot make error reports slow.

use std::borrow::Cow;
use std::ops::Range;

use super::codes;
use super::diagnostics::{Diagnostic, SourceLocation};
use crate::core::escape::safe_excerpt;
use crate::core::fleet::secret::patterns;

/// The bytes of a manifest.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// Its displayed path.
    pub path: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// Maximum bytes of a line shown before, in and after a location.
const CONTEXT: usize = 400;

/// Beyond this column, columns count bytes: counting characters of a very long line for every mistake would take
/// quadratic time.
const MAX_COUNTED_COLUMN: usize = 16 * 1024;

/// Whether a file has the name of a manifest, so that diagnostics may quote it. Otherwise aeroform.toml could name any
/// file and have its lines printed.
pub(super) fn is_manifest(path: &str) -> bool {
    const PRIVATE: [&str; 8] = [
        "secret",
        "credential",
        "password",
        "token",
        "vault",
        "service-account",
        "service_account",
        "private",
    ];
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let known = matches!(ending, Some("toml" | "json" | "jsonc" | "yaml" | "yml"));
    known && !name.starts_with('.') && !PRIVATE.iter().any(|word| name.contains(word))
}

/// A manifest as text.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: Cow<'a, str>,
    /// Byte offset of the start of every line.
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Decodes UTF-8, or reports the first invalid byte.
    pub(super) fn read(file: SourceFile<'a>) -> Result<Self, Box<Diagnostic>> {
        let error = match std::str::from_utf8(file.bytes) {
            Ok(text) => return Ok(Self::from_text(file.path, Cow::Borrowed(text))),
            Err(error) => error,
        };
        let source = Self::from_text(file.path, String::from_utf8_lossy(file.bytes));
        let at = error.valid_up_to();
        let utf16 = file.bytes.starts_with(&[0xff, 0xfe]) || file.bytes.starts_with(&[0xfe, 0xff]);
        let message = if utf16 {
            "the file is UTF-16, and TOML is UTF-8"
        } else {
            "the file is not valid UTF-8"
        };
        let label = file.bytes.get(at).map(|byte| format!("byte 0x{byte:02x}"));
        let diagnostic = Diagnostic::error(codes::NOT_UTF8, message)
            .with_location(source.location(at..at + 1, label))
            .help("save the file as UTF-8");
        Err(Box::new(diagnostic))
    }

    fn from_text(path: &'a str, text: Cow<'a, str>) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after_newlines).collect();
        Self { path, text, starts }
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// `fly.toml:7`.
    pub(super) fn line_ref(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    /// The byte offset of a line's start; lines count from 1.
    pub(super) fn line_start(&self, line: usize) -> usize {
        self.starts[line - 1]
    }

    /// The text of a line without its end; lines count from 1.
    pub(super) fn line_text(&self, line: usize) -> &str {
        let start = self.starts[line - 1];
        let end = self
            .starts
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        text.strip_suffix('\r').unwrap_or(text)
    }

    /// The location of a byte range, limited to its first line.
    pub(super) fn location(&self, span: Range<usize>, label: Option<String>) -> SourceLocation {
        let start = self.char_boundary(span.start.min(self.text.len()));
        let line = self.line(start);
        let line_start = self.starts[line - 1];
        let line_end = line_start + self.line_text(line).len();
        let end = self.char_boundary(span.end.clamp(start, line_end.max(start)));
        let from = self.char_boundary(start.saturating_sub(CONTEXT).max(line_start));
        let caret_end = end.min(self.char_boundary(start + CONTEXT));
        let to = self
            .char_boundary((caret_end + CONTEXT).min(line_end))
            .max(caret_end);
        let spot = start - from..caret_end - from;
        let (hidden, spot) = patterns::redact_excerpt(&self.text[from..to], spot);
        let (mut excerpt, mut caret) = safe_excerpt(&hidden, spot);
        if from > line_start {
            excerpt.insert(0, '…');
            caret = caret.start + '…'.len_utf8()..caret.end + '…'.len_utf8();
        }
        if to < line_end {
            excerpt.push('…');
        }
        let prefix = &self.text[line_start..start];
        let column = match prefix.len() {
            0..MAX_COUNTED_COLUMN => prefix.chars().count() + 1,
            bytes => bytes + 1,
        };
        SourceLocation {
            file: self.path.to_owned(),
            span: start..end,
            line,
            column,
            caret,
            excerpt,
            label,
        }
    }

    /// The same location without its line, for a mistake that is only counted.
    pub(super) fn bare_location(&self, span: Range<usize>) -> SourceLocation {
        let start = self.char_boundary(span.start.min(self.text.len()));
        let line = self.line(start);
        let column = start - self.starts[line - 1] + 1;
        SourceLocation {
            file: self.path.to_owned(),
            span: start..start,
            line,
            column,
            caret: 0..0,
            excerpt: String::new(),
            label: None,
        }
    }

    fn char_boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        let bytes = text.as_bytes();
        Source::read(SourceFile { path: "f", bytes }).unwrap()
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let source = source("a = 1\r\né = \"ü\" x\n");
        let location = source.location(14..15, None);
        assert_eq!((location.line, location.column), (2, 6));
        assert_eq!(location.excerpt, "é = \"ü\" x");
        assert_eq!(source.line_ref(0), "f:1");
        assert_eq!(source.location(99..120, None).line, 3);
    }

    #[test]
    fn a_long_line_is_shown_in_part_and_a_span_of_many_lines_by_its_first() {
        let text = format!("{}X{}\nnext", "a".repeat(5000), "b".repeat(5000));
        let location = source(&text).location(5000..5001, None);
        assert!(location.excerpt.len() < 900, "{}", location.excerpt.len());
        assert_eq!(&location.excerpt[location.caret.clone()], "X");
        assert_eq!(location.column, 5001);
        let location = source("a = [\n1]\n").location(4..8, None);
        assert_eq!(&location.excerpt[location.caret], "[");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let refused = |bytes: &[u8]| {
            let found = Source::read(SourceFile { path: "f", bytes }).err().unwrap();
            let location = found.location.unwrap();
            (
                found.message,
                location.line,
                location.column,
                location.label,
            )
        };
        let (message, line, column, label) = refused(b"app = 1\n  \xff = 2");
        assert_eq!(message, "the file is not valid UTF-8");
        assert_eq!((line, column, label.as_deref()), (2, 3, Some("byte 0xff")));
        assert!(refused(&[0xff, 0xfe, b'a', 0]).0.contains("UTF-16"));
    }
}
