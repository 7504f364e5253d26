//! Bringing the state to what is there (rule 10): what was changed outside is taken over, what is gone
//! is forgotten, and no Machine changes.
//!
//! Of a config only the keys that the manifests write enter the state, so that nothing becomes a removal
//! later; what the manifests say otherwise is named, for the next apply puts it back. What no manifest says
//! is named with the line that would say it: a Machine of which nothing else enters the state is not adopted.

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

/// Most fields that are named of one group.
const MAX_NAMED_FIELDS: usize = 8;

/// Decides every group that exists, wanted or not.
pub(super) fn decide<'a>(
    desired: &'a Desired,
    fleet: &Fleet<'a>,
    remembered: CompareContext<'a>,
) -> BTreeMap<GroupName, GroupDecision<'a>> {
    let drifted = fleet
        .drift
        .iter()
        .filter(|drift| drift.kind == DriftKind::Changed);
    let changed: BTreeSet<&MachineId> = drifted.filter_map(|d| d.machine.id.as_ref()).collect();
    let decided = fleet.members.iter().map(|(name, members)| {
        let wanted = desired.groups.get(name);
        let mut decision = GroupDecision {
            desired: wanted,
            members: members.clone(),
            ..GroupDecision::default()
        };
        let mut fields = ConfigComparer::of(wanted, remembered);
        let mut otherwise = BTreeSet::new();
        let mut untold = UnmanagedFields::default();
        for member in members {
            let Some(reason) = adopt_reason(member, &changed) else {
                continue;
            };
            let says_more = untold.collect(wanted, member, remembered);
            if !says_more && !is_changed_by_unrecorded_run(member) {
                continue;
            }
            let found = fields.compare(member);
            let fields = found.changes.iter().map(|change| change.path.join("."));
            otherwise.extend(fields.filter(|field| !untold.fields.contains_key(field)));
            decision.adopted.push((member.clone(), reason.to_owned()));
        }
        if !otherwise.is_empty() {
            decision.notes.push(will_revert_note(name, &otherwise));
        }
        decision.notes.extend(untold.note(name));
        (name.clone(), decision)
    });
    decided.collect()
}

/// Why the state takes it over; none for one that is as the state says.
fn adopt_reason(member: &Member<'_>, changed: &BTreeSet<&MachineId>) -> Option<&'static str> {
    if member.is_unlisted_and_unreadable() {
        None
    } else if member.is_adopted() {
        Some("not in the state")
    } else if changed.contains(member.id) {
        Some("it was changed outside")
    } else if member.is_record_outdated() && member.moved_from.is_none() {
        Some("its volumes, its group or whom it stands by for are others than in the state")
    } else if is_changed_by_unrecorded_run(member) {
        Some("nobody has seen its last change work")
    } else {
        None
    }
}

/// Fields that somebody changed and that no file says, so that the state has no place for them: by path,
/// as they are on the Machines now.
#[derive(Debug, Default)]
struct UnmanagedFields {
    fields: BTreeMap<String, FieldChange>,
}

impl UnmanagedFields {
    /// Collects those of one Machine. Gives whether taking it in changes what the state says.
    fn collect(
        &mut self,
        wanted: Option<&DesiredGroup>,
        member: &Member<'_>,
        remembered: CompareContext<'_>,
    ) -> bool {
        let Some(seen) = member.observed else {
            return true;
        };
        let recorded = adopted_config(wanted, seen, remembered.filled, remembered.lineage);
        if wanted.is_some() {
            for change in drift_from(&recorded, seen, remembered)
                .into_iter()
                .flatten()
            {
                self.fields.entry(change.path.join(".")).or_insert(change);
            }
        }
        let lags = member.is_record_outdated() && member.moved_from.is_none();
        let same = |sent: &StoredConfig| match wanted {
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
            "group `{name}`: the state cannot take in {}{more}, since no file says it; the next apply undoes it",
            paths.join(", ")
        );
        let note = note(codes::NOT_TAKEN_IN, message).for_group(name);
        Some(note.with_hint(self.toml_suggestion()))
    }

    /// What fly.toml has to say: variables as their lines; the rest stands as fly.toml writes it where the
    /// drift is shown.
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
            return format!("to keep what is there, write {SHOWN} in fly.toml");
        }
        let beside = match self.fields.len() - variables.len() {
            0 => String::new(),
            _ => format!(" (and {SHOWN})"),
        };
        let lines = variables.join("\n");
        format!("to keep what is there, write this in fly.toml{beside}:\n[env]\n{lines}")
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
        // A string of JSON is one of TOML.
        Some(value) => format!("{name} = {value}"),
        None => format!("# without {name}"),
    }
}

/// Whether a run that the state does not list changed a known Machine last: the state has to know that nobody has
/// seen that work.
fn is_changed_by_unrecorded_run(member: &Member<'_>) -> bool {
    let told = member.known.is_some_and(|known| !known.unproven);
    told && member.proof != ChangeProof::Yes
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
            "group `{name}`: the manifests say otherwise, so the next apply puts back {}{more}",
            fields.join(", ")
        ),
    )
    .for_group(name)
    .with_hint("to keep what is there, write it in fly.toml")
}
