//! Bringing the state to what is there (RULES 10): what was changed outside is taken over, what is gone
//! is forgotten, and no Machine changes.
//!
//! Of a config only the keys that the manifests write enter the state, so that nothing becomes a removal
//! later; what the manifests say otherwise is named, for the next apply puts it back.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::Decision;
use super::fields::Fields;
use super::members::{Fleet, Member};
use super::notes::note;
use super::types::{DriftKind, Note};
use crate::core::fleet::{Desired, GroupName, Lineage, MachineId};

/// Most fields that are named of one group.
const NAMED: usize = 8;

/// Decides every group that exists, wanted or not.
pub(super) fn decide<'a>(
    desired: &'a Desired,
    fleet: &Fleet<'a>,
    lineage: &'a Lineage,
) -> BTreeMap<GroupName, Decision<'a>> {
    let drifted = fleet
        .drift
        .iter()
        .filter(|drift| drift.kind == DriftKind::Changed);
    let changed: BTreeSet<&MachineId> = drifted.filter_map(|d| d.machine.id.as_ref()).collect();
    let decided = fleet.members.iter().map(|(name, members)| {
        let wanted = desired.groups.get(name);
        let mut decision = Decision {
            wanted,
            members: members.clone(),
            ..Decision::default()
        };
        let mut fields = Fields::of(wanted, lineage);
        let mut otherwise = BTreeSet::new();
        for member in members {
            let Some(reason) = reason(member, &changed) else {
                continue;
            };
            let found = fields.compare(member);
            otherwise.extend(found.changes.iter().map(|change| change.path.join(".")));
            // Nobody waits for anything here.
            let member = Member {
                unsettled: false,
                ..member.clone()
            };
            decision.adopted.push((member, reason.to_owned()));
        }
        if !otherwise.is_empty() {
            decision.notes.push(put_back(name, &otherwise));
        }
        (name.clone(), decision)
    });
    decided.collect()
}

/// Why the state takes it over; none for one that is as the state says.
fn reason(member: &Member<'_>, changed: &BTreeSet<&MachineId>) -> Option<&'static str> {
    if member.is_adopted() {
        Some("not in the state")
    } else if changed.contains(member.id) {
        Some("it was changed outside")
    } else if member.line_lags() && member.moved_from.is_none() {
        Some("its volumes, its group or whom it stands by for are others than in the state")
    } else {
        None
    }
}

fn put_back(name: &GroupName, otherwise: &BTreeSet<String>) -> Note {
    let fields: Vec<&str> = otherwise.iter().map(String::as_str).take(NAMED).collect();
    let more = match otherwise.len().saturating_sub(NAMED) {
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
    .of(name)
    .hint("to keep what is there, write it in fly.toml")
}
