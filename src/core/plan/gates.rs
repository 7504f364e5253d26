//! How the change of a Machine is known to have worked, and with whom it changes: gates and waves.
//!
//! Reads what was observed of one Machine; what waits for what is [`super::order`]'s business.

use super::members::Member;
use super::types::GateKind;
use super::unproven::Evidence;
use crate::core::fleet::{CheckState, CheckStatus, DesiredGroup, MachineState, Strategy};

/// Which of a group's Machines change together, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wave {
    /// Nobody has seen its last change work, and it does not serve.
    Failing,
    /// It is to run and does not, or its checks fail.
    Down,
    /// It runs, and nobody has seen its last change work.
    Unproven,
    /// It runs; offline each may.
    Serving,
    /// It was stopped and stays so.
    Resting,
}

impl Wave {
    pub(super) fn of(group: &DesiredGroup, member: &Member<'_>) -> Self {
        match Evidence::of(group, member) {
            Evidence::NotYet | Evidence::Ended => return Self::Failing,
            Evidence::Up => return Self::Unproven,
            Evidence::Enough => {}
        }
        let Some(seen) = member.observed else {
            return Self::Serving;
        };
        let fails = |check: &CheckStatus| check.status == CheckState::Critical;
        match seen.state {
            MachineState::Started if seen.checks.iter().any(fails) => Self::Down,
            _ if member.restarts_on_update() => Self::Down,
            _ if member.stays_created() => Self::Resting,
            MachineState::Started => Self::Serving,
            MachineState::Created
            | MachineState::Starting
            | MachineState::Replacing
            | MachineState::Unknown
            | MachineState::Failed => Self::Down,
            MachineState::Stopping
            | MachineState::Stopped
            | MachineState::Suspending
            | MachineState::Suspended
            | MachineState::Destroying
            | MachineState::Destroyed => Self::Resting,
        }
    }
}

/// The gate of a Machine that is to run.
pub fn gate(group: &DesiredGroup) -> GateKind {
    match group.strategy {
        Strategy::Immediate => GateKind::None,
        Strategy::Rolling { .. } if group.template.has_checks() => GateKind::Healthy,
        Strategy::Rolling { .. } => GateKind::Started,
    }
}
