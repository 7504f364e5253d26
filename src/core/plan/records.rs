//! State changes without a step: a protection that begins or ends, secrets that leave the file.

use super::codes;
use super::members::Fleet;
use super::notes::note;
use super::options::{Options, PlanMode};
use super::types::Note;
use crate::core::fleet::{Desired, GroupName, Known};

/// State changes without a step.
pub(super) fn record_notes(
    desired: &Desired,
    known: &Known,
    fleet: &Fleet<'_>,
    options: &Options,
) -> Vec<Note> {
    let mut found = Vec::new();
    if options.mode == PlanMode::Destroy {
        return found;
    }
    if known.configs_with_cleartext > 0 {
        let configs = match known.configs_with_cleartext {
            1 => "1 config in the state has a secret in cleartext".to_owned(),
            n => format!("{n} configs in the state have a secret in cleartext"),
        };
        found.push(note(
            codes::SECRETS_IN_STATE,
            format!("{configs}: an apply replaces it with a hash"),
        ));
    }
    let covered = |name: &GroupName| options.requested.covers_group(name);
    for (name, group) in desired.groups.iter().filter(|(name, _)| covered(name)) {
        let was_protected = known.protected_groups.contains(name)
            || desired
                .moved
                .iter()
                .any(|m| m.to == *name && known.protected_groups.contains(&m.from));
        let exists = fleet.members.contains_key(name);
        match (group.protect, was_protected) {
            (true, false) if exists => {
                found.push(
                    note(codes::PROTECTS, format!("group `{name}` becomes protected"))
                        .for_group(name),
                );
            }
            (false, true) => found.push(
                note(
                    codes::UNPROTECTS,
                    format!("group `{name}` is no longer protected"),
                )
                .for_group(name),
            ),
            (true, _) | (false, false) => {}
        }
    }
    for name in known
        .protected_groups
        .iter()
        .filter(|name| !desired.groups.contains_key(*name))
    {
        let moved = desired.moved.iter().any(|m| m.from == *name);
        if !moved && covered(name) && !fleet.members.contains_key(name) {
            found.push(note(
                codes::UNPROTECTS,
                format!("group `{name}` no longer exists, so its protection ends"),
            ));
        }
    }
    found
}
