//! Count edits of the verbs that change one Machine: exact maps of regions, with other regions unchanged.

use std::collections::{BTreeMap, BTreeSet};

use super::super::codes;
use super::super::edit::EditContext;
use super::super::scale;
use super::other_project_error;
use crate::core::fleet::{GroupName, Machine, MachineId, MachineState, Region};
use crate::core::manifest::edit::{Edit, GroupLayout};
use crate::core::plan::{Action, Removal};
use crate::ui::Failure;

/// A Machine from the preview or, offline, from the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetMachine {
    pub(super) id: MachineId,
    /// The group it counts for, after `[[moved]]`.
    pub(super) group: GroupName,
    pub(super) region: Region,
    pub(super) standby: bool,
    /// `None` offline.
    pub(super) state: Option<MachineState>,
    pub(super) has_volume: bool,
}

impl TargetMachine {
    /// Finds a managed Machine by id or name.
    pub(super) fn find(edit_context: &EditContext<'_>, id_or_name: &str) -> Result<Self, Failure> {
        let targets = Self::all(edit_context);
        if let Some((_, target)) = targets
            .into_iter()
            .find(|(name, target)| target.id.as_str() == id_or_name || name == id_or_name)
        {
            return Ok(target);
        }
        let seen = &edit_context.preview.observed;
        let is_it = |m: &&Machine| m.id.as_str() == id_or_name || m.name.as_str() == id_or_name;
        let mut others = seen.iter().flat_map(|seen| seen.other_projects.values());
        if let Some(other) = others.find(is_it) {
            return Err(other_project_error(other));
        }
        let observed = seen.iter().flat_map(|seen| seen.machines.values());
        if observed.into_iter().any(|machine| is_it(&machine)) {
            return Err(Failure::new(
                codes::FOREIGN_MACHINE,
                format!("Machine `{id_or_name}` is not in a group that Aeroform manages"),
            )
            .hint("use `fly machine` for it"));
        }
        Err(Failure::new(
            codes::NO_SUCH_MACHINE,
            format!("the app has no Machine `{id_or_name}`"),
        )
        .hint("`aeroform machine list` lists the Machines"))
    }

    /// Every Machine in the plan, with its name.
    pub(super) fn all(edit_context: &EditContext<'_>) -> Vec<(String, Self)> {
        let (preview, desired) = (edit_context.preview, edit_context.desired);
        let known = &preview.stored_state.known;
        let Some(observed) = &preview.observed else {
            let known = known.machines.iter();
            let targets = known.map(|(id, machine)| {
                let target = Self {
                    id: id.clone(),
                    group: desired.group_of(id, &machine.group),
                    region: machine.region.clone(),
                    standby: !machine.standby_for.is_empty(),
                    state: None,
                    has_volume: !machine.volumes.is_empty(),
                };
                (machine.name.to_string(), target)
            });
            return targets.collect();
        };
        let added = preview.plan.adopted_machines();
        let there = observed.counted_machines().filter(|machine| {
            let ours = known.machines.contains_key(&machine.id) || added.contains(&machine.id);
            ours && !machine.state.is_gone()
        });
        let targets = there.filter_map(|machine| {
            let remembered = known.machines.get(&machine.id);
            let group = machine.group.as_ref();
            let group = group.or_else(|| remembered.map(|known| &known.group))?;
            let target = Self {
                id: machine.id.clone(),
                group: desired.group_of(&machine.id, group),
                region: machine.region.clone(),
                standby: !machine.standby_for.is_empty(),
                state: Some(machine.state),
                has_volume: !machine.volumes.is_empty(),
            };
            Some((machine.name.to_string(), target))
        });
        targets.collect()
    }
}

/// Counts of groups during an edit.
pub(super) struct CountEdits<'g> {
    context: &'g EditContext<'g>,
    groups: BTreeMap<GroupName, GroupCounts>,
    /// Machines that are removed anyway: naming one lowers no count.
    surplus: BTreeMap<(GroupName, Region), u32>,
    /// Machines that are removed by name.
    removed: BTreeSet<MachineId>,
}

