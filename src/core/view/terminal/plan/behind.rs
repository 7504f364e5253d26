//! A state that is behind: the refusal first, and what the other run did in one line.

use std::borrow::Cow;
use std::fmt;

use super::remarks;
use crate::core::plan::{Note, Plan, codes};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum groups named.
const MAX_GROUPS: usize = 6;

/// Writes the refusals of a state that is behind, and how many Machines the other runs changed.
pub(super) fn first_lines(plan: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    let first: Vec<Note> = plan
        .refusals
        .iter()
        .filter(|note| is_first(note))
        .cloned()
        .collect();
    if first.is_empty() {
        return Ok(());
    }
    remarks::render_notes("refused", Label::Error, &first, page)?;
    let groups = plan.machines_of_unlisted_runs();
    let more = groups.len().saturating_sub(MAX_GROUPS);
    let mut names: Vec<String> = groups
        .iter()
        .take(MAX_GROUPS)
        .map(|(group, n)| format!("{group} {}", phrases::group_digits(*n)))
        .collect();
    if more > 0 {
        names.push(phrases::count_noun(more, "more group"));
    }
    let of_groups = if names.is_empty() {
        String::new()
    } else {
        format!(" ({})", names.join(", "))
    };
    let run = match first.len() {
        1 => "that run",
        _ => "those runs",
    };
    let n = phrases::count_noun(plan.unlisted_machine_count(), "Machine");
    let mut line = Line::new(2).plain(format!("{n} as {run} left them{of_groups}"));
    if !page.style.verbose {
        line.add(Label::Dim, "; -v shows what this plan would change on them");
    }
    page.line(&line)?;
    page.blank()
}

/// The plan to show: unless verbose, without what those runs did.
pub(super) fn folded<'a>(plan: &'a Plan, page: &LineWriter<'_>) -> Cow<'a, Plan> {
    if plan.unlisted_runs.is_empty() || page.style.verbose {
        Cow::Borrowed(plan)
    } else {
        Cow::Owned(plan.without_unlisted_runs())
    }
}

/// The refusals that are not written first.
pub(super) fn without_first(refusals: &[Note]) -> Vec<Note> {
    let others = refusals.iter().filter(|note| !is_first(note));
    others.cloned().collect()
}

fn is_first(note: &Note) -> bool {
    note.code == codes::STATE_BEHIND.name()
}
