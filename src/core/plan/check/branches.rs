//! Branches for full hosts: every update has them, no Machine with a volume is replaced, and no two launch ids
//! are equal.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::core::fleet::{HostStatus, Known, Machine, MachineId, MachineName, Observed};
use crate::core::plan::branch::{Branch, Successor};
use crate::core::plan::types::{Action, Change, StepId};

impl Checker<'_> {
    pub(super) fn check_branches(&mut self, known: &Known, observed: Option<&Observed>) {
        let may_be_full = observed.is_some_and(|o| o.description.capabilities.replaces_when_full);
        let changes: Vec<_> = self.plan.changes().collect();
        let mut names: BTreeSet<&MachineName> = changes
            .iter()
            .filter(|(_, change)| matches!(change.action, Action::Create { .. }))
            .map(|(_, change)| &change.machine.name)
            .collect();
        let machines = observed.into_iter().flat_map(Observed::all_machines);
        names.extend(machines.map(|machine| &machine.name));
        let touched: BTreeSet<&MachineId> = changes
            .iter()
            .filter(|(_, change)| is_called(change))
            .filter_map(|(_, change)| change.machine.id.as_ref())
            .collect();
        let untouched = |machine: &&Machine| {
            machine.host == HostStatus::Ok
                && machine.config.is_some()
                && !machine.state.is_gone()
                && !touched.contains(&machine.id)
        };
        let others = observed.into_iter().flat_map(|o| o.machines.values());
        let mut watching: BTreeMap<&MachineId, Vec<&Machine>> = BTreeMap::new();
        for machine in others.filter(untouched) {
            for watched in &machine.standby_for {
                watching.entry(watched).or_default().push(machine);
            }
        }
        for (id, change) in &changes {
            let in_place = matches!(change.action, Action::Update { .. } | Action::Move { .. });
            let expected = usize::from(in_place && may_be_full);
            if change.branches.len() != expected {
                let found = change.branches.len();
                self.report(format!(
                    "step {} has {found} branches and not {expected}",
                    id.0
                ));
            }
            for branch in &change.branches {
                match branch {
                    Branch::NoRoomStops => {}
                    Branch::NoRoomReplaced(successor) => {
                        self.check_successor(*id, change, successor);
                        if !names.insert(&successor.name) {
                            self.report(format!(
                                "step {} may create a second `{}`",
                                id.0, successor.name
                            ));
                        }
                        let old = change.machine.id.as_ref();
                        let watching = old.and_then(|old| watching.get(old));
                        let watching = watching.map_or(&[][..], Vec::as_slice);
                        self.check_repoints(*id, change, successor, known, watching);
                    }
                }
            }
        }
    }

    fn check_successor(&mut self, id: StepId, change: &Change, successor: &Successor) {
        let volumes = change
            .precondition
            .as_ref()
            .is_none_or(|pin| !pin.volumes.is_empty());
        if volumes {
            self.report(format!(
                "step {} may leave a volume behind if its host is full",
                id.0
            ));
        }
        if !successor.name.matches_launch(&successor.launch) {
            self.report(format!(
                "step {} may create a Machine whose name does not match its launch id",
                id.0
            ));
        }
    }

    /// A re-pointed standby watches the destroyed Machine, and no other step changes that standby.
    fn check_repoints(
        &mut self,
        id: StepId,
        change: &Change,
        successor: &Successor,
        known: &Known,
        watching: &[&Machine],
    ) {
        let watching = watching.iter();
        let watching: BTreeMap<&MachineId, &&Machine> = watching.map(|m| (&m.id, m)).collect();
        let named: BTreeSet<&MachineId> = successor.repoints.iter().collect();
        for standby in named
            .iter()
            .filter(|id| !self.plan.watchers.contains_key(**id))
        {
            self.report(format!(
                "step {} may re-point {standby} without a precondition",
                id.0
            ));
        }
        for standby in named.iter().filter(|id| !watching.contains_key(*id)) {
            self.report(format!("step {} may re-point {standby} without need", id.0));
        }
        for (standby, machine) in watching {
            let ours = known.machines.contains_key(standby)
                && machine.group.as_ref() == Some(&change.group);
            if ours && !named.contains(standby) {
                self.report(format!(
                    "step {} may leave {standby} without a Machine to watch",
                    id.0
                ));
            }
        }
    }
}

fn is_called(change: &Change) -> bool {
    match change.action {
        Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } => true,
        Action::Create { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => false,
    }
}
