//! Drift grouped for display: Machines of a group with the same difference and the same resolution.
//!
//! Only groups; the views write the texts. The resolution follows from the plan's steps.

use std::collections::{BTreeMap, HashMap};

use crate::core::fleet::{FieldChange, GroupName, MachineId};
use crate::core::plan::{Action, Change, Drift, DriftKind, Plan, PlanMode};

/// Machines that differ from the state in the same way.
#[derive(Debug)]
pub struct DriftBundle<'a> {
    /// The kind of drift.
    pub kind: DriftKind,
    /// Their group.
    pub group: &'a GroupName,
    /// What the plan does with the fields; none for other modes, or if the Machine is destroyed.
    pub resolution: Option<DriftResolution>,
    /// The drifted fields, sent → actual.
    pub fields: &'a [FieldChange],
    /// The Machines, by region.
    pub machines: Vec<&'a Drift>,
}

/// What a plan does with drifted fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftResolution {
    /// They get their old values.
    Reverted,
    /// Some are changed, or get other values than the old ones.
    ChangedFurther,
    /// They are kept.
    Kept,
}

/// Differences of a plan, by group.
pub(super) fn drift_bundles<'a>(
    plan: &'a Plan,
    drift: impl IntoIterator<Item = &'a Drift>,
) -> Vec<DriftBundle<'a>> {
    let steps: HashMap<&MachineId, &Change> = plan
        .changes()
        .map(|(_, change)| change)
        .filter(|change| {
            matches!(
                change.action,
                Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. }
            )
        })
        .filter_map(|change| Some((change.machine.id.as_ref()?, change)))
        .collect();
    let mut bundles: BTreeMap<_, DriftBundle<'_>> = BTreeMap::new();
    for drift in drift {
        let is_open = plan.mode == PlanMode::Normal && drift.kind == DriftKind::Changed;
        let resolution = is_open.then(|| drift_resolution(drift, &steps)).flatten();
        let same = serde_json::to_string(&drift.changes).expect("plain data always serialises");
        let bundle = bundles
            .entry((&drift.group, kind_rank(drift.kind), resolution, same))
            .or_insert_with(|| DriftBundle {
                kind: drift.kind,
                group: &drift.group,
                resolution,
                fields: &drift.changes,
                machines: Vec::new(),
            });
        bundle.machines.push(drift);
    }
    let mut bundles: Vec<_> = bundles.into_values().collect();
    for bundle in &mut bundles {
        bundle.machines.sort_by_key(|drift| &drift.region);
    }
    bundles
}

fn kind_rank(kind: DriftKind) -> u8 {
    match kind {
        DriftKind::Changed => 0,
        DriftKind::Missing => 1,
        DriftKind::Added => 2,
    }
}

fn drift_resolution(
    drift: &Drift,
    steps: &HashMap<&MachineId, &Change>,
) -> Option<DriftResolution> {
    let id = drift.machine.id.as_ref();
    let Some(step) = id.and_then(|id| steps.get(id)) else {
        return Some(DriftResolution::Kept);
    };
    if matches!(step.action, Action::Destroy { .. }) {
        return None;
    }
    let change_of =
        |field: &FieldChange| step.changes.iter().find(|change| change.path == field.path);
    let is_reverted = |field: &FieldChange| {
        change_of(field).is_some_and(|change| field.hidden || change.after == field.before)
    };
    Some(if drift.changes.iter().all(is_reverted) {
        DriftResolution::Reverted
    } else if drift.changes.iter().any(|field| change_of(field).is_some()) {
        DriftResolution::ChangedFurther
    } else {
        DriftResolution::Kept
    })
}
