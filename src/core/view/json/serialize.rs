//! Serialises a document to one line that is safe to print: hazardous characters become JSON escapes, so that a reader
//! gets the same value back.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};

use crate::core::view::escape;

/// The document on one line, without a line end.
pub fn to_line(document: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut writer =
        serde_json::Serializer::with_formatter(&mut bytes, EscapingFormatter(CompactFormatter));
    document
        .serialize(&mut writer)
        .expect("documents are plain data, and memory takes all of it");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// The document on many lines, with its line end, as safe to print as [`to_line`].
pub fn to_pretty(document: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let safe = EscapingFormatter(PrettyFormatter::new());
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, safe);
    document
        .serialize(&mut writer)
        .expect("documents are plain data, and memory takes all of it");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// A formatter that escapes hazardous characters.
struct EscapingFormatter<F>(F);

impl<F: Formatter> Formatter for EscapingFormatter<F> {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut from = 0;
        for (at, c) in escape::hazards(fragment) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        self.0.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hazards_become_escapes_and_come_back() {
        let hostile = "a\u{202e}b\u{7f}\u{9b}##[error]\u{e0041}\u{1b}\n::x a::b";
        let shown = to_line(&hostile);
        assert_eq!(
            shown,
            r#""a\u202eb\u007f\u009b\u0023#[error]\udb40\udc41\u001b\n\u003a:x a::b""#
        );
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hostile);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_nothing_dangerous_is_printed(hostile in "(.|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{2028}-\\u{202e}\\u{2060}-\\u{206f}]|##\\[x)*") {
            let shown = to_line(&hostile);
            prop_assert_eq!(&serde_json::from_str::<String>(&shown).unwrap(), &hostile);
            prop_assert!(!shown.chars().any(escape::is_hazard));
            prop_assert!(!shown.contains("##["));
            prop_assert_eq!(&escape::sanitize_output(&shown, false), &shown);
            let shown = to_pretty(&[&hostile]);
            prop_assert_eq!(&serde_json::from_str::<Vec<String>>(&shown).unwrap()[0], &hostile);
            prop_assert_eq!(&escape::sanitize_output(&shown, false), &shown);
            prop_assert!(!shown.lines().any(|line| line.chars().any(escape::is_hazard) || line.contains("##[")));
        }
    }
}
