//! A plan grouped for display: by group, and within a group one entry for all Machines with the same change.
//!
//! Only groups; the views write the texts. Takes linear time.

use std::collections::{BTreeMap, HashMap};

use super::change_bundle::{
    ChangeBundle, ChangeKind, MachineChange, NewMachineRole, RemovalReason, ReplaceOrder,
};
use super::drift_bundle::{self, DriftBundle};
use crate::core::fleet::{FieldChange, GroupName, MachineId};
use crate::core::plan::way_back::RollbackEstimate;
use crate::core::plan::{Action, Branch, Change, GroupChange, GroupVerdict, Plan, Removal, StepId};

/// A plan grouped for display.
#[derive(Debug)]
pub struct Outline<'a> {
    /// Groups with changes; removed groups last.
    pub sections: Vec<Section<'a>>,
    /// Drift, grouped by equal differences.
    pub drift: Vec<DriftBundle<'a>>,
}

/// The changes of one group.
#[derive(Debug)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a GroupName,
    /// Its line of the plan.
    pub group: Option<&'a GroupChange>,
    /// Its changes, destroys last.
    pub bundles: Vec<ChangeBundle<'a>>,
    /// Whether the provider was read. If not, detached volumes are those that the state records.
    pub online: bool,
    /// Whether there is no state yet.
    pub is_first_plan: bool,
    /// What a rollback of its changes would undo.
    pub rollback: Option<RollbackEstimate>,
}

impl<'a> Outline<'a> {
    /// Groups a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let mut sections: BTreeMap<&GroupName, Section<'a>> = plan
            .groups
            .iter()
            .map(|group| (&group.name, Section::new(plan, &group.name, Some(group))))
            .collect();
        let mut positions: HashMap<(&GroupName, ChangeKind<'_>, String), usize> = HashMap::new();
        for (kind, fields, item) in machine_changes(plan) {
            let change = item.change;
            let section = sections
                .entry(&change.group)
                .or_insert_with(|| Section::new(plan, &change.group, None));
            let key = (&change.group, kind, grouping_key(fields, &change.branches));
            let position = *positions.entry(key).or_insert(section.bundles.len());
            match section.bundles.get_mut(position) {
                Some(bundle) => bundle.machines.push(item),
                None => section.bundles.push(ChangeBundle {
                    kind,
                    fields,
                    branches: &change.branches,
                    machines: vec![item],
                }),
            }
        }
        let mut sections: Vec<Section<'a>> = sections
            .into_values()
            .filter(|section| !section.bundles.is_empty())
            .collect();
        for section in &mut sections {
            section.bundles.sort_by_key(|bundle| bundle.kind);
        }
        sections.sort_by_key(Section::display_rank);
        Self {
            sections,
            drift: drift_bundle::drift_bundles(plan, &plan.drift),
        }
    }

