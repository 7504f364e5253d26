//! A filtered plan changes nothing outside its filters, and says what it leaves out.

use std::collections::BTreeSet;

use super::Checker;
use crate::core::fleet::{GroupName, Known, MachineId, Observed, Region};
use crate::core::plan::types::{Action, Removal};

impl Checker<'_> {
    /// Machines of which the plan leaves a change or a wait out.
    pub(super) fn machines_left_out(&self) -> BTreeSet<MachineId> {
        let left = self.plan.left_out.iter();
        left.flat_map(|left| left.machines.iter().cloned())
            .collect()
    }

    /// Whether the plan leaves out something of this group, or a Machine that would leave it.
    pub(super) fn is_left_out(
        &self,
        group: &GroupName,
        known: &Known,
        observed: Option<&Observed>,
    ) -> bool {
        let is_now = |id: &MachineId| {
            let seen = observed.and_then(|observed| observed.machines.get(id));
            let seen = seen.and_then(|machine| machine.group.as_ref());
            let known = known.machines.get(id).map(|machine| &machine.group);
            seen.or(known) == Some(group)
        };
        let mut left = self.plan.left_out.iter();
        left.any(|left| left.group == *group || left.machines.iter().any(is_now))
    }

    /// Whether a filter names this Machine, or everything but it.
    pub(super) fn is_filtered(
        &self,
        group: &GroupName,
        region: &Region,
        id: &MachineId,
        name: &str,
    ) -> bool {
        let requested = &self.plan.requested;
        let called = |one: &MachineId| one == id || one.as_str() == name;
        self.is_place_filtered(group, region)
            || (!requested.only.is_empty() && !requested.only.iter().any(called))
            || requested.exclude.iter().any(called)
    }

    fn is_place_filtered(&self, group: &GroupName, region: &Region) -> bool {
        let requested = &self.plan.requested;
        let groups = requested.groups.is_empty() || requested.groups.contains(group);
        let regions = requested.regions.is_empty() || requested.regions.contains(region);
        !groups || !regions || requested.exclude_regions.contains(region)
    }

    /// No step is outside the filters, what is left out has no step, and without a filter nothing is left out.
    pub(super) fn check_filter(&mut self, known: &Known, observed: Option<&Observed>) {
        let requested = &self.plan.requested;
        let filters = [
            requested.groups.is_empty(),
            requested.regions.is_empty(),
            requested.exclude_regions.is_empty(),
            requested.only.is_empty(),
            requested.exclude.is_empty(),
        ];
        let mut found = Vec::new();
        if filters.iter().all(|is_empty| *is_empty) {
            let left = self.plan.left_out.iter();
            found.extend(
                left.map(|left| format!("group `{}` is left out without a filter", left.group)),
            );
        }
        let left_out = self.machines_left_out();
        let switched = self.switched_machines();
        for (id, change) in self.plan.changes() {
            let is_new = match &change.action {
                // The first are no changes, but the record of what is. Filters hold back no swap: one that an earlier run
                // began is undone or goes on, and a new one that they divide is refused.
                Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Create { green: Some(_), .. }
                | Action::Destroy {
                    removal: Removal::Swapped | Removal::SwapUndone,
                    ..
                } => continue,
                // The old one tells.
                Action::Create {
                    replaces: Some(_), ..
                }
                | Action::Canary { .. } => true,
                Action::Create { replaces: None, .. } => {
                    if !requested.only.is_empty() {
                        found.push(format!(
                            "step {} creates a Machine that no filter names",
                            id.0
                        ));
                    }
                    true
                }
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Wait
                | Action::Start => false,
            };
            let machine = change.machine.id.as_ref().filter(|_| !is_new);
            if machine.is_some_and(|machine| switched.contains(machine)) {
                continue;
            }
            let filtered = match machine {
                None => self.is_place_filtered(&change.group, &change.region),
                Some(machine) => {
                    let seen = observed.and_then(|observed| observed.machines.get(machine));
                    let name = seen.map(|seen| seen.name.as_str());
                    let name = name.or_else(|| Some(known.machines.get(machine)?.name.as_str()));
                    self.is_filtered(&change.group, &change.region, machine, name.unwrap_or(""))
                }
            };
            if filtered {
                found.push(format!("step {} is outside the filters", id.0));
            }
            let replaced = change.replaces().into_iter();
            for machine in machine.into_iter().chain(replaced) {
                if left_out.contains(machine) {
                    found.push(format!(
                        "Machine {machine} is left out but step {} changes it",
                        id.0
                    ));
                }
            }
        }
        for text in found {
            self.report(text);
        }
    }
}
