//! The plan fulfils the requests of a verb, or refuses them.

use std::collections::BTreeSet;

use super::Checker;
use crate::core::fleet::{
    HostStatus, Known, KnownMachine, Machine, MachineId, MachineState, Observed, SwapRole,
};
use crate::core::plan::types::{Action, StandbyTarget};

impl Checker<'_> {
    /// A Machine to replace is replaced, and a known running Machine of a group to restart is changed. The greens of a
    /// swap that goes on are left as they are: they are new, and what else their group needs comes with the next plan.
    pub(super) fn check_requested(&mut self, known: &Known, observed: Option<&Observed>) {
        let requested = &self.plan.requested;
        if requested.is_empty() || !self.plan.refusals.is_empty() {
            return;
        }
        let mut goes: BTreeSet<&MachineId> = BTreeSet::new();
        let mut starts: BTreeSet<&MachineId> = BTreeSet::new();
        let mut switched: BTreeSet<&MachineId> = BTreeSet::new();
        for (_, change) in self.plan.changes() {
            let id = change.machine.id.as_ref();
            match change.action {
                Action::Destroy { .. } => goes.extend(id),
                Action::Update { .. } | Action::Move { .. } => starts.extend(id),
                Action::Switch { ref greens, .. } => {
                    switched.extend(greens.iter().filter_map(|green| match &green.machine {
                        StandbyTarget::Machine(id) => Some(id),
                        StandbyTarget::Step(_) => None,
                    }));
                }
                Action::Create { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Canary { .. } => {}
            }
        }
        let stay = requested.replace.iter();
        let stay = stay.filter(|id| !goes.contains(id) && !switched.contains(id));
        let stay = stay.map(|id| format!("Machine {id} should be replaced but stays"));
        let runs = |machine: &Machine| {
            let is_up = machine.state == MachineState::Started && machine.host == HostStatus::Ok;
            is_up && machine.config.is_some()
        };
        let is_green = |machine: &KnownMachine| machine.swap == Some(SwapRole::Green);
        let seen = |id| observed.map(|observed| observed.machines.get(id));
        let left_out = self.machines_left_out();
        let meant = known.machines.iter().filter(|(id, machine)| {
            let up = seen(*id).is_none_or(|seen| seen.is_some_and(runs));
            let covered = requested.restart.covers(&machine.group) && !is_green(machine);
            covered && up && !left_out.contains(*id)
        });
        let left = meant
            .map(|(id, _)| id)
            .filter(|id| !goes.contains(id) && !starts.contains(id))
            .map(|id| format!("Machine {id} is running and should restart but is left alone"));
        let found: Vec<String> = stay.chain(left).collect();
        for text in found {
            self.report(text);
        }
    }
}
