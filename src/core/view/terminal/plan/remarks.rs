//! Changes of the state only, notes, warnings and refusals.

use std::fmt;

use super::behind;
use crate::core::plan::{Note, Plan};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum notes per kind.
const MAX_SHOWN: usize = 20;

/// Writes all notes; refusals last, without those that the plan begins with.
pub(super) fn remarks(plan: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    records_and_warnings(plan, page)?;
    let refusals = behind::without_first(&plan.refusals);
    render_notes("refused", Label::Error, &refusals, page)
}

/// Writes all notes but the refusals.
pub(super) fn records_and_warnings(plan: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    render_notes(
        "written to the state, no Machine changes",
        Label::Strong,
        &plan.records,
        page,
    )?;
    render_notes("note", Label::Hint, &plan.notes, page)?;
    render_notes("warning", Label::Warning, &plan.warnings, page)
}

/// Writes the notes of one kind.
pub(super) fn render_notes(
    word: &str,
    label: Label,
    notes: &[Note],
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    if notes.is_empty() {
        return Ok(());
    }
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_SHOWN
    };
    for note in notes.iter().take(limit) {
        let mut line = Line::new(0).push(label, format!("{word}:")).plain(" ");
        // Some messages already name their group.
        if let Some(group) = &note.group
            && !note.message.contains(group.as_str())
        {
            line.add(Label::Plain, format!("group {group}: "));
        }
        line.add(Label::Plain, &note.message);
        page.line(&line)?;
        if let Some(hint) = &note.hint {
            self::hint(hint, page)?;
        }
    }
    let more = notes.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "{word}: and {} more (-v shows all)",
            phrases::group_digits(more)
        );
        page.line(&Line::new(0).push(label, text))?;
    }
    page.blank()
}

/// Writes a hint; lines after the first are for copying.
pub(super) fn hint(text: &str, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut rows = text.lines();
    let first = rows.next().unwrap_or("");
    let line = Line::new(2).hang(8).push(Label::Hint, "hint: ");
    page.line(&line.plain(first))?;
    for row in rows {
        page.line(&Line::new(8).push(Label::Hint, row))?;
    }
    Ok(())
}
