//! The lines above a plan with a base: how the state of this checkout differs from that of the base.

use super::codes;
use crate::core::code::Code;
use crate::core::fleet::{AppName, Known};
use crate::core::plan::types::Note;
use crate::core::state;

/// The state file of one checkout.
#[derive(Debug, Clone, Copy)]
pub struct StateCopy<'a> {
    /// Its path from the top of the checkout.
    pub path: &'a str,
    /// Its content; none if it does not exist.
    pub text: Option<&'a str>,
}

/// How the state file of this checkout differs from the base's; empty if both are the same.
pub fn state_remarks(own: StateCopy<'_>, base: StateCopy<'_>, app: &AppName) -> Vec<Note> {
    let mut notes = Vec::new();
    let read = |copy: StateCopy<'_>| Some(state::read(copy.text?, app));
    let (ours, theirs) = (read(own), read(base));
    if let (Some(Ok(ours)), Some(Ok(theirs))) = (&ours, &theirs)
        && is_predecessor(ours, own.text.unwrap_or_default(), theirs)
    {
        let text = "this checkout is behind its base, or reverts its state file";
        let hint = "plan the merge result; if the change reverts the state file, take that out";
        notes.push(note(codes::BEHIND_BASE, text, hint));
    }
    if let Some(text) = edit_text(own, base, ours.as_ref(), theirs.as_ref()) {
        let hint = "only an apply writes the state: take the file as it is in the base";
        notes.push(note(codes::STATE_EDITED, text, hint));
    }
    if own.path != base.path {
        let text = format!(
            "`[state]` names `{}`, and `{}` in the base; this plan uses the base's state",
            own.path, base.path
        );
        let hint = match own.text {
            None => format!(
                "`{}` does not exist: after the merge an apply would start without a state",
                own.path
            ),
            Some(_) => format!("after the merge an apply uses `{}`", own.path),
        };
        notes.push(note(codes::STATE_LOCATION_CHANGED, text, hint));
    }
    notes
}

type ReadState = Result<Known, state::StateError>;

fn edit_text(
    own: StateCopy<'_>,
    base: StateCopy<'_>,
    ours: Option<&ReadState>,
    theirs: Option<&ReadState>,
) -> Option<String> {
    let path = own.path;
    let serial = |known: Option<&ReadState>| match known {
        None => Some("none".to_owned()),
        Some(Ok(known)) => Some(known.serial.to_string()),
        Some(Err(_)) => None,
    };
    match (own.text, base.text) {
        (None, None) => None,
        (Some(own), Some(base)) if own == base => None,
        // A new place without a file has a line of its own.
        (None, Some(_)) if own.path != base.path => None,
        (None, Some(_)) => Some(format!("this change removes `{path}`")),
        (Some(_), None) => Some(match serial(ours) {
            Some(serial) => format!("this change adds `{path}`, serial {serial}"),
            None => format!("this change adds `{path}`, which is not a state of this app"),
        }),
        (Some(_), Some(_)) => Some(match (serial(theirs), serial(ours)) {
            (Some(before), Some(after)) if before == after => {
                format!("this change edits `{path}`, serial {before} in both")
            }
            (Some(before), Some(after)) => {
                format!("this change edits `{path}`, serial {before} → {after}")
            }
            (_, None) => format!("this change edits `{path}`: it is no state of this app any more"),
            (None, Some(after)) => format!("this change edits `{path}`, serial {after} now"),
        }),
    }
}

/// Whether one state is an older version of the other.
fn is_predecessor(older: &Known, text: &str, newer: &Known) -> bool {
    let is_parent = || newer.parent.as_ref() == Some(&state::digest(text));
    let is_listed = || {
        let mut runs = newer.runs.iter();
        older.run.is_some() && runs.any(|run| older.run.as_ref() == Some(&run.run))
    };
    older.lineage == newer.lineage && older.serial < newer.serial && (is_parent() || is_listed())
}

/// The line about an app of another name or provider in the base.
pub fn old_app_note(app: &AppName, provider: &str) -> Note {
    let text = format!(
        "in the base this is app `{app}` on `{provider}`: that app and its Machines are left as they are"
    );
    let hint = "if they are not needed any more, destroy them with the manifests of the base";
    note(codes::OLD_APP_LEFT, text, hint)
}

/// The line about a base that was not compared.
pub fn not_compared_note(dir: &str, why: &str) -> Note {
    let text = format!("the base `{dir}` is not compared: {why}");
    let hint = "the plan is complete: what was pending before this change is part of it";
    note(codes::BASE_NOT_COMPARED, text, hint)
}

fn note(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Note {
    Note {
        code: code.name().to_owned(),
        group: None,
        message: message.into(),
        hint: Some(hint.into()),
    }
}
