//! Adds and removes items of lists without moving other items, so that comments stay next to them.

use std::ops::Range;

use super::toml_source::{TomlSource, TomlValue};

/// The range to remove with an item: its line with its comment if it has its own line, else the item with one adjacent
/// comma. None if the comma is further away.
pub(super) fn removal_range(
    script: &TomlSource<'_>,
    items: &[TomlValue],
    at: usize,
) -> Option<Range<usize>> {
    let span = items.get(at)?.span();
    let next = items.get(at + 1).map(TomlValue::span);
    let before = at.checked_sub(1).map(|before| items[before].span());
    let comma = comma_after(script, span.end);
    if next.is_some() && comma.is_none() {
        return None;
    }
    if is_alone(script, &span) {
        return Some(script.line_start(span.start)..script.line_end(span.end));
    }
    let in_one_line = |range: Range<usize>| !script.text[range].contains('\n');
    if let Some(next) = next.filter(|next| in_one_line(span.end..next.start)) {
        return Some(span.start..next.start);
    }
    if let Some(before) = before.filter(|before| in_one_line(before.end..span.start)) {
        return Some(before.end..span.end);
    }
    // The comma before it may stay: a list may end with a comma.
    let start = span.start - script.indent(span.start).len();
    Some(start..comma.unwrap_or(span.end))
}

/// The insertion for a new item at the end of a list.
pub(super) fn appended_item(
    script: &TomlSource<'_>,
    span: &Range<usize>,
    items: &[TomlValue],
    new: &str,
) -> Option<Vec<(Range<usize>, String)>> {
    let Some(last) = items.last().map(TomlValue::span) else {
        let is_bare = script.comments_in(span, "").is_empty();
        return is_bare.then(|| vec![(span.clone(), format!("[{new}]"))]);
    };
    if !is_alone(script, &last) {
        return Some(vec![(last.end..last.end, format!(", {new}"))]);
    }
    let (indent, newline) = (script.indent(last.start), script.newline());
    let line = script.line_end(last.end);
    Some(if comma_after(script, last.end).is_some() {
        vec![(line..line, format!("{indent}{new},{newline}"))]
    } else {
        vec![
            (last.end..last.end, ",".to_owned()),
            (line..line, format!("{indent}{new}{newline}")),
        ]
    })
}

/// Whether the lines of an item contain only the item, its comma and a comment.
fn is_alone(script: &TomlSource<'_>, span: &Range<usize>) -> bool {
    let before = &script.text[script.line_start(span.start)..span.start];
    let after = comma_after(script, span.end).unwrap_or(span.end);
    let after = script.text[after..script.line_end(span.end)].trim();
    before.trim().is_empty() && (after.is_empty() || after.starts_with('#'))
}

/// The offset after the comma that follows in the same line.
fn comma_after(script: &TomlSource<'_>, end: usize) -> Option<usize> {
    let rest = &script.text[end..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    rest[blanks..].starts_with(',').then_some(end + blanks + 1)
}
