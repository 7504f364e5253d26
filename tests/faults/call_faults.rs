//! What can go wrong with one call of the platform: how it is answered, and what becomes of its Machine.

use std::time::Duration;

use aeroform::emulator::world::{ExitsAfter, FaultEffect, LoggedCall, RefusalKind};

use crate::gallery::PlanScenario;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallFault {
    Refused,
    RateLimited,
    LostBefore,
    LostAfter,
    NotStarting,
    NoRoom,
    /// A refusal in the platform's own words.
    Refusal(RefusalKind),
    /// The process ends by itself so many times within the window, with this code, and then stays up; with
    /// none it is not started again.
    Crashes(u32, i32),
    /// The process ends by itself later than a start takes, and is not started again.
    CrashesLate,
    /// Somebody stops the Machine right after it has started.
    Stopped,
    /// Its checks fail, until somebody mends what they ask before the next apply.
    ChecksFail,
    /// Somebody else holds the Machine's lease for longer than anybody waits.
    LeaseHeld,
    Reverts,
    Elsewhere,
    StaysCreated,
    /// The host stops answering, and answers again before the next apply.
    HostGone,
    /// The Machine moves to another host, its volumes with it.
    Migrates,
    /// Lists omit the new Machine for a while.
    ListLags,
}

/// Longer than a start takes.
const LATE: Duration = Duration::from_secs(3);
/// Longer than a run waits for a lease.
pub(crate) const LEASE_HELD: Duration = Duration::from_secs(45);

/// How long lists omit a new Machine.
const LIST_LAG: Duration = Duration::from_secs(10);

/// No Machine is desired in this region.
pub(crate) const OTHER_REGION: &str = "emu";

impl CallFault {
    pub(crate) fn effect(self) -> FaultEffect {
        match self {
            Self::Refused => FaultEffect::Refuse {
                status: 422,
                message: "no".to_owned(),
            },
            Self::RateLimited => FaultEffect::RateLimited {
                retry_after: Duration::from_secs(3),
            },
            Self::LostBefore => FaultEffect::LoseBefore { status: 500 },
            Self::LostAfter => FaultEffect::LoseAfter { status: 504 },
            Self::NotStarting => FaultEffect::FailStart,
            Self::NoRoom => FaultEffect::NoRoom { message: None },
            Self::Refusal(refused) => FaultEffect::Refusal(refused),
            Self::Crashes(restarts, code) => FaultEffect::ExitsAfter(ExitsAfter {
                after: Duration::from_millis(1200),
                code,
                signal: None,
                oom_killed: false,
                restarts: Some(restarts),
            }),
            Self::CrashesLate => FaultEffect::ExitsAfter(ExitsAfter {
                after: LATE,
                code: 1,
                signal: None,
                oom_killed: false,
                restarts: Some(0),
            }),
            Self::Stopped => FaultEffect::StoppedAfter(Duration::from_millis(200)),
            Self::ChecksFail => FaultEffect::ChecksNeverPass,
            Self::LeaseHeld => FaultEffect::LeaseHeld(LEASE_HELD),
            Self::Reverts => FaultEffect::Reverts,
            Self::Elsewhere => FaultEffect::WrongRegion(OTHER_REGION.to_owned()),
            Self::StaysCreated => FaultEffect::StaysCreated,
            Self::HostGone => FaultEffect::HostUnreachable { in_part: true },
            Self::Migrates => FaultEffect::Migrates,
            Self::ListLags => FaultEffect::ListLag(LIST_LAG),
        }
    }

    /// Whether it happens to calls that change something and to others; else only to those that it is about.
    pub(crate) fn is_any_answer(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::RateLimited | Self::LostBefore | Self::LostAfter
        )
    }

    /// Whether it can happen to this call.
    pub(crate) fn is_about(self, call: &LoggedCall, chapter: &PlanScenario) -> bool {
        let starts = matches!(call.action, "create" | "update");
        let begins = starts || call.action == "start";
        match self {
            Self::Refused | Self::RateLimited | Self::LostBefore | Self::LostAfter => true,
            Self::NotStarting | Self::Crashes(..) | Self::Stopped | Self::ChecksFail => begins,
            // It shows where the window is longer; where nothing is waited for, it shows later.
            Self::CrashesLate => {
                let is_new = chapter.is_swap() && call.action == "create";
                let shows_later = chapter.is_immediate() || is_new;
                begins && (shows_later || chapter.least_steady() > LATE)
            }
            Self::NoRoom
            | Self::Refusal(RefusalKind::ImageUnknown)
            | Self::HostGone
            | Self::Migrates => starts,
            Self::LeaseHeld => matches!(
                call.action,
                "update" | "start" | "stop" | "destroy" | "cordon" | "uncordon"
            ),
            Self::Refusal(RefusalKind::Capacity) => starts || call.action == "create-volume",
            Self::Reverts => call.action == "update",
            Self::Refusal(
                RefusalKind::Quota | RefusalKind::MachineLimit | RefusalKind::NameTaken,
            )
            | Self::Elsewhere
            | Self::StaysCreated
            | Self::ListLags => call.action == "create",
        }
    }

    /// Whether a Machine is down after it that has to be brought up again.
    pub(crate) fn takes_down(self) -> bool {
        matches!(
            self,
            Self::NotStarting
                | Self::Crashes(..)
                | Self::CrashesLate
                | Self::Stopped
                | Self::ChecksFail
                | Self::HostGone
                | Self::Elsewhere
        )
    }

    /// Whether a swap that meets it before its switch is undone.
    pub(crate) fn ends_a_swap(self) -> bool {
        !matches!(
            self,
            Self::RateLimited | Self::LostBefore | Self::LostAfter | Self::ListLags
        )
    }

    /// Whether its process ends by itself some time after it has started.
    pub(crate) fn ends_later(self) -> bool {
        matches!(self, Self::Crashes(..) | Self::CrashesLate)
    }

    /// Whether the next apply may make a Machine once more instead of mending it.
    pub(crate) fn may_make_another(self) -> bool {
        matches!(
            self,
            Self::NotStarting
                | Self::Crashes(0, _)
                | Self::CrashesLate
                | Self::NoRoom
                | Self::Refusal(RefusalKind::Capacity)
                | Self::Elsewhere
                | Self::HostGone
        )
    }
}
