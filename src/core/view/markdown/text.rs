//! Foreign text in Markdown: it stays text, whatever is in it.
//!
//! Outside fences each name is a code span, and so is each word of a message that a forge could read as a link,
//! mention, issue, image or HTML. Forges look for mentions after Markdown is rendered, so that neither a backslash nor
//! an entity prevents them; a code span does.

use std::borrow::Cow;

use crate::core::fleet::secret::patterns::redact_certain;
use crate::core::view::escape;

/// Longer names are cut in the middle.
const MAX_NAME: usize = 64;
/// A run of so many hexadecimal digits is never cut.
const DIGEST: usize = 12;
/// A forge links a word of so many hexadecimal digits to a commit.
const SHORT_COMMIT: usize = 7;

/// A name as a code span.
pub(super) fn name(text: &str) -> String {
    code_span(&short_name(text))
}

/// A text as a code span.
pub(super) fn code(text: &str) -> String {
    code_span(&clean(text))
}

/// A name as a code span in a cell of a table, where a `|` would end the cell even in a code span.
pub(super) fn cell(text: &str) -> String {
    code_span(&short_name(text).replace('|', "\\u{7c}"))
}

/// A name inside a block of HTML.
pub(super) fn html(text: &str) -> String {
    let text = short_name(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<code>{text}</code>")
}

/// A message of at most so many characters: what is in backticks becomes code spans, and so does every other word
/// that is more than letters, digits and harmless punctuation.
pub(super) fn message(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = clean(&words.join(" "));
    let text = shorten(&text, limit);
    let mut written = String::with_capacity(text.len() + 16);
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            push(&mut written, part, !part.is_empty());
            continue;
        }
        for (at, word) in part.split(char::is_whitespace).enumerate() {
            if at > 0 && !written.ends_with(' ') {
                written.push(' ');
            }
            let (before, word, after) = without_brackets(word);
            written.push_str(before);
            push(&mut written, word, !is_harmless(word));
            written.push_str(after);
        }
    }
    written.trim().to_owned()
}

/// The word without punctuation before and after it.
fn without_brackets(word: &str) -> (&str, &str, &str) {
    let start = word.len() - word.trim_start_matches('(').len();
    let is_trailing = |c: char| matches!(c, ',' | '.' | ';' | ':') || start > 0 && c == ')';
    let end = word.trim_end_matches(is_trailing).len().max(start);
    (&word[..start], &word[start..end], &word[end..])
}

fn push(written: &mut String, text: &str, as_code: bool) {
    if !as_code {
        written.push_str(text);
        return;
    }
    // Two code spans without a character between them would be one.
    if written.ends_with('`') {
        written.push(' ');
    }
    written.push_str(&code(text));
}

/// The text within a fence that nothing in it can close. Every line is escaped already.
pub(super) fn fence(info: &str, body: &str) -> String {
    let fence = "`".repeat(longest_run(body).max(2) + 1);
    let end = if body.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{info}\n{body}{end}{fence}\n")
}

/// At most so many characters, cut in the middle, and never inside a digest.
pub(super) fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().count() <= limit {
        return Cow::Borrowed(text);
    }
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let shown = limit.saturating_sub(1);
    let head = shown - shown / 3;
    let tail = letters.len() - shown / 3;
    let is_digit = |at: usize| letters[at].1.is_ascii_hexdigit();
    let run = |at: usize| {
        let before = (0..at).rev().take_while(|at| is_digit(*at)).count();
        let after = (at..letters.len()).take_while(|at| is_digit(*at)).count();
        (before > 0 && after > 0 && before + after >= DIGEST).then_some((before, after))
    };
    let head = head - run(head).map_or(0, |(before, _)| before);
    let tail = tail + run(tail).map_or(0, |(_, after)| after);
    let end = letters.get(head).map_or(text.len(), |(at, _)| *at);
    let start = letters.get(tail).map_or(text.len(), |(at, _)| *at);
    Cow::Owned(format!("{}…{}", &text[..end], &text[start..]))
}

