//! A rolling update waits for Machines that fail their checks, even if it does not change them: they are
//! unavailable as well, so no serving Machine goes down before they are up.

use std::collections::BTreeSet;

use super::Checker;
use super::capacity::Ancestors;
use crate::core::fleet::{
    CheckState, CheckStatus, Desired, GroupName, HostStatus, Known, Machine, MachineId,
    MachineState, Management, Observed, Strategy,
};
use crate::core::plan::types::{Action, Change, GateKind, Removal, StepId};

impl Checker<'_> {
    pub(super) fn check_waits(
        &mut self,
        desired: &Desired,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let Some(observed) = observed else {
            return;
        };
        let behind = Ancestors::of(self.plan);
        let changes: Vec<_> = self.plan.changes().collect();
        for (name, group) in &desired.groups {
            let rolls = matches!(group.strategy, Strategy::Rolling { .. });
            if !rolls || !group.template.has_checks() {
                continue;
            }
            let of_it: Vec<_> = changes
                .iter()
                .filter(|(_, change)| change.group == *name)
                .collect();
            let mut seen: BTreeSet<&[StepId]> = BTreeSet::new();
            let first_of_each: Vec<StepId> = of_it
                .iter()
                .filter(|(_, change)| takes_down(change, Some(observed)))
                .map(|(id, _)| *id)
                .filter(|id| seen.insert(self.plan.steps[id.0 as usize].needs.as_slice()))
                .collect();
            if first_of_each.is_empty() {
                continue;
            }
            let touched: BTreeSet<&MachineId> = changes
                .iter()
                .filter(|(_, change)| !matches!(change.action, Action::Adopt | Action::Wait))
                .filter_map(|(_, change)| change.machine.id.as_ref())
                .collect();
            let unhealthy = observed.counted_machines().filter(|machine| {
                is_unhealthy(machine, name, known) && !touched.contains(&machine.id)
            });
            let unhealthy = unhealthy.filter(|machine| {
                !self.is_filtered(name, &machine.region, &machine.id, machine.name.as_str())
            });
            let unhealthy: Vec<&Machine> = unhealthy.collect();
            for machine in unhealthy {
                let awaited = of_it.iter().find(|(_, change)| {
                    change.machine.id.as_ref() == Some(&machine.id)
                        && change.gate == GateKind::Healthy
                });
                for id in &first_of_each {
                    if !awaited.is_some_and(|(first, _)| behind.waits_for(*id, *first)) {
                        self.report(format!(
                            "step {} takes a Machine down while {} fails its checks",
                            id.0, machine.id
                        ));
                    }
                }
            }
        }
    }
}

/// Whether a serving Machine is down during this change. A replacement that is created first takes none down.
pub(super) fn takes_down(change: &Change, observed: Option<&Observed>) -> bool {
    let goes = in_place(&change.action)
        || match &change.action {
            // The new Machine waits for its volume.
            Action::Destroy {
                removal: Removal::Replaced,
                left_volumes: leaves,
            } => {
                let pin = change.precondition.as_ref();
                leaves.is_empty() && pin.is_some_and(|pin| !pin.volumes.is_empty())
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
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
        };
    goes && may_serve(change, observed)
}

/// Whether it changes a primary in place.
pub(super) fn in_place(action: &Action) -> bool {
    match action {
        Action::Update { standby_for } | Action::Move { standby_for, .. } => standby_for.is_empty(),
        Action::Create { .. }
        | Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => false,
    }
}

/// Whether the changed Machine may be serving. Offline each may; a Machine that failed, is not up or fails its
/// checks is not.
pub(super) fn may_serve(change: &Change, observed: Option<&Observed>) -> bool {
    let seen = change.machine.id.as_ref();
    let seen = seen.and_then(|id| observed?.machines.get(id));
    let fails = seen.is_some_and(has_critical_check);
    !fails
        && change
            .state
            .is_none_or(|state| state == MachineState::Started)
}

/// Whether it counts for this group, runs, and fails its checks.
fn is_unhealthy(machine: &Machine, group: &GroupName, known: &Known) -> bool {
    let ours = known.machines.contains_key(&machine.id)
        || matches!(machine.management, Management::Ours | Management::FlyLaunch)
            && !known.ignored_machines.contains(&machine.id);
    ours && machine.group.as_ref() == Some(group)
        && machine.standby_for.is_empty()
        && machine.host == HostStatus::Ok
        && machine.config.is_some()
        && machine.state == MachineState::Started
        && has_critical_check(machine)
}

pub(super) fn has_critical_check(machine: &Machine) -> bool {
    machine.checks.iter().any(is_critical)
}

fn is_critical(check: &CheckStatus) -> bool {
    check.status == CheckState::Critical
}
