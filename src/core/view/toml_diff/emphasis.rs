//! Marks the changed part of a value.

use similar::{ChangeTag, TextDiff};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffPart {
    /// The text.
    pub text: String,
    /// Whether the other value differs here.
    pub differs: bool,
}

/// Longer values are not compared in detail, because that would be slow.
const MAX_COMPARED: usize = 4_096;

/// A word, a run of spaces, or a single other character.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last_was_word = false;
    for (at, c) in text.char_indices() {
        let word = c.is_alphanumeric();
        if at > start && !(word && last_was_word) {
            tokens.push(&text[start..at]);
            start = at;
        }
        last_was_word = word;
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

/// Both values in parts. If they have too little in common, nothing is marked.
fn compare(before: &str, after: &str) -> (Vec<DiffPart>, Vec<DiffPart>) {
    let plain = |text: &str| {
        vec![DiffPart {
            text: text.to_owned(),
            differs: false,
        }]
    };
    if before.len() + after.len() > MAX_COMPARED {
        return (plain(before), plain(after));
    }
    let (old, new) = (tokens(before), tokens(after));
    // No deadline: the output must not depend on the speed of the computer.
    let diff = TextDiff::from_slices(&old, &new);
    // Quotes are always common, so at least half of the text must be.
    let common: usize = diff
        .iter_all_changes()
        .filter(|c| c.tag() == ChangeTag::Equal)
        .map(|c| c.value().len())
        .sum();
    if common * 2 < before.len().min(after.len()) {
        return (plain(before), plain(after));
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        let text = change.value();
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut left, text, false);
                push(&mut right, text, false);
            }
            ChangeTag::Delete => push(&mut left, text, true),
            ChangeTag::Insert => push(&mut right, text, true),
        }
    }
    (left, right)
}

fn push(parts: &mut Vec<DiffPart>, text: &str, differs: bool) {
    match parts.last_mut() {
        Some(last) if last.differs == differs => last.text.push_str(text),
        _ => parts.push(DiffPart {
            text: text.to_owned(),
            differs,
        }),
    }
}

/// Both values in parts, truncated to so many characters around the first difference, so that long values that
/// differ at their ends do not look equal.
pub fn highlight_difference(
    before: &str,
    after: &str,
    room: usize,
) -> (Vec<DiffPart>, Vec<DiffPart>) {
    let room = room.max(16);
    let longest = before.chars().count().max(after.chars().count());
    if longest <= room {
        return compare(before, after);
    }
    let common = before
        .chars()
        .zip(after.chars())
        .take_while(|(a, b)| a == b)
        .count();
    // Keep a few characters before the difference as context.
    let start = if common + 8 < room {
        0
    } else {
        // If both end soon after the difference, more fits before it.
        (common - room / 3).min(longest + 1 - room)
    };
    compare(&window(before, start, room), &window(after, start, room))
}

fn window(text: &str, start: usize, room: usize) -> String {
    let mut shown = String::new();
    let lead = usize::from(start > 0);
    if lead > 0 {
        shown.push('…');
    }
    let mut rest = text.chars().skip(start);
    let length = text.chars().count().saturating_sub(start);
    if length + lead <= room {
        shown.extend(rest);
    } else {
        shown.extend(rest.by_ref().take(room.saturating_sub(lead + 1)));
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(parts: &[DiffPart]) -> String {
        parts
            .iter()
            .map(|part| {
                if part.differs {
                    format!("<{}>", part.text)
                } else {
                    part.text.clone()
                }
            })
            .collect()
    }

    #[test]
    fn only_the_part_that_differs_is_marked() {
        let (a, b) = highlight_difference("\"shop:v41 --fast\"", "\"shop:v42 --fast\"", 80);
        assert_eq!(marked(&a), "\"shop:<v41> --fast\"");
        assert_eq!(marked(&b), "\"shop:<v42> --fast\"");
        let (a, b) = highlight_difference("\"512mb\"", "\"1gb\"", 80);
        assert_eq!(
            (marked(&a), marked(&b)),
            ("\"512mb\"".into(), "\"1gb\"".into())
        );
    }

    #[test]
    fn long_values_are_cut_around_the_difference() {
        let digest =
            "registry.example/shop@sha256:0123456789abcdef0123456789abcdef0123456789abcdef";
        let (a, b) = highlight_difference(&format!("{digest}aa"), &format!("{digest}bb"), 40);
        assert!(
            marked(&a).contains("aa") && marked(&b).contains("bb"),
            "{a:?} {b:?}"
        );
        assert!(marked(&a).starts_with('…'));
    }
}