fn short_name(text: &str) -> String {
    shorten(&clean(text), MAX_NAME).into_owned()
}

/// Removes secrets and control characters. It runs first: an escape could hide a secret from its pattern.
fn clean(text: &str) -> String {
    escape::safe(&redact_certain(text)).into_owned()
}

fn code_span(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let ticks = "`".repeat(longest_run(text) + 1);
    let touches = text.starts_with('`') || text.ends_with('`');
    // A reader removes one space on either side.
    let is_padded = text.starts_with(' ') && text.ends_with(' ');
    let pad = if touches || is_padded { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// Whether no forge reads this word as a link, mention or issue.
fn is_harmless(word: &str) -> bool {
    let harmless = |c: char| c.is_alphanumeric() || ".,;:'\"()+-/=?%…→·–".contains(c);
    word.chars().all(harmless) && !word.starts_with([':', '%', '/']) && !may_link(word)
}

/// Whether it may be an address, a commit or an issue (`GH-12`, `OPS-7`).
fn may_link(word: &str) -> bool {
    let small = word.to_lowercase();
    if ["www.", "://", "mailto:", "xmpp:"]
        .iter()
        .any(|start| small.contains(start))
    {
        return true;
    }
    let mut parts = word.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    parts.any(|part| {
        let is_commit = |part: &str| {
            part.len() >= SHORT_COMMIT && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let is_issue = part.split_once('-').is_some_and(|(key, number)| {
            key.len() > 1
                && key.bytes().all(|byte| byte.is_ascii_uppercase())
                && number.starts_with(|c: char| c.is_ascii_digit())
        });
        is_issue || part.split('-').any(is_commit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_plain_words_and_nothing_in_it_acts() {
        for (text, written) in [
            (
                "group `web` is protected: 2 of 4",
                "group `web` is protected: 2 of 4",
            ),
            ("ask @team about #12", "ask `@team` about `#12`"),
            (
                "see https://x.y/z or www.x.y",
                "see `https://x.y/z` or `www.x.y`",
            ),
            ("<img src=x> & <b>", "`<img` `src=x`> `&` `<b>`"),
            ("![a](b) *c* _d_", "`![a](b)` `*c*` `_d_`"),
            ("commit 930ce37 of GH-12", "commit `930ce37` of `GH-12`"),
            ("an odd ` tick", "an odd ` tick`"),
            ("`a``b`", "`a` `b`"),
            ("one\ntwo\u{202e}", "one `two\\u{202e}`"),
        ] {
            let written = written.replace("`src=x`>", "`src=x>`");
            assert_eq!(message(text, 1000), written, "{text}");
        }
    }

    #[test]
    fn a_code_span_is_longer_than_what_is_in_it() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(code(" a "), "`  a  `");
        assert_eq!(code(""), "(empty)");
        assert_eq!(cell("a|b"), "`a\\u{7c}b`");
        assert_eq!(html("<b>&"), "<code>&lt;b&gt;&amp;</code>");
    }

    #[test]
    fn a_fence_is_longer_than_every_run_of_backticks_in_it() {
        assert_eq!(fence("diff", "a"), "```diff\na\n```\n");
        assert_eq!(fence("", "a ```` b\n"), "`````\na ```` b\n`````\n");
    }

    #[test]
    fn a_cut_is_in_the_middle_and_never_in_a_digest() {
        assert_eq!(shorten("abcdefghij", 10), "abcdefghij");
        assert_eq!(shorten("ab-cd-ef-gh-ij", 8), "ab-cd…ij");
        let digest = "0123456789abcdef".repeat(4);
        let image = format!("registry.example/shop@sha256:{digest}");
        assert_eq!(shorten(&image, 40), "registry.example/shop@sha2…");
        let twice = format!("{digest} and {digest}");
        assert_eq!(shorten(&twice, 100), format!("{digest} a…"));
    }
}
