//! One Machine with everything that is known of it: the data of `aeroform machine status`.

use crate::core::fleet::{FieldChange, KnownMachine, Machine, MachineConfig, MachineEvent};
use crate::core::view::status::MachineStatus;

/// One Machine.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// What there is to say of every Machine.
    pub status: MachineStatus,
    /// Its config without bookkeeping; none where its host does not answer.
    pub config: Option<MachineConfig>,
    /// The Machines that it stands by for.
    pub standby_for: Vec<crate::core::fleet::MachineId>,
    /// What it has gone through, newest first.
    pub events: Vec<MachineEvent>,
    /// What the state says of it.
    pub known: Option<KnownMachine>,
    /// Fields that differ from what was sent, sent → there.
    pub drift: Vec<FieldChange>,
}

impl MachineView {
    /// Joins what is there with what is remembered.
    pub fn of(
        machine: &Machine,
        known: Option<KnownMachine>,
        drift: Vec<FieldChange>,
        events: Vec<MachineEvent>,
    ) -> Self {
        let mut status = MachineStatus::of(machine, None);
        status.known = known.is_some();
        Self {
            status,
            config: machine.config.as_deref().cloned(),
            standby_for: machine.standby_for.clone(),
            events,
            known,
            drift,
        }
    }
}
