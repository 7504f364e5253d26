//! From a document to one line of text that is safe to print: whatever the escaper would show becomes
//! a JSON escape, so that a reader gets the very value back.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::core::view::escape;

/// The document on one line, without a line end.
pub fn text(document: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, Safe(CompactFormatter));
    document
        .serialize(&mut writer)
        .expect("documents are plain data, and memory takes all of it");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// The document on many lines, with its line end, as safe to print as [`text`].
pub fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document)
        .expect("documents are plain data, and memory takes all of it");
    let mut safe = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        // What is dangerous can only stand in a string, where JSON has an escape for it.
        for (at, c) in line.char_indices() {
            if is_dangerous(c, &line[at..]) {
                push_escape(&mut safe, c);
            } else {
                safe.push(c);
            }
        }
        safe.push('\n');
    }
    safe
}

/// Whether a character must not be printed as it is; `rest` begins with it. `##[…]` anywhere in a line is
/// a command to older CI runners.
fn is_dangerous(c: char, rest: &str) -> bool {
    escape::is_hazard(c) || rest.starts_with("##")
}

fn push_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to a String cannot fail");
    }
}

/// The compact form with hazards escaped.
struct Safe(CompactFormatter);

impl Formatter for Safe {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut start = 0;
        for (at, c) in fragment.char_indices() {
            if !is_dangerous(c, &fragment[at..]) {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[start..at])?;
            let mut escaped = String::new();
            push_escape(&mut escaped, c);
            writer.write_all(escaped.as_bytes())?;
            start = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        self.0.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hazards_become_escapes_and_come_back() {
        let hostile = "a\u{202e}b\u{7f}\u{9b}##[error]\u{e0041}\u{1b}\n";
        let shown = text(&hostile);
        assert_eq!(
            shown,
            r#""a\u202eb\u007f\u009b\u0023#[error]\udb40\udc41\u001b\n""#
        );
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hostile);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_nothing_dangerous_is_printed(hostile in "(.|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{2028}-\\u{202e}\\u{2060}-\\u{206f}]|##\\[x)*") {
            let shown = text(&hostile);
            prop_assert_eq!(&serde_json::from_str::<String>(&shown).unwrap(), &hostile);
            prop_assert!(!shown.chars().any(escape::is_hazard));
            prop_assert!(!shown.contains("##["));
            let shown = pretty(&[&hostile]);
            prop_assert_eq!(&serde_json::from_str::<Vec<String>>(&shown).unwrap()[0], &hostile);
            prop_assert!(!shown.lines().any(|line| line.chars().any(escape::is_hazard) || line.contains("##[")));
        }
    }
}
