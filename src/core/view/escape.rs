//! The one escaper: makes foreign text (names, commands, check output, API messages) safe to print.
//!
//! What could move a cursor, reorder or hide text, end a line, or give an order to a CI runner comes
//! out visible instead (`\u{202e}`, `\n`). Everything else stays as it is, unchanged and unallocated.
//! It only ever replaces characters; it never shortens, and it knows nothing of colours or widths.

use std::borrow::Cow;

/// The text with every hazard written visibly. Clean text comes back borrowed, so escaping twice is
/// the same as escaping once.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hazard) && !holds_command(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    // Commands are looked for in what is printed: an escaped character is no white space any more.
    let mut at_word_start = true;
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        if is_hazard(c) {
            push_escape(&mut shown, c);
            at_word_start = false;
            continue;
        }
        if begins_command(rest, at_word_start) {
            push_code(&mut shown, c);
        } else {
            shown.push(c);
        }
        at_word_start = c.is_whitespace();
    }
    Cow::Owned(shown)
}

/// What stands for the first colon of `::` at the beginning of a line: a runner reads such a line as a
/// workflow command, and wrapping can bring any part of a text there.
pub const COLON: &str = "\\u{3a}";

/// Whether this character must not reach an output as it is.
pub fn is_hazard(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        // C1 controls: some terminals take U+009B for the start of an escape sequence.
        '\u{80}'..='\u{9f}'
        // Invisible: soft hyphen, fillers, zero width, joiners, invisible operators, byte order mark.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        // Bidi: marks, embeddings, overrides, isolates, and the deprecated format characters after them.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Line and paragraph separator, annotation marks, musical format characters.
        | '\u{2028}' | '\u{2029}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        // Tags and supplementary variation selectors carry whole hidden texts.
        | '\u{e0000}'..='\u{e0fff}')
}

fn push_escape(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        _ => push_code(shown, c),
    }
}

fn push_code(shown: &mut String, c: char) {
    shown.extend(c.escape_unicode());
}

fn holds_command(text: &str) -> bool {
    let mut at_word_start = true;
    text.char_indices().any(|(at, c)| {
        let found = begins_command(&text[at..], at_word_start);
        at_word_start = c.is_whitespace();
        found
    })
}

/// Whether a CI runner could read a command here. GitHub takes `::name` after leading white space, and
/// `##[name]` anywhere; `##vso[` and `##teamcity[` are their older relatives elsewhere. Wrapping may
/// bring any word to the start of a line, so every word counts.
fn begins_command(rest: &str, at_word_start: bool) -> bool {
    if let Some(name) = rest.strip_prefix("::") {
        return at_word_start && name.starts_with(|c: char| c.is_ascii_alphabetic());
    }
    rest.strip_prefix("##").is_some_and(|name| {
        name.trim_start_matches(|c: char| c.is_ascii_lowercase())
            .starts_with('[')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hazards_are_shown_and_the_rest_stays() {
        for (text, shown) in [
            ("bin/rails fly:server", "bin/rails fly:server"),
            ("grüße 日本 🚀", "grüße 日本 🚀"),
            ("a\u{1b}[31mred", "a\\u{1b}[31mred"),
            ("invoice\u{202e}fdp.exe", "invoice\\u{202e}fdp.exe"),
            ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(safe(text), shown);
        }
    }

    #[test]
    fn workflow_commands_are_taken_apart_and_look_alikes_are_not() {
        for (text, shown) in [
            ("::error::boo", "\\u{3a}:error::boo"),
            ("  ::set-output name=x::y", "  \\u{3a}:set-output name=x::y"),
            ("say ::error::boo", "say \\u{3a}:error::boo"),
            ("x ##[error]boo", "x \\u{23}#[error]boo"),
            ("##vso[task.x]", "\\u{23}#vso[task.x]"),
            ("crate::module", "crate::module"),
            ("[::1]:80", "[::1]:80"),
            ("## heading", "## heading"),
        ] {
            assert_eq!(safe(text), shown);
        }
        assert!(safe("::error::x").starts_with(COLON));
    }

    proptest! {
        #[test]
        fn nothing_dangerous_comes_out(text in "\\PC*|(.|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}\\u{2060}-\\u{206f}]|::error::|##\\[x\\]|\n)*") {
            let shown = safe(&text);
            prop_assert!(!shown.chars().any(|c| is_hazard(c) || c.is_control()), "{shown:?}");
            prop_assert!(!holds_command(&shown), "{shown:?}");
            prop_assert!(matches!(safe(&shown), Cow::Borrowed(_)), "{shown:?}");
        }

        #[test]
        fn clean_text_is_borrowed(text in "[a-zA-Z0-9 ./_-]*") {
            prop_assert!(matches!(safe(&text), Cow::Borrowed(same) if same == text));
        }
    }
}
