//! The plan fulfils the requests of a verb, or refuses them.

use std::collections::BTreeSet;

use super::Checker;
use crate::core::fleet::{HostStatus, Known, Machine, MachineId, MachineState, Observed};
use crate::core::plan::types::Action;

impl Checker<'_> {
    /// A Machine to replace is replaced, and a known running Machine of a group to restart is changed.
    pub(super) fn check_requested(&mut self, known: &Known, observed: Option<&Observed>) {
        let requested = &self.plan.requested;
        if requested.is_empty() || !self.plan.refusals.is_empty() {
            return;
        }
        let mut goes: BTreeSet<&MachineId> = BTreeSet::new();
        let mut starts: BTreeSet<&MachineId> = BTreeSet::new();
        for (_, change) in self.plan.changes() {
            let id = change.machine.id.as_ref();
            match change.action {
                Action::Destroy { .. } => goes.extend(id),
                Action::Update { .. } | Action::Move { .. } => starts.extend(id),
                Action::Create { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => {}
            }
        }
        let stay = requested.replace.iter().filter(|id| !goes.contains(id));
        let stay = stay.map(|id| format!("Machine {id} should be replaced but stays"));
        let runs = |machine: &Machine| {
            let is_up = machine.state == MachineState::Started && machine.host == HostStatus::Ok;
            is_up && machine.config.is_some()
        };
        let seen = |id| observed.map(|observed| observed.machines.get(id));
        let left_out = self.machines_left_out();
        let meant = known.machines.iter().filter(|(id, machine)| {
            let up = seen(*id).is_none_or(|seen| seen.is_some_and(runs));
            requested.restart.covers(&machine.group) && up && !left_out.contains(*id)
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
