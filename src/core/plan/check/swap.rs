//! A swap: nothing of a swapped group goes before the switch of every group, no switch comes before every green has
//! passed, and nothing destroys a green.

use std::collections::BTreeSet;

use super::Checker;
use super::capacity::Ancestors;
use crate::core::fleet::{GroupName, MachineId};
use crate::core::plan::types::{Action, Change, Removal, StepId};

impl<'a> Checker<'a> {
    /// The greens of an earlier run that this plan switches.
    pub(super) fn switched_machines(&self) -> BTreeSet<&'a MachineId> {
        let changes = self.plan.changes();
        changes
            .flat_map(|(_, change)| change.existing_greens())
            .collect()
    }

    pub(super) fn check_swap(&mut self, changes: &[(StepId, &Change)], ancestors: &Ancestors) {
        let switches: Vec<(StepId, &Change)> = changes
            .iter()
            .filter(|(_, change)| matches!(change.action, Action::Switch { .. }))
            .copied()
            .collect();
        let groups: BTreeSet<&GroupName> =
            switches.iter().map(|(_, change)| &change.group).collect();
        let green_ids = self.switched_machines();
        for (id, change) in changes {
            match &change.action {
                Action::Create { green: Some(_), .. } => {
                    if let Some((switch, _)) = switches
                        .iter()
                        .find(|(switch, _)| !ancestors.waits_for(*switch, *id))
                    {
                        self.report(format!(
                            "step {} switches before step {} has passed",
                            switch.0, id.0
                        ));
                    }
                }
                Action::Destroy {
                    removal: Removal::Swapped,
                    ..
                } => {
                    let waits = switches
                        .iter()
                        .all(|(switch, _)| ancestors.waits_for(*id, *switch));
                    if !waits || !groups.contains(&change.group) {
                        self.report(format!("step {} destroys a blue before the switch", id.0));
                    }
                }
                Action::Update { .. } | Action::Move { .. } if groups.contains(&change.group) => {
                    self.report(format!(
                        "step {} changes a Machine of a swapped group",
                        id.0
                    ));
                }
                Action::Create { .. }
                | Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Canary { .. }
                | Action::Switch { .. } => {}
            }
            let destroys = matches!(change.action, Action::Destroy { .. });
            if destroys
                && change
                    .machine
                    .id
                    .as_ref()
                    .is_some_and(|id| green_ids.contains(id))
            {
                self.report(format!("step {} destroys a green", id.0));
            }
        }
    }
}
