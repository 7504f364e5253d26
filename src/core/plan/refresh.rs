//! Accepting what is there: of a plan only what the state learns, and nothing that anybody does.

use std::collections::BTreeSet;

use super::codes;
use super::notes::note;
use super::types::{
    Action, Change, DriftKind, GateKind, GroupVerdict, Note, Plan, Step, StepId, Work,
};
use crate::core::code::Ends;
use crate::core::fleet::{GroupName, MachineId};

/// The plan that only writes the state: Machines that were added are adopted, those that are gone are
/// forgotten, and of those that were changed the state remembers what is there, as far as the manifests
/// write it (RULES 10). What they want otherwise stays wanted, and a note names the fields.
pub fn refreshed(plan: &Plan) -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    let mut push = |change: Change| {
        let id = StepId(u32::try_from(steps.len()).unwrap_or(u32::MAX));
        steps.push(Step {
            id,
            needs: Vec::new(),
            pool: None,
            work: Work::Change(Box::new(change)),
        });
    };
    for (_, change) in plan.changes() {
        if matches!(change.action, Action::Adopt | Action::Forget) {
            push(Change {
                gate: GateKind::None,
                ..change.clone()
            });
        }
    }
    for drift in &plan.drift {
        if drift.kind == DriftKind::Changed {
            push(Change {
                action: Action::Adopt,
                group: drift.group.clone(),
                region: drift.region.clone(),
                machine: drift.machine.clone(),
                reason: "the state takes what is there".to_owned(),
                changes: Vec::new(),
                pin: None,
                gate: GateKind::None,
                branches: Vec::new(),
                state: None,
            });
        }
    }
    let touched: BTreeSet<GroupName> = steps
        .iter()
        .filter_map(|step| match &step.work {
            Work::Change(change) => Some(change.group.clone()),
            Work::Barrier { .. } => None,
        })
        .collect();
    let mut next = plan.clone();
    next.steps = steps;
    next.pools.clear();
    next.cost = None;
    next.records.clear();
    next.warnings.clear();
    next.notes.extend(wanted_otherwise(plan));
    // What a guard says about changes says nothing here; that state and world do not belong together does.
    let stale = |note: &Note| codes::named(&note.code).is_some_and(|c| c.ends() == Ends::Stale);
    next.refusals.retain(stale);
    for group in &mut next.groups {
        group.after = group.before;
        for (before, after) in group.regions.values_mut() {
            *after = *before;
        }
        group.verdict = if touched.contains(&group.name) {
            GroupVerdict::Changed
        } else {
            GroupVerdict::Unchanged
        };
        group.why = None;
    }
    next
}

/// The fields that somebody changed and that the manifests write: the next apply puts them back.
fn wanted_otherwise(plan: &Plan) -> Vec<Note> {
    let changed = plan.drift.iter().filter(|d| d.kind == DriftKind::Changed);
    let drifted: BTreeSet<&MachineId> = changed.filter_map(|d| d.machine.id.as_ref()).collect();
    let mut fields: BTreeSet<(&GroupName, String)> = BTreeSet::new();
    for (_, change) in plan.changes() {
        let of_drifted = change
            .machine
            .id
            .as_ref()
            .is_some_and(|id| drifted.contains(id));
        if of_drifted {
            let paths = change.changes.iter().map(|field| field.path.join("."));
            fields.extend(paths.map(|path| (&change.group, path)));
        }
    }
    let groups: BTreeSet<&GroupName> = fields.iter().map(|(group, _)| *group).collect();
    let of = |group: &GroupName| {
        let own = fields.iter().filter(|(name, _)| *name == group);
        own.map(|(_, path)| format!("`{path}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    groups
        .into_iter()
        .map(|group| {
            note(
                codes::WANTED_OTHERWISE,
                format!(
                    "group `{group}`: the manifests want {} otherwise than it is",
                    of(group)
                ),
            )
            .of(group)
            .hint("to keep what is there, write it in fly.toml; else the next apply puts it back")
        })
        .collect()
}
