//! A plan grouped for display: by group, and within a group one entry for all Machines with the same change.
//!
//! Only groups; the views write the texts. Takes linear time.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::change_bundle::{
    ChangeBundle, ChangeKind, MachineChange, NewMachineRole, RemovalReason, ReplaceOrder,
};
use super::drift_bundle::{self, DriftBundle};
use crate::core::fleet::{FieldChange, GroupName, MachineId, Region};
use crate::core::plan::way_back::RollbackEstimate;
use crate::core::plan::{
    Action, Branch, Change, GroupChange, GroupVerdict, Plan, Removal, ReplaceHalf, StepId, Verb,
};

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
    /// The other groups that switch to their greens together with it; none if it does not switch.
    pub switches_with: Option<Vec<&'a GroupName>>,
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
        let switching = plan
            .changes()
            .filter(|(_, change)| matches!(change.action, Action::Switch { .. }));
        let switching: Vec<&GroupName> = switching.map(|(_, change)| &change.group).collect();
        for section in &mut sections {
            section.bundles.sort_by_key(|bundle| bundle.kind);
            section.switches_with = switching.contains(&section.name).then(|| {
                let others = switching.iter().filter(|name| **name != section.name);
                others.copied().collect()
            });
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
            switches_with: None,
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
            ChangeKind::Destroy(RemovalReason::Canary | RemovalReason::SwapUndone)
            | ChangeKind::Wait
            | ChangeKind::Start
            | ChangeKind::Adopt
            | ChangeKind::Forget
            | ChangeKind::Canary
            | ChangeKind::Swap
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

/// The changes of a plan, with the two steps of a replacement or a swap joined.
fn machine_changes(
    plan: &Plan,
) -> impl Iterator<Item = (ChangeKind<'_>, &[FieldChange], MachineChange<'_>)> {
    let halves = Halves::of(plan);
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
        let old = halves.old.get(&id).copied();
        match &change.action {
            Action::Wait => alone(ChangeKind::Wait),
            Action::Start => alone(ChangeKind::Start),
            Action::Adopt => alone(ChangeKind::Adopt),
            Action::Forget => alone(ChangeKind::Forget),
            // A command belongs to no group, and a note says whether it runs, and why. The greens and blues of its group
            // tell a switch.
            Action::Once { .. } | Action::Switch { .. } => None,
            Action::Canary { .. } => alone(ChangeKind::Canary),
            Action::Move { from, .. } => alone(ChangeKind::Move(from)),
            Action::Update { .. } if plan.is_restart(change) => alone(ChangeKind::Restart),
            Action::Update { .. } => alone(ChangeKind::Update),
            Action::Create { green: Some(_), .. } => {
                Some(joined(ChangeKind::Swap, (id, change), old))
            }
            Action::Create {
                replaces: Some(_), ..
            } => {
                let order = match old {
                    Some((old, _)) if old < id => ReplaceOrder::OldFirst,
                    _ => ReplaceOrder::NewFirst,
                };
                Some(joined(ChangeKind::Replace(order), (id, change), old))
            }
            Action::Create { standby_for, .. } => {
                alone(ChangeKind::Create(if standby_for.is_empty() {
                    NewMachineRole::Primary
                } else {
                    NewMachineRole::Standby
                }))
            }
            Action::Destroy { .. } if halves.joined.contains(&id) => None,
            Action::Destroy {
                removal: Removal::Swapped,
                ..
            } => alone(ChangeKind::Swap),
            Action::Destroy { removal, .. } => {
                alone(ChangeKind::Destroy(RemovalReason::from_removal(*removal)))
            }
        }
    })
}

/// A create and the destroy of the Machine in whose place it comes.
fn joined<'a>(
    kind: ChangeKind<'a>,
    (id, change): (StepId, &'a Change),
    old: Option<(StepId, &'a Change)>,
) -> (ChangeKind<'a>, &'a [FieldChange], MachineChange<'a>) {
    let first_step = old.map_or(id, |(old, _)| id.min(old));
    let old = old.map(|(_, change)| change);
    let fields = match old {
        Some(old) if change.changes.is_empty() => &old.changes[..],
        _ => &change.changes[..],
    };
    let item = MachineChange {
        change,
        old,
        first_step,
    };
    (kind, fields, item)
}

/// Which destroys are the second halves of creates.
#[derive(Default)]
struct Halves<'a> {
    /// By the step of the create.
    old: HashMap<StepId, (StepId, &'a Change)>,
    /// The steps of these destroys.
    joined: HashSet<StepId>,
}

impl<'a> Halves<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut by_machine: HashMap<&MachineId, (StepId, &Change)> = HashMap::new();
        for (id, change) in plan.changes() {
            if let Action::Destroy {
                removal: Removal::Replaced | Removal::Swapped,
                ..
            } = change.action
                && let Some(machine) = &change.machine.id
            {
                by_machine.insert(machine, (id, change));
            }
        }
        let mut halves = Self::default();
        for (id, change) in plan.changes() {
            if let Some(old) = change.replaces().and_then(|old| by_machine.get(old)) {
                halves.join(id, *old);
            }
        }
        // A standby of a swap names no blue: any of its group and region will do.
        let mut left: HashMap<(&GroupName, &Region), Vec<(StepId, &Change)>> = HashMap::new();
        let blues = plan.changes().filter(|(id, change)| {
            let is_blue = change.action.verb() == (Verb::Swap, Some(ReplaceHalf::Destroy));
            is_blue && !halves.joined.contains(id)
        });
        for (id, blue) in blues {
            let of_region = left.entry((&blue.group, &blue.region)).or_default();
            of_region.push((id, blue));
        }
        for (id, green) in plan.changes() {
            let is_green = green.action.verb() == (Verb::Swap, Some(ReplaceHalf::Create));
            if is_green
                && green.replaces().is_none()
                && let Some(blue) = left
                    .get_mut(&(&green.group, &green.region))
                    .and_then(Vec::pop)
            {
                halves.join(id, blue);
            }
        }
        halves
    }

    fn join(&mut self, create: StepId, old: (StepId, &'a Change)) {
        self.old.insert(create, old);
        self.joined.insert(old.0);
    }
}

/// A text that is equal for equal changes; JSON values cannot be hashed.
fn grouping_key(fields: &[FieldChange], branches: &[Branch]) -> String {
    if fields.is_empty() && branches.is_empty() {
        return String::new();
    }
    let branches: Vec<&str> = branches.iter().map(Branch::as_str).collect();
    serde_json::to_string(&(fields, branches)).expect("plain data always serialises")
}
