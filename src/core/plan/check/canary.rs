//! A group with the strategy `canary` changes no running Machine without a canary, and nothing of it begins before every
//! canary has passed. A canary of an earlier run is the only Machine that is removed as one.

use std::collections::BTreeSet;

use super::Checker;
use super::capacity::Ancestors;
use super::waits::in_place;
use crate::core::fleet::{Desired, GroupName, LaunchId, MachineState, Observed, Trial};
use crate::core::plan::options::PlanMode;
use crate::core::plan::types::{Action, Change, Removal, StepId};

impl Checker<'_> {
    pub(super) fn check_canary_identity(&mut self, id: StepId, change: &Change, launch: &LaunchId) {
        if !change.machine.name.matches_launch(launch) || change.machine.id.is_some() {
            self.report(format!(
                "step {} has a name that does not match its launch id",
                id.0
            ));
        }
    }

    pub(super) fn check_canaries(&mut self, desired: &Desired, observed: Option<&Observed>) {
        let changes: Vec<(StepId, &Change)> = self.plan.changes().collect();
        let is_trial = |change: &Change| matches!(change.action, Action::Canary { .. });
        let trials: Vec<(StepId, &GroupName)> = changes
            .iter()
            .filter(|(_, change)| is_trial(change))
            .map(|(id, change)| (*id, &change.group))
            .collect();
        let groups: BTreeSet<&GroupName> = trials.iter().map(|(_, group)| *group).collect();
        if groups.len() < trials.len() {
            self.report("a group has two canaries".to_owned());
        }
        let behind = Ancestors::of(self.plan);
        let mut seen: BTreeSet<&[StepId]> = BTreeSet::new();
        for (id, change) in &changes {
            if removal(change) == Some(Removal::Canary) {
                let machine = change.machine.id.as_ref();
                let machine = machine.and_then(|id| observed?.machines.get(id));
                if !machine.is_some_and(|machine| is_left_canary(machine, observed)) {
                    self.report(format!("step {} removes a Machine that is no canary", id.0));
                }
            } else if groups.contains(&change.group) && works(change) {
                let needs = self.plan.steps[id.0 as usize].needs.as_slice();
                if !seen.insert(needs) {
                    continue;
                }
                for (trial, _) in &trials {
                    if !behind.waits_for(*id, *trial) {
                        self.report(format!(
                            "step {} does not wait for the canary of step {}",
                            id.0, trial.0
                        ));
                    }
                }
            }
        }
        let judged = self.plan.refusals.is_empty() && self.plan.mode == PlanMode::Normal;
        for (id, change) in changes.iter().filter(|_| judged) {
            let group = desired.groups.get(&change.group);
            let tries = matches!(
                group.and_then(|group| group.trial),
                Some(Trial::Canary { .. })
            );
            if tries && changes_running(change) && !groups.contains(&change.group) {
                self.report(format!(
                    "step {} changes a running Machine without a canary",
                    id.0
                ));
            }
        }
    }
}

fn is_left_canary(machine: &crate::core::fleet::Machine, observed: Option<&Observed>) -> bool {
    let stamps = &machine.stamps;
    let scope = observed.map(|observed| &observed.description.scope);
    let launch = stamps.launch.as_deref();
    stamps.canary
        && stamps.lineage.as_ref() == scope
        && launch.is_some_and(|launch| machine.name.as_str().ends_with(&format!("-{launch}")))
}

fn removal(change: &Change) -> Option<Removal> {
    let Action::Destroy { removal, .. } = &change.action else {
        return None;
    };
    Some(*removal)
}

/// Whether it waits for a canary of its group.
fn works(change: &Change) -> bool {
    match &change.action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Move { .. }
        | Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Switch { .. } => true,
        Action::Adopt | Action::Forget | Action::Once { .. } | Action::Canary { .. } => false,
    }
}

/// Whether it gives a running primary another config in place.
fn changes_running(change: &Change) -> bool {
    in_place(&change.action)
        && !change.standby
        && !change.changes.is_empty()
        && change
            .state
            .is_none_or(|state| state == MachineState::Started)
}
