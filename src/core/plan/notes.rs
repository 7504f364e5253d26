//! Texts of notes, warnings and refusals, each with its stable code.
//!
//! Text only: other modules decide when to add one.

use std::collections::BTreeSet;

use super::codes;
use super::members::Member;
use super::types::Note;
use crate::core::code::Code;
use crate::core::fleet::{GroupName, Known, MachineId, RunId};

/// What one part of the planner has to say. The plan has the remarks of all parts, in the order in which the parts are
/// joined.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) notes: Vec<Note>,
    pub(super) warnings: Vec<Note>,
    pub(super) refusals: Vec<Note>,
    pub(super) records: Vec<Note>,
}

impl Remarks {
    /// Adds the remarks of another part.
    pub(super) fn extend_with(&mut self, part: Self) {
        self.notes.extend(part.notes);
        self.warnings.extend(part.warnings);
        self.refusals.extend(part.refusals);
        self.records.extend(part.records);
    }

    /// The remarks of all parts, list by list.
    pub(super) fn join(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.extend_with(part);
        }
        all
    }
}

/// A note without a group or hint.
pub(super) fn note(code: Code, message: impl Into<String>) -> Note {
    Note {
        code: code.name().to_owned(),
        group: None,
        message: message.into(),
        hint: None,
    }
}

impl Note {
    /// Adds the group.
    #[must_use]
    pub(super) fn for_group(mut self, group: &GroupName) -> Self {
        self.group = Some(group.clone());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn join_with_and(items: &[impl AsRef<str>]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 Machine`, `3 Machines`.
pub(super) fn format_machine_count(n: usize) -> String {
    if n == 1 {
        "1 Machine".to_owned()
    } else {
        format!("{n} Machines")
    }
}

/// Up to eight ids, then how many more.
pub(super) fn format_ids<'a>(ids: impl IntoIterator<Item = &'a MachineId>) -> String {
    let all: Vec<&str> = ids.into_iter().map(MachineId::as_str).collect();
    match all.len() {
        0..=8 => all.join(" "),
        more => format!("{} + {} more", all[..8].join(" "), more - 8),
    }
}

/// Machines of a group that a run created without getting the answer. An adopted run does not count, since its
/// answers are unknown, nor do unreadable Machines, which the state may lack for that reason.
pub(super) fn late_creates_note(
    group: &GroupName,
    members: &[Member<'_>],
    known: &Known,
) -> Option<Note> {
    let was_taken_over = |member: &Member<'_>| {
        let run = member.observed.and_then(|seen| seen.stamps.run.as_ref());
        let mut runs = known.runs.iter();
        runs.any(|record| Some(&record.run) == run && record.is_taken_over())
    };
    let is_unexpected = |m: &&Member<'_>| {
        m.is_late_create() && !m.is_unlisted_and_unreadable() && !was_taken_over(m)
    };
    let all: Vec<_> = members.iter().filter(is_unexpected).collect();
    let runs = all.iter().filter_map(|m| m.observed?.stamps.run.as_ref());
    let runs: BTreeSet<&str> = runs.map(RunId::as_str).collect();
    let runs: Vec<&str> = runs.into_iter().collect();
    let (was, it) = if all.len() == 1 {
        ("was", "it")
    } else {
        ("were", "they")
    };
    (!all.is_empty()).then(|| {
        let message = format!(
            "{} of group `{group}` ({}) {was} created late: the create call of run {} got no answer, and \
             its place was filled or dropped since",
            format_machine_count(all.len()),
            format_ids(all.iter().map(|member| member.id)),
            runs.join(", ")
        );
        let hint = format!("{it} can fill a place that is needed; if the group has too many, {it} will be \
            destroyed first");
        note(codes::LATE_MACHINE, message).for_group(group).with_hint(hint)
    })
}

/// Machines that belong to no group of the plan.
pub(super) fn outsiders_note(kind: &str, all: &[&MachineId]) -> Note {
    let named = format_ids(all.iter().copied());
    let (code, what) = match kind {
        "ignored" => (
            codes::IGNORED_MACHINES,
            "removed from the state with `state rm`, left alone",
        ),
        "unknown" => (
            codes::UNREACHABLE_STRANGERS,
            "not in the state, and nothing readable identifies their owner; left alone",
        ),
        "special" => (
            codes::SPECIAL_MACHINES,
            "release-command, console, test or leftover canary Machines, in no process group",
        ),
        _ => (
            codes::STRANGERS,
            "not managed by Aeroform or Fly Launch, left alone",
        ),
    };
    note(
        code,
        format!("{}: {named} ({what})", format_machine_count(all.len())),
    )
}

/// Machines of another project folder on this computer.
pub(super) fn other_project_note(folder: &str, all: &[&MachineId]) -> Note {
    let named = format_ids(all.iter().copied());
    let message = format!(
        "{} of the same app in `{folder}`: {named} (left alone)",
        format_machine_count(all.len())
    );
    note(codes::OTHER_PROJECT, message)
        .with_hint("run aeroform there to change them; `aeroform import ID` adopts one")
}
