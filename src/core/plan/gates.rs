//! How the change of a Machine is known to have worked, and with whom it changes: gates and waves.
//!
//! Reads what was observed of one Machine; what waits for what is [`super::order`]'s business.

use super::decision::Decision;
use super::members::Member;
use super::types::GateKind;
use crate::core::fleet::{CheckState, CheckStatus, DesiredGroup, MachineState, Strategy};

/// Which of a group's Machines change together, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wave {
    /// It is to run and does not, or its checks fail.
    Down,
    /// It runs; offline each may.
    Serving,
    /// It was stopped and stays so.
    Resting,
}

impl Wave {
    pub(super) fn of(member: &Member<'_>) -> Self {
        let Some(seen) = member.seen else {
            return Self::Serving;
        };
        let fails = |check: &CheckStatus| check.status == CheckState::Critical;
        match seen.state {
            MachineState::Started if seen.checks.iter().any(fails) => Self::Down,
            _ if member.starts_by_update() => Self::Down,
            _ if member.rests_in_created() => Self::Resting,
            MachineState::Started => Self::Serving,
            MachineState::Created
            | MachineState::Starting
            | MachineState::Replacing
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

/// The gate that an adopted Machine has still to pass: a run that was killed between a call and its
/// gate leaves a Machine that is as wanted and perhaps never comes up. None where the observation shows
/// that it is up, or at rest, or where another step of the plan changes it.
pub(super) fn missed_gate(decision: &Decision<'_>, member: &Member<'_>) -> GateKind {
    let (Some(group), Some(seen)) = (decision.wanted, member.seen) else {
        return GateKind::None;
    };
    let changed = decision.changed.iter().map(|changed| &changed.member);
    let gone = decision.gone.iter().map(|gone| &gone.member);
    if !member.unsettled || changed.chain(gone).any(|other| other.id == member.id) {
        return GateKind::None;
    }
    let gate = gate(group);
    let passing = |check: &CheckStatus| check.status == CheckState::Passing;
    let healthy = !seen.checks.is_empty() && seen.checks.iter().all(passing);
    match seen.state {
        MachineState::Created | MachineState::Starting | MachineState::Replacing => match gate {
            GateKind::Started | GateKind::Healthy if member.is_standby() => GateKind::Settled,
            gate => gate,
        },
        MachineState::Started if gate == GateKind::Healthy && !healthy => gate,
        MachineState::Started
        | MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
        | MachineState::Failed
        | MachineState::Destroying
        | MachineState::Destroyed => GateKind::None,
    }
}