    /// The section of a group.
    pub fn section(&self, name: &GroupName) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl<'a> Section<'a> {
    fn new(plan: &'a Plan, name: &'a GroupName, group: Option<&'a GroupChange>) -> Self {
        Self {
            name,
            group,
            bundles: Vec::new(),
            online: plan.online,
            is_first_plan: plan.serial == 0,
            rollback: plan.rollback_estimate(name),
        }
    }

    /// Whether the group is removed.
    pub fn is_removed(&self) -> bool {
        self.group
            .is_some_and(|group| group.verdict == GroupVerdict::Removed)
    }

    /// Whether it updates a Machine in place.
    pub fn has_updates(&self) -> bool {
        let mut bundles = self.bundles.iter();
        bundles.any(|bundle| bundle.kind == ChangeKind::Update)
    }

    /// Whether it has a change that a running Machine is down for.
    pub fn takes_down(&self) -> bool {
        self.bundles.iter().any(|bundle| match bundle.kind {
            ChangeKind::Move(_)
            | ChangeKind::Restart
            | ChangeKind::Update
            | ChangeKind::Replace(_)
            | ChangeKind::Destroy(
                RemovalReason::Replaced
                | RemovalReason::ChosenByUser
                | RemovalReason::Rebalanced
                | RemovalReason::CountLowered
                | RemovalReason::GroupRemoved
                | RemovalReason::AppDestroyed,
            ) => true,
            ChangeKind::Destroy(RemovalReason::Canary | RemovalReason::SwapUndone) => false,
            ChangeKind::Wait
            | ChangeKind::Start
            | ChangeKind::Adopt
            | ChangeKind::Forget
            | ChangeKind::Canary
            | ChangeKind::Create(_) => false,
        })
    }

    /// How many Machines it changes in each way (`to update`, 4), without the kinds that are not counted.
    pub fn counts(&self, counted: impl Fn(ChangeKind<'_>) -> bool) -> Vec<(&'static str, usize)> {
        let mut totals: Vec<(&str, usize)> = Vec::new();
        for bundle in self.bundles.iter().filter(|bundle| counted(bundle.kind)) {
            let word = bundle.kind.phrase();
            match totals.iter_mut().find(|(w, _)| *w == word) {
                Some((_, n)) => *n += bundle.machines.len(),
                None => totals.push((word, bundle.machines.len())),
            }
        }
        totals
    }

    fn display_rank(&self) -> u8 {
        self.group.map_or(0, |group| verdict_rank(group.verdict))
    }

    /// The kind of its changes, if all have the same one.
    pub fn only_kind(&self) -> Option<ChangeKind<'a>> {
        let first = self.bundles.first()?.kind;
        self.bundles
            .iter()
            .all(|bundle| bundle.kind == first)
            .then_some(first)
    }
}

/// The display order of groups: changed, added, removed, unchanged.
pub fn verdict_rank(verdict: GroupVerdict) -> u8 {
    match verdict {
        GroupVerdict::Changed => 0,
        GroupVerdict::Added => 1,
        GroupVerdict::Removed => 2,
        GroupVerdict::Unchanged => 3,
    }
}

/// The changes of a plan, with the two steps of a replacement joined.
fn machine_changes(
    plan: &Plan,
) -> impl Iterator<Item = (ChangeKind<'_>, &[FieldChange], MachineChange<'_>)> {
    let mut old_halves: HashMap<&MachineId, (StepId, &Change)> = HashMap::new();
    let mut replaced: HashMap<&MachineId, StepId> = HashMap::new();
    for (id, change) in plan.changes() {
        match (&change.action, &change.machine.id) {
            (
                Action::Destroy {
                    removal: Removal::Replaced,
                    ..
                },
                Some(machine),
            ) => {
                old_halves.insert(machine, (id, change));
            }
            (
                Action::Create {
                    replaces: Some(machine),
                    ..
                },
                _,
            ) => {
                replaced.insert(machine, id);
            }
            _ => {}
        }
    }
    plan.changes().filter_map(move |(id, change)| {
        let alone = |kind| {
            Some((
                kind,
                &change.changes[..],
                MachineChange {
                    change,
                    old: None,
                    first_step: id,
                },
            ))
        };
        match &change.action {
            Action::Wait => alone(ChangeKind::Wait),
            Action::Start => alone(ChangeKind::Start),
            Action::Adopt => alone(ChangeKind::Adopt),
            Action::Forget => alone(ChangeKind::Forget),
            // It belongs to no group; a note says whether it runs, and why.
            Action::Once { .. } => None,
            // The greens and blues of its group tell it.
            Action::Switch { .. } => None,
            Action::Canary { .. } => alone(ChangeKind::Canary),
            Action::Move { from, .. } => alone(ChangeKind::Move(from)),
            Action::Update { .. } if plan.is_restart(change) => alone(ChangeKind::Restart),
            Action::Update { .. } => alone(ChangeKind::Update),
            Action::Create {
                replaces: Some(machine),
                ..
            } => {
                let old = old_halves.get(machine);
                let order = match old {
                    Some((old, _)) if *old < id => ReplaceOrder::OldFirst,
                    _ => ReplaceOrder::NewFirst,
                };
                let first_step = old.map_or(id, |(old, _)| id.min(*old));
                let old = old.map(|(_, change)| *change);
                let fields = match old {
                    Some(old) if change.changes.is_empty() => &old.changes[..],
                    _ => &change.changes[..],
                };
                Some((
                    ChangeKind::Replace(order),
                    fields,
                    MachineChange {
                        change,
                        old,
                        first_step,
                    },
                ))
            }
            Action::Create { standby_for, .. } => {
                alone(ChangeKind::Create(if standby_for.is_empty() {
                    NewMachineRole::Primary
                } else {
                    NewMachineRole::Standby
                }))
            }
            Action::Destroy { removal, .. } => {
                let paired = change
                    .machine
                    .id
                    .as_ref()
                    .is_some_and(|machine| replaced.contains_key(machine));
                if *removal == Removal::Replaced && paired {
                    return None;
                }
                alone(ChangeKind::Destroy(RemovalReason::from_removal(*removal)))
            }
        }
    })
}

/// A text that is equal for equal changes; JSON values cannot be hashed.
fn grouping_key(fields: &[FieldChange], branches: &[Branch]) -> String {
    if fields.is_empty() && branches.is_empty() {
        return String::new();
    }
    let branches: Vec<&str> = branches.iter().map(Branch::as_str).collect();
    serde_json::to_string(&(fields, branches)).expect("plain data always serialises")
}
