//! What the Machine of a command that runs once shows about its command: whether it was started, and whether it ended.
//!
//! Makes no call. What the outcome means for the next plan is decided in the core.

use crate::core::fleet::{Machine, MachineState, ProcessEventKind};
use crate::core::plan::{OnceOutcome, is_once_running, once_outcome};

/// Whether the command was started, as far as its Machine shows.
pub(super) fn was_started(machine: &Machine) -> bool {
    let mut kinds = machine.events.iter().map(|event| event.kind);
    kinds.any(|kind| {
        matches!(
            kind,
            ProcessEventKind::Started | ProcessEventKind::Exited(_)
        )
    }) || matches!(
        machine.state,
        MachineState::Starting
            | MachineState::Started
            | MachineState::Stopping
            | MachineState::Destroying
            | MachineState::Destroyed
    )
}

/// Whether the process has ended: its exit is known, or it cannot run any more.
pub(super) fn has_ended(machine: &Machine) -> bool {
    match once_outcome(machine) {
        OnceOutcome::Exited(_) => !is_once_running(machine.state),
        OnceOutcome::NeverStarted | OnceOutcome::Unknown => true,
        OnceOutcome::Open => machine.state == MachineState::Failed,
    }
}
