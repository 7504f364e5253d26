//! The data of `aeroform machine status`.

use crate::core::fleet::{FieldChange, KnownMachine, Machine, MachineConfig, MachineEvent};
use crate::core::view::status::MachineStatus;

/// One Machine.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// The fields of every Machine.
    pub status: MachineStatus,
    /// Its config without bookkeeping; none if its host is unreachable.
    pub config: Option<MachineConfig>,
    /// Its primaries, for a standby.
    pub standby_for: Vec<crate::core::fleet::MachineId>,
    /// Its events, newest first.
    pub events: Vec<MachineEvent>,
    /// Its record in the state.
    pub known: Option<KnownMachine>,
    /// Drifted fields, sent → actual.
    pub drift: Vec<FieldChange>,
}

impl MachineView {
    /// Joins the Machine with its record in the state.
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
