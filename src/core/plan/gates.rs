//! Gates and waves: how a change is confirmed, and which Machines change together.
//!
//! Reads the observation of one Machine. [`super::order`] decides what waits for what.

use super::members::Member;
use super::types::GateKind;
use super::unproven::Evidence;
use crate::core::fleet::{
    CheckState, CheckStatus, DesiredGroup, HostStatus, Machine, MachineState, Strategy,
};

/// Which of a group's Machines change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WaveClass {
    /// Its last change was never seen healthy, and it is not serving.
    Failing,
    /// It should run but does not, its checks fail, or its host does not answer.
    Down,
    /// It runs, and its last change was never seen healthy.
    Unproven,
    /// It runs. Offline every Machine may.
    Serving,
    /// It was stopped and stays stopped.
    Resting,
}

impl WaveClass {
    pub(super) fn of(group: &DesiredGroup, member: &Member<'_>) -> Self {
        match Evidence::of(group, member) {
            Evidence::NotYet | Evidence::Ended => return Self::Failing,
            Evidence::Up => return Self::Unproven,
            Evidence::Enough => {}
        }
        let Some(seen) = member.observed else {
            return Self::Serving;
        };
        match seen.state {
            MachineState::Started if fails_checks(seen) || seen.host != HostStatus::Ok => {
                Self::Down
            }
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

/// Whether a check of it fails.
pub(super) fn fails_checks(seen: &Machine) -> bool {
    let fails = |check: &CheckStatus| check.status == CheckState::Critical;
    seen.checks.iter().any(fails)
}

/// The gate of a Machine that should run.
pub fn gate(group: &DesiredGroup) -> GateKind {
    match group.strategy {
        Strategy::Immediate => GateKind::None,
        Strategy::Rolling { .. } if group.template.has_checks() => GateKind::Healthy,
        Strategy::Rolling { .. } => GateKind::Started,
    }
}

impl GateKind {
    /// Whether the Machine must be started to pass.
    pub fn waits_for_start(self) -> bool {
        match self {
            Self::Started | Self::Healthy => true,
            Self::None | Self::Settled | Self::Gone | Self::Ended => false,
        }
    }
}
