//! Updates the state to match the platform (rule 10): changes from outside are recorded, missing Machines are
//! forgotten, and no Machine changes.
//!
//! The state records only keys that the manifests set, so that nothing becomes a removal later. Notes list the
//! fields where the manifests differ, since the next apply reverts these, and the fields that no manifest sets,
//! with the lines that would set them. A Machine that would add nothing to the state is not adopted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::FieldChange;
use super::codes;
use super::decision::GroupDecision;
use super::fields::{CompareContext, ConfigComparer, adopted_config, is_recorded};
use super::members::{ChangeProof, Fleet, Member, drift_from};
use super::notes::note;
use super::types::{DriftKind, Note};
use crate::core::fleet::{Desired, DesiredGroup, GroupName, MachineId, StoredConfig};

/// The most fields named per group.
const MAX_NAMED_FIELDS: usize = 8;

/// Decides every existing group, desired or not.
pub(super) fn decide<'a>(
    desired: &'a Desired,
    fleet: &Fleet<'a>,
    context: CompareContext<'a>,
) -> BTreeMap<GroupName, GroupDecision<'a>> {
    let drifted = fleet
        .drift
        .iter()
        .filter(|drift| drift.kind == DriftKind::Changed);
    let changed: BTreeSet<&MachineId> = drifted.filter_map(|d| d.machine.id.as_ref()).collect();
    let decided = fleet.members.iter().map(|(name, members)| {
        let group = desired.groups.get(name);
        let mut decision = GroupDecision {
            desired: group,
            members: members.clone(),
            ..GroupDecision::default()
        };
        let mut fields = ConfigComparer::of(group, context);
        let mut otherwise = BTreeSet::new();
        let mut unmanaged = UnmanagedFields::default();
        for member in members {
            let Some(reason) = adopt_reason(member, &changed) else {
                continue;
            };
            let says_more = unmanaged.collect(group, member, context);
            if !says_more && !is_changed_by_unrecorded_run(member) {
                continue;
            }
            let found = fields.compare(member);
            let fields = found.changes.iter().map(|change| change.path.join("."));
            otherwise.extend(fields.filter(|field| !unmanaged.fields.contains_key(field)));
            decision.adopted.push((member.clone(), reason.to_owned()));
        }
        if !otherwise.is_empty() {
            decision.notes.push(will_revert_note(name, &otherwise));
        }
        decision.notes.extend(unmanaged.note(name));
        (name.clone(), decision)
    });
    decided.collect()
}

/// Why the state records it again; none if it matches.
fn adopt_reason(member: &Member<'_>, changed: &BTreeSet<&MachineId>) -> Option<&'static str> {
    if member.is_unlisted_and_unreadable() {
        None
    } else if member.is_adopted() {
        Some("not in the state")
    } else if changed.contains(member.id) {
        Some("changed outside Aeroform")
    } else if member.is_record_outdated() && member.moved_from.is_none() {
        Some("its volumes, group or standby targets differ from the state")
    } else if is_changed_by_unrecorded_run(member) {
        Some("its last change was never seen healthy")
    } else {
        None
    }
}

/// Changed fields that no manifest sets, so that the state cannot record them: by path, with their current
/// values.
#[derive(Debug, Default)]
struct UnmanagedFields {
    fields: BTreeMap<String, FieldChange>,
}

impl UnmanagedFields {
    /// Collects those of one Machine. Returns whether adopting it changes the state.
    fn collect(
        &mut self,
        group: Option<&DesiredGroup>,
        member: &Member<'_>,
        context: CompareContext<'_>,
    ) -> bool {
        let Some(seen) = member.observed else {
            return true;
        };
        let recorded = adopted_config(group, seen, context.computed, context.lineage);
        if group.is_some() {
            for change in drift_from(&recorded, seen, context).into_iter().flatten() {
                self.fields.entry(change.path.join(".")).or_insert(change);
            }
        }
        let lags = member.is_record_outdated() && member.moved_from.is_none();
        let same = |sent: &StoredConfig| match group {
            Some(group) => is_recorded(group, &recorded, sent, member),
            None => sent.is_equivalent_to(&recorded),
        };
        member.is_adopted() || lags || !member.sent.is_some_and(same)
    }

    fn note(self, name: &GroupName) -> Option<Note> {
        if self.fields.is_empty() {
            return None;
        }
        let paths: Vec<&str> = self
            .fields
            .keys()
            .map(String::as_str)
            .take(MAX_NAMED_FIELDS)
            .collect();
        let more = match self.fields.len() - paths.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "group `{name}`: the state cannot record {}{more}, which no manifest sets; the next apply \
             reverts it",
            paths.join(", ")
        );
        let note = note(codes::NOT_TAKEN_IN, message).for_group(name);
        Some(note.with_hint(self.toml_suggestion()))
    }

    /// What to add to fly.toml: variables as lines; other fields are shown with the drift.
    fn toml_suggestion(&self) -> String {
        const SHOWN: &str = "the lines marked `+` above";
        let variables = self
            .fields
            .values()
            .filter_map(|change| match change.path.as_slice() {
                [table, key] if table == "env" => Some(env_line(key, change)),
                _ => None,
            });
        let variables: Vec<String> = variables.collect();
        if variables.is_empty() {
            return format!("to keep the current values, add {SHOWN} to fly.toml");
        }
        let beside = match self.fields.len() - variables.len() {
            0 => String::new(),
            _ => format!(" (and {SHOWN})"),
        };
        let lines = variables.join("\n");
        format!("to keep the current values, add this to fly.toml{beside}:\n[env]\n{lines}")
    }
}

/// A variable as a line of `[env]`.
fn env_line(key: &str, change: &FieldChange) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    };
    match &change.after {
        Some(_) if change.hidden => {
            format!("{name} = \"…\"   # hidden; `fly secrets set` keeps it out of the file")
        }
        // A JSON string is also a TOML string.
        Some(value) => format!("{name} = {value}"),
        None => format!("# without {name}"),
    }
}

/// Whether a run that the state does not list changed a known Machine last: the state must record the change as
/// unconfirmed.
fn is_changed_by_unrecorded_run(member: &Member<'_>) -> bool {
    let is_recorded_proven = member.known.is_some_and(|known| !known.unproven);
    is_recorded_proven && member.proof != ChangeProof::Yes
}

fn will_revert_note(name: &GroupName, otherwise: &BTreeSet<String>) -> Note {
    let fields: Vec<&str> = otherwise
        .iter()
        .map(String::as_str)
        .take(MAX_NAMED_FIELDS)
        .collect();
    let more = match otherwise.len().saturating_sub(MAX_NAMED_FIELDS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    note(
        codes::PUT_BACK_LATER,
        format!(
            "group `{name}`: the manifests differ, so the next apply reverts {}{more}",
            fields.join(", ")
        ),
    )
    .for_group(name)
    .with_hint("to keep the current values, set them in fly.toml")
}
