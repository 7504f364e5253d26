//! The words of notes, warnings and refusals, each with its stable code.
//!
//! Wording only: when one is said is decided where it is said.

use super::codes;
use super::types::Note;
use crate::core::code::Code;
use crate::core::fleet::{GroupName, MachineId};

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
    /// The same about a group.
    #[must_use]
    pub(super) fn of(mut self, group: &GroupName) -> Self {
        self.group = Some(group.clone());
        self
    }

    /// The same with a way out.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `1 Machine`, `3 Machines`.
pub(super) fn machines(n: usize) -> String {
    if n == 1 {
        "1 Machine".to_owned()
    } else {
        format!("{n} Machines")
    }
}

/// Up to eight ids, then how many more.
pub(super) fn ids<'a>(ids: impl IntoIterator<Item = &'a MachineId>) -> String {
    let all: Vec<&str> = ids.into_iter().map(MachineId::as_str).collect();
    match all.len() {
        0..=8 => all.join(" "),
        more => format!("{} + {} more", all[..8].join(" "), more - 8),
    }
}

/// Machines that are seen and left alone.
pub(super) fn outsiders(kind: &str, all: &[&MachineId]) -> Note {
    let named = ids(all.iter().copied());
    let (code, what) = match kind {
        "ignored" => (
            codes::IGNORED_MACHINES,
            "taken out of the state with `state rm`, left alone",
        ),
        "unreachable" => (
            codes::UNREACHABLE_STRANGERS,
            "not in the state, and their hosts do not say whose they are; left alone",
        ),
        "special" => (
            codes::SPECIAL_MACHINES,
            "release-command, console, test or leftover canary Machines, left alone",
        ),
        _ => (
            codes::STRANGERS,
            "not managed by Aeroform or Fly Launch, left alone",
        ),
    };
    note(code, format!("{}: {named} ({what})", machines(all.len())))
}
