//! A Machine whose last change was never seen healthy is awaited, and no other goes down before it has passed
//! (rule 29).

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::capacity::Ancestors;
use super::waits::takes_down;
use crate::core::fleet::{
    CheckState, Desired, DesiredGroup, GroupName, HostStatus, Known, Lineage, Machine, MachineId,
    MachineName, MachineState, Management, Observed, Strategy,
};
use crate::core::plan::options::PlanMode;
use crate::core::plan::types::{Action, Change, GateKind, StepId};

/// The observed state of an unconfirmed Machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnprovenState {
    /// It is not serving.
    Down,
    /// It may be serving.
    Up,
}

/// Unconfirmed Machines of desired groups that are not visibly healthy.
pub(super) fn unproven_machines<'o>(
    desired: &Desired,
    known: &Known,
    observed: &'o Observed,
) -> BTreeMap<&'o MachineId, UnprovenState> {
    let scope = &observed.description.scope;
    let unproven = |machine: &&Machine| {
        let record = known.machines.get(&machine.id);
        let part = machine.name.as_str().rsplit('-').next();
        let pending = known
            .pending_creates
            .iter()
            .any(|pending| Some(pending.launch.as_str()) == part);
        record.is_some_and(|record| record.unproven)
            || record.is_none() && pending
            || stamped_since(machine, known, scope)
    };
    let found = observed.counted_machines().filter(unproven);
    let found = found.filter_map(|machine| {
        let now = machine.group.as_ref()?;
        let group = desired.groups.get(&desired.group_of(&machine.id, now))?;
        Some((&machine.id, unproven_state(machine, group, known)?))
    });
    found.collect()
}

fn stamped_since(machine: &Machine, known: &Known, scope: &Lineage) -> bool {
    let stamps = &machine.stamps;
    let (Some(run), Some(serial)) = (&stamps.run, stamps.serial) else {
        return false;
    };
    let later = serial > known.serial
        || serial == known.serial && known.run.as_ref().is_none_or(|last| last != run);
    stamps.lineage.as_ref() == Some(scope)
        && later
        && known.runs.iter().all(|listed| listed.run != *run)
}

/// None if nothing is left to confirm.
fn unproven_state(machine: &Machine, group: &DesiredGroup, known: &Known) -> Option<UnprovenState> {
    let ours = known.machines.contains_key(&machine.id)
        || matches!(machine.management, Management::Ours | Management::FlyLaunch)
            && !known.ignored_machines.contains(&machine.id);
    let config = machine.config.as_deref()?;
    let awaits = matches!(group.strategy, Strategy::Rolling { .. });
    if !ours || !awaits || machine.host != HostStatus::Ok || !machine.standby_for.is_empty() {
        return None;
    }
    let checked = group.template.has_checks();
    match machine.state {
        MachineState::Created
        | MachineState::Starting
        | MachineState::Replacing
        | MachineState::Unknown
        | MachineState::Failed => Some(UnprovenState::Down),
        MachineState::Started if checked => {
            let passes = machine
                .checks
                .iter()
                .filter(|check| check.status == CheckState::Passing);
            let passing = passes.count();
            (passing == 0 || passing < machine.checks.len()).then_some(UnprovenState::Down)
        }
        MachineState::Started => {
            let recorded = known.serial > 0
                || known
                    .machines
                    .get(&machine.id)
                    .is_some_and(|record| record.unproven);
            recorded.then_some(UnprovenState::Up)
        }
        MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended => {
            let serves = checked || group.template.has_services();
            let bad = machine
                .last_exit()
                .is_some_and(|exit| !exit.requested && (exit.is_crash() || serves));
            (bad && config.schedule.is_none()).then_some(UnprovenState::Down)
        }
        MachineState::Destroying | MachineState::Destroyed => None,
    }
}

impl Checker<'_> {
    pub(super) fn check_unproven(
        &mut self,
        desired: &Desired,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let Some(observed) = observed else {
            return;
        };
        let unproven = unproven_machines(desired, known, observed);
        if unproven.is_empty()
            || self.plan.mode != PlanMode::Normal
            || !self.plan.refusals.is_empty()
        {
            return;
        }
        let behind = Ancestors::of(self.plan);
        let changes: Vec<(StepId, &Change)> = self.plan.changes().collect();
        // A green of an earlier run, which its own create takes and confirms.
        let taken = changes
            .iter()
            .filter(|(_, change)| matches!(change.action, Action::Create { green: Some(_), .. }));
        let taken: BTreeSet<&MachineName> = taken.map(|(_, change)| &change.machine.name).collect();
        let is_taken = |id: &MachineId| {
            let seen = observed.machines.get(id);
            seen.is_some_and(|seen| taken.contains(&seen.name))
        };
        let mut firsts: Vec<(StepId, &Change, UnprovenState)> = Vec::new();
        for (id, shows) in unproven.iter().filter(|(id, _)| !is_taken(id)) {
            let own: Vec<_> = changes
                .iter()
                .filter(|(_, change)| change.machine.id.as_ref() == Some(*id))
                .collect();
            let waits = |change: &Change| match change.action {
                Action::Update { .. } | Action::Move { .. } | Action::Wait | Action::Start => {
                    matches!(change.gate, GateKind::Started | GateKind::Healthy)
                }
                // It is replaced or removed.
                Action::Destroy { .. } => true,
                Action::Create { .. }
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => false,
            };
            // A green of an earlier run is created again under its name, and gated before the switch.
            let name = &observed.machines[*id].name;
            let is_green = |change: &Change| {
                matches!(change.action, Action::Create { green: Some(_), .. })
                    && change.machine.name == *name
            };
            if self.machines_left_out().contains(*id) || changes.iter().any(|(_, c)| is_green(c)) {
                continue;
            }
            let Some((step, change)) = own.iter().find(|(_, change)| waits(change)) else {
                self.report(format!(
                    "the last change of {id} was never seen healthy, and no step waits for it"
                ));
                continue;
            };
            if !matches!(change.action, Action::Destroy { .. }) {
                firsts.push((*step, change, *shows));
            }
        }
        // `groups_order` holds a change back, and no wait.
        let comes_later = |first: &Change, change: &Change| {
            let order = desired.rollout.groups_order.as_ref();
            let changes = !matches!(first.action, Action::Wait | Action::Start);
            changes && order.is_some_and(|o| o.position(&first.group) > o.position(&change.group))
        };
        let mut seen: BTreeSet<(&GroupName, &[StepId])> = BTreeSet::new();
        for (id, change) in &changes {
            let own = change.machine.id.as_ref();
            let may_serve = own.is_none_or(|own| unproven.get(own) != Some(&UnprovenState::Down));
            if !may_serve || !takes_down(change, Some(observed)) {
                continue;
            }
            let needs = self.plan.steps[id.0 as usize].needs.as_slice();
            if !seen.insert((&change.group, needs)) {
                continue;
            }
            for (first, of, shows) in &firsts {
                let same = of.group == change.group;
                let alone = *shows == UnprovenState::Down
                    || matches!(of.action, Action::Wait | Action::Start);
                // Those that may serve change one after the other, by the strategy.
                let holds = if alone {
                    same || self.plan.on_failure.stops_release() && !comes_later(of, change)
                } else {
                    same && own.is_none_or(|own| !unproven.contains_key(own))
                };
                if holds && !behind.waits_for(*id, *first) {
                    self.report(format!(
                        "step {} takes a Machine down before step {} has confirmed its last change",
                        id.0, first.0
                    ));
                }
            }
        }
    }
}