struct GroupCounts {
    primaries: BTreeMap<Region, u32>,
    standbys: u32,
    /// Whether standbys are written.
    write_standbys: bool,
}

impl<'g> CountEdits<'g> {
    pub(super) fn new(edit_context: &'g EditContext<'g>) -> Self {
        let mut surplus: BTreeMap<_, u32> = BTreeMap::new();
        let mut leaving = BTreeSet::new();
        for (_, change) in edit_context.preview.plan.changes() {
            let Action::Destroy { removal, .. } = &change.action else {
                continue;
            };
            match removal {
                Removal::CountLowered | Removal::Rebalanced => {
                    let region = (change.group.clone(), change.region.clone());
                    *surplus.entry(region).or_default() += 1;
                }
                Removal::Named | Removal::GroupRemoved | Removal::AppDestroyed => {
                    leaving.extend(change.machine.id.clone());
                }
                Removal::Replaced | Removal::Canary | Removal::Swapped | Removal::SwapUndone => {}
            }
        }
        Self {
            context: edit_context,
            groups: BTreeMap::new(),
            surplus,
            removed: leaving,
        }
    }

    fn group(&mut self, name: &GroupName) -> &mut GroupCounts {
        let edit_context = self.context;
        self.groups.entry(name.clone()).or_insert_with(|| {
            let primaries =
                scale::planned_primaries(edit_context.desired, &edit_context.preview.plan, name);
            let planned = edit_context
                .preview
                .plan
                .groups
                .iter()
                .find(|g| g.name == *name);
            let all = planned.map_or(0, |group| group.after);
            let written = edit_context
                .desired
                .groups
                .get(name)
                .and_then(|group| group.standby);
            let beside = || all.saturating_sub(primaries.values().sum());
            GroupCounts {
                standbys: written.unwrap_or_else(beside),
                write_standbys: false,
                primaries,
            }
        })
    }

    /// Adds one in this region.
    pub(super) fn add(&mut self, name: &GroupName, region: &Region) {
        *self
            .group(name)
            .primaries
            .entry(region.clone())
            .or_default() += 1;
    }

    /// Removes one in this Machine's region, unless the plan already does.
    pub(super) fn remove(&mut self, target: &TargetMachine) {
        if self.removed.contains(&target.id) {
            return;
        }
        let here = (target.group.clone(), target.region.clone());
        if let Some(n) = self.surplus.get_mut(&here).filter(|n| **n > 0) {
            *n -= 1;
            return;
        }
        let group = self.group(&target.group);
        if target.standby {
            group.standbys = group.standbys.saturating_sub(1);
            group.write_standbys = true;
        } else if let Some(n) = group.primaries.get_mut(&target.region) {
            *n = n.saturating_sub(1);
        }
    }

    /// The edits, and a sentence per group.
    pub(super) fn into_edits(self) -> (Vec<Edit>, Vec<String>) {
        let mut edits = Vec::new();
        let mut said = Vec::new();
        for (name, group) in self.groups {
            let GroupCounts {
                mut primaries,
                standbys,
                write_standbys: writes_standbys,
            } = group;
            primaries.retain(|_, n| *n > 0);
            said.push(describe_group(&name, &primaries));
            let standby = if writes_standbys && !primaries.is_empty() {
                Some(standbys)
            } else {
                scale::standby_count(self.context, &name, &primaries)
            };
            let layout = GroupLayout {
                regions: primaries,
                standby,
            };
            edits.push(Edit::Layout {
                group: name,
                layout,
            });
        }
        (edits, said)
    }
}

fn describe_group(name: &GroupName, primaries: &BTreeMap<Region, u32>) -> String {
    let n: u32 = primaries.values().sum();
    let counts: Vec<String> = primaries
        .iter()
        .map(|(region, n)| format!("{region} {n}"))
        .collect();
    match n {
        0 => format!(
            "group `{name}` then has no Machine; the next `fly deploy` would create Machines again"
        ),
        1 => format!("group `{name}` then has 1 Machine: {}", counts.join(", ")),
        n => format!(
            "group `{name}` then has {n} Machines: {}",
            counts.join(", ")
        ),
    }
}
