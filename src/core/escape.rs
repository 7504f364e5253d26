//! Escapes untrusted text (names, commands, check output, API messages) for printing.
//!
//! Characters that could move the cursor, reorder or hide text, end a line, or give a command to a CI runner
//! become visible escapes (`\u{202e}`, `\n`). Clean text is returned unchanged and unallocated. Text is never
//! shortened. Views pass every untrusted string through [`safe`]; the ui passes all output through
//! [`sanitize_output`], in case a view missed one. JSON output uses JSON escapes for the same characters
//! ([`hazards`]).

use std::borrow::Cow;
use std::ops::Range;

/// Escapes every hazard. Clean text is borrowed, so escaping is idempotent.
pub fn safe(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut from = 0;
    for (at, c) in hazards(text) {
        shown.push_str(&text[from..at]);
        push_escape(&mut shown, c);
        from = at + c.len_utf8();
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// [`safe`] for several lines: line ends are kept.
pub fn safe_lines(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return safe(text);
    }
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(safe).collect();
    if lines.iter().all(|line| matches!(line, Cow::Borrowed(_))) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(lines.join("\n"))
}

/// Escapes one line of a file for a snippet; returns the moved byte range of `spot`. A tab becomes a space,
/// so that columns stay right.
pub fn safe_excerpt(text: &str, spot: Range<usize>) -> (String, Range<usize>) {
    let mut shown = String::with_capacity(text.len());
    let mut moved = spot.clone();
    let mut dangerous = hazards(text).peekable();
    for (at, c) in text.char_indices() {
        if at == spot.start {
            moved.start = shown.len();
        }
        if at == spot.end {
            moved.end = shown.len();
        }
        let is_hazard = dangerous.next_if(|(hazard, _)| *hazard == at).is_some();
        match c {
            '\t' => shown.push(' '),
            c if is_hazard => push_escape(&mut shown, c),
            c => shown.push(c),
        }
    }
    for (end, at) in [(spot.start, &mut moved.start), (spot.end, &mut moved.end)] {
        if end == text.len() {
            *at = shown.len();
        }
    }
    (shown, moved)
}

/// Escapes finished output of several lines. With `colored`, colour sequences are kept. Text that views have
/// escaped is borrowed.
pub fn sanitize_output(text: &str, colored: bool) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut from = 0;
    let mut replace = |at: usize, c: char| {
        shown.push_str(&text[from..at]);
        push_escape(&mut shown, c);
        from = at + c.len_utf8();
    };
    let mut at_line_start = true;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let color = colored.then(|| color_length(rest)).flatten();
        if let Some(length) = color {
            at += length;
            continue;
        }
        let order = || {
            let rest = strip_colors(rest, colored);
            at_line_start && rest.starts_with("::") || begins_old_command(&rest)
        };
        if c == '\n' {
            at_line_start = true;
        } else if is_hazard(c) || matches!(c, '#' | ':') && order() {
            replace(at, c);
            at_line_start = false;
        } else if !c.is_whitespace() {
            at_line_start = false;
        }
        at += c.len_utf8();
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// The characters that must be escaped, with their positions.
pub fn hazards(text: &str) -> impl Iterator<Item = (usize, char)> {
    // CI commands are detected in the output, where an escaped character is not white space.
    let mut at_word_start = true;
    text.char_indices().filter(move |(at, c)| {
        let dangerous = is_hazard(*c) || begins_command(&text[*at..], at_word_start);
        at_word_start = !dangerous && c.is_whitespace();
        dangerous
    })
}

/// Replaces the first colon of `::` at the start of a line: CI runners parse such a line as a command, and
/// wrapping can put any text there.
pub const ESCAPED_COLON: &str = "\\u{3a}";

/// Whether this character must be escaped.
pub fn is_hazard(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        // C1 controls: some terminals treat U+009B as the start of an escape sequence.
        '\u{80}'..='\u{9f}'
        // Invisible: soft hyphen, fillers, zero width, joiners, invisible operators, byte order mark.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        // Bidi: marks, embeddings, overrides, isolates, and the deprecated format characters after them.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Line and paragraph separator, annotation marks, musical format characters.
        | '\u{2028}' | '\u{2029}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        // Tags and supplementary variation selectors can hide text.
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

/// Whether a CI command may begin here. GitHub accepts `::name` after leading white space, and `##[name]`
/// anywhere; `##vso[` and `##teamcity[` belong to other runners. Wrapping can put any word at the start of a
/// line, so every word counts.
fn begins_command(rest: &str, at_word_start: bool) -> bool {
    if let Some(name) = rest.strip_prefix("::") {
        return at_word_start && name.starts_with(|c: char| c.is_ascii_alphabetic());
    }
    begins_old_command(rest)
}

fn begins_old_command(rest: &str) -> bool {
    rest.strip_prefix("##").is_some_and(|name| {
        name.trim_start_matches(|c: char| c.is_ascii_alphanumeric())
            .starts_with('[')
    })
}

/// The length of a colour sequence (`ESC [ … m`) that begins here.
fn color_length(rest: &str) -> Option<usize> {
    let codes = rest.strip_prefix("\u{1b}[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    codes[end..].starts_with('m').then_some(end + 3)
}

/// The rest of this line without colours, as a CI runner may read it.
fn strip_colors(rest: &str, colored: bool) -> Cow<'_, str> {
    // Longer than the longest command prefix; lines may be long, and each position is checked.
    const ENOUGH: usize = 32;
    if !colored {
        return Cow::Borrowed(rest);
    }
    let mut plain = String::new();
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        if let Some(length) = color_length(&rest[at..]) {
            at += length;
            continue;
        }
        if c == '\n' || plain.len() >= ENOUGH {
            break;
        }
        plain.push(c);
        at += c.len_utf8();
    }
    Cow::Owned(plain)
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
            ("##VSO[task.x]", "\\u{23}#VSO[task.x]"),
            ("###[error]", "#\\u{23}#[error]"),
            ("crate::module", "crate::module"),
            ("[::1]:80", "[::1]:80"),
            ("## heading", "## heading"),
        ] {
            assert_eq!(safe(text), shown);
        }
        assert!(safe("::error::x").starts_with(ESCAPED_COLON));
    }

    #[test]
    fn a_spot_in_an_excerpt_moves_with_what_is_escaped_before_and_in_it() {
        let text = "a\t##[x] = \u{1b}y # ::z ##[w]";
        let spot = text.find('=').unwrap()..text.find('y').unwrap() + 1;
        let (shown, moved) = safe_excerpt(text, spot);
        assert_eq!(shown, "a \\u{23}#[x] = \\u{1b}y # \\u{3a}:z \\u{23}#[w]");
        assert_eq!(&shown[moved], "= \\u{1b}y");
        // A command that a spot splits still counts.
        let (shown, moved) = safe_excerpt("###[x]", 2..3);
        assert_eq!((shown.as_str(), &shown[moved]), ("#\\u{23}#[x]", "#"));
        let (shown, moved) = safe_excerpt("a", 1..1);
        assert_eq!((shown.as_str(), moved), ("a", 1..1));
    }

    #[test]
    fn a_finished_text_keeps_its_lines_and_our_colours_and_nothing_else() {
        let text = "\u{1b}[1;31merror:\u{1b}[0m x\n  \u{1b}[36m::error::y\u{1b}[0m\n#\u{1b}[1m#[z]\u{1b}[2J\r\n";
        assert_eq!(
            sanitize_output(text, true),
            "\u{1b}[1;31merror:\u{1b}[0m x\n  \u{1b}[36m\\u{3a}:error::y\u{1b}[0m\n\\u{23}\u{1b}[1m#[z]\\u{1b}[2J\\r\n"
        );
        assert_eq!(
            sanitize_output("\u{1b}[31mx\u{1b}[0m", false),
            "\\u{1b}[31mx\\u{1b}[0m"
        );
        assert_eq!(
            sanitize_output("a ::b\n\n ::1\n", false),
            "a ::b\n\n \\u{3a}:1\n"
        );
        assert_eq!(safe_lines("a\n##[b]\n"), "a\n\\u{23}#[b]\n");
        assert!(matches!(safe_lines("a\nb"), Cow::Borrowed("a\nb")));
    }

    proptest! {
        #[test]
        fn nothing_dangerous_leaves(text in "(\\PC|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}]|::error::|##\\[x\\]|#|\n|\u{1b}\\[1m)*", colored: bool) {
            let shown = sanitize_output(&text, colored);
            let plain = shown.replace("\u{1b}[1m", "");
            prop_assert!(colored || !shown.contains('\u{1b}'), "{shown:?}");
            prop_assert!(!plain.chars().any(|c| c != '\n' && is_hazard(c)), "{plain:?}");
            prop_assert!(!plain.lines().any(|line| line.trim_start().starts_with("::")), "{plain:?}");
            prop_assert!(!plain.contains("##["), "{plain:?}");
            prop_assert!(matches!(sanitize_output(&shown, colored), Cow::Borrowed(_)), "{shown:?}");
        }

        #[test]
        fn nothing_dangerous_comes_out(text in "\\PC*|(.|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}\\u{2060}-\\u{206f}]|::error::|##\\[x\\]|\n)*") {
            let shown = safe(&text);
            prop_assert!(!shown.chars().any(|c| is_hazard(c) || c.is_control()), "{shown:?}");
            prop_assert_eq!(hazards(&shown).count(), 0, "{:?}", shown);
            // Text that is no command inside a line (`::1`) is checked again at its start.
            let begins = shown.trim_start().starts_with("::");
            prop_assert!(begins || matches!(sanitize_output(&shown, true), Cow::Borrowed(_)), "{shown:?}");
            prop_assert!(matches!(safe(&shown), Cow::Borrowed(_)), "{shown:?}");
        }

        #[test]
        fn clean_text_is_borrowed(text in "[a-zA-Z0-9 ./_-]*") {
            prop_assert!(matches!(safe(&text), Cow::Borrowed(same) if same == text));
        }
    }
}
