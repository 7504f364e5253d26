//! Field changes as a TOML diff with the changed part of each value emphasised.

use std::fmt;

use crate::core::fleet::{FieldChange, GroupName};
use crate::core::view::escape;
use crate::core::view::line::{Line, LineWriter, display_width, truncate};
use crate::core::view::phrases;
use crate::core::view::style::Label;
use crate::core::view::toml_diff::{self, DiffLine, DiffPart, TomlForms};

/// Maximum lines per difference.
const MAX_LINES: usize = 40;

/// Writes the changes with headers at this indent; signs are two columns to the left.
pub(super) fn render_diff(
    group: &GroupName,
    forms: TomlForms<'_>,
    changes: &[FieldChange],
    indent: usize,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let mut left = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LINES
    };
    let mut hidden = 0;
    for block in toml_diff::blocks(group, forms, changes) {
        if left == 0 {
            hidden += block.lines.len();
            continue;
        }
        let mut inner = indent;
        if let Some(header) = &block.header {
            let mut line = Line::new(indent).push(Label::Plain, header);
            if let Some(which) = &block.which {
                line.add(Label::Dim, format!("  # {which}"));
            }
            page.line(&line)?;
            inner += 2;
        }
        for line in &block.lines {
            if left == 0 {
                hidden += 1;
                continue;
            }
            left -= 1;
            diff_line(line, indent - 2, inner, page)?;
        }
    }
    if hidden > 0 {
        let text = format!(
            "+ {} (-v shows all)",
            phrases::count_noun(hidden, "more line")
        );
        page.line(&Line::new(indent).push(Label::Dim, text))?;
    }
    Ok(())
}

/// Writes the new values without signs: a config instead of a difference.
pub(super) fn render_values(
    group: &GroupName,
    changes: &[FieldChange],
    indent: usize,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    for block in toml_diff::blocks(group, TomlForms::default(), changes) {
        let mut inner = indent;
        if let Some(header) = &block.header {
            let mut line = Line::new(indent).push(Label::Hint, header);
            if let Some(which) = &block.which {
                line.add(Label::Dim, format!("  # {which}"));
            }
            page.line(&line)?;
            inner += 2;
        }
        for line in &block.lines {
            let line = match line {
                DiffLine::Added(depth, text) => {
                    Line::new(inner).plain("  ".repeat(*depth)).plain(text)
                }
                DiffLine::Changed { key, after, .. } => {
                    Line::new(inner).plain(format!("{key} = {after}"))
                }
                DiffLine::Hidden { key, .. } => Line::new(inner)
                    .plain(format!("{key} = "))
                    .push(Label::Dim, "(hidden)"),
                DiffLine::Removed(..) | DiffLine::Reordered(_) => continue,
            };
            page.line(&line.hang(inner + 2))?;
        }
    }
    Ok(())
}

fn diff_line(
    line: &DiffLine,
    sign_at: usize,
    text_at: usize,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let start = |label, sign: &str| {
        Line::new(sign_at)
            .hang(text_at + 2)
            .push(label, sign)
            .pad_to_column(text_at)
    };
    let room = |used: usize| {
        if page.style.verbose {
            usize::MAX
        } else {
            page.style.width.saturating_sub(used)
        }
    };
    match line {
        DiffLine::Changed { key, before, after } => {
            let used = text_at + display_width(key) + 3;
            // Truncate the escaped text, or an escape could be split and a line become too long.
            let (before, after) = (escape::safe(before), escape::safe(after));
            let (before, after) = toml_diff::highlight_difference(&before, &after, room(used));
            let side = |sign, label, emphasis, parts: &[DiffPart]| {
                let mut line = start(label, sign).push(label, format!("{key} = "));
                for part in parts {
                    line.add(if part.differs { emphasis } else { label }, &part.text);
                }
                line
            };
            page.line(&side("-", Label::Destroy, Label::DestroyEmphasis, &before))?;
            page.line(&side("+", Label::Create, Label::CreateEmphasis, &after))
        }
        DiffLine::Removed(depth, text) => {
            let text = truncate(text, room(text_at + depth * 2).max(16));
            let line = start(Label::Destroy, "-").plain("  ".repeat(*depth));
            page.line(&line.push(Label::Destroy, text))
        }
        DiffLine::Added(depth, text) => {
            let text = truncate(text, room(text_at + depth * 2).max(16));
            let line = start(Label::Create, "+").plain("  ".repeat(*depth));
            page.line(&line.push(Label::Create, text))
        }
        DiffLine::Hidden { key, what } => {
            let (sign, label, text) = match *what {
                "added" => ("+", Label::Create, " (hidden)"),
                "removed" => ("-", Label::Destroy, " (hidden)"),
                _ => ("~", Label::Change, " (changed, hidden)"),
            };
            let line = start(label, sign).push(label, key);
            page.line(&line.push(Label::Dim, text))
        }
        DiffLine::Reordered(key) => page.line(
            &start(Label::Change, "~")
                .push(Label::Change, key)
                .push(Label::Dim, " (same entries in another order)"),
        ),
    }
}
