//! Scripted faults: which calls they affect, how, and how often they fired.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::lifecycle::ExitsAfter;

/// The action names for faults and the log.
pub const ACTIONS: &[&str] = &[
    "app",
    "apps",
    "cordon",
    "create",
    "create-app",
    "create-volume",
    "delete-app",
    "delete-volume",
    "destroy",
    "events",
    "extend-volume",
    "get",
    "lease",
    "list",
    "metadata",
    "ps",
    "read-lease",
    "read-metadata",
    "release",
    "release-lease",
    "releases",
    "restart",
    "signal",
    "start",
    "stop",
    "suspend",
    "uncordon",
    "update",
    "update-volume",
    "versions",
    "volume",
    "volumes",
    "wait",
];

/// One scripted fault. Matching calls are counted; from the `nth` on, `times` of them are affected.
#[derive(Debug, Clone)]
pub struct Fault {
    action: String,
    group: Option<String>,
    machine: Option<String>,
    nth: u32,
    times: u32,
    /// The affected share of matching calls, per thousand.
    chance: u32,
    effect: FaultEffect,
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultEffect {
    /// The call is refused.
    Refuse {
        /// Status of the response (4xx).
        status: u16,
        /// The error message.
        message: String,
    },
    /// No capacity: on the host for an update or a start, in the region for a create.
    NoRoom {
        /// The error message; `None` is the platform's usual one.
        message: Option<String>,
    },
    /// Refused with the platform's recorded status and message (docs/platform/machines-api.md 20a).
    Refusal(RefusalKind),
    /// Rate limited.
    RateLimited {
        /// `Retry-After` of the response.
        retry_after: Duration,
    },
    /// The call has no effect, and the response is lost.
    LoseBefore {
        /// Status of the response (408 or 5xx).
        status: u16,
    },
    /// The call takes effect, and the response is lost.
    LoseAfter {
        /// Status of the response (408 or 5xx).
        status: u16,
    },
    /// The connection closes before the call takes effect.
    BreakBefore,
    /// The call takes effect, and the connection closes before the response.
    BreakAfter,
    /// Delays the response.
    SlowAnswer(Duration),
    /// Delays the start that the call causes.
    SlowStart(Duration),
    /// The start that the call causes fails.
    FailStart,
    /// The started process exits at once with this code and is not restarted.
    ExitsAtOnce(i32),
    /// The started process runs for a while and exits.
    ExitsAfter(ExitsAfter),
    /// Another client stops the started Machine after this time.
    StoppedAfter(Duration),
    /// The update succeeds and is then undone: the previous version runs again.
    Reverts,
    /// An update starts a stopped Machine.
    StartsStopped,
    /// A Machine created without start stays `created`.
    StaysCreated,
    /// The new Machine is created in this region, whatever the call requested.
    WrongRegion(String),
    /// Checks of the started Machine stay critical.
    ChecksNeverPass,
    /// Lists omit the created Machine for this time.
    ListLag(Duration),
    /// A list is empty.
    EmptyList,
    /// The response omits this field; a list omits it in each entry.
    Omits(String),
    /// The Machine's host stops responding after the call.
    HostUnreachable {
        /// Whether its config is still shown as an incomplete one.
        in_part: bool,
    },
    /// After the call the Machine moves to another host: its volumes are forked with new ids.
    Migrates,
    /// Before the call another client acquires the Machine's lease for this time.
    LeaseHeld(Duration),
    /// The call reports success and does nothing.
    FalseSuccess,
}

/// A recorded refusal of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The region has no capacity for a volume, or the host no memory for a start or an update.
    Capacity,
    /// The organisation's quota is used up.
    Quota,
    /// The organisation's Machine limit is reached.
    MachineLimit,
    /// The registry does not have the image yet.
    ImageUnknown,
    /// The name is used, with a status other than 409.
    NameTaken,
}

impl RefusalKind {
    /// Status and message of the response for this action.
    pub(super) fn answer(self, action: &str) -> (u16, &'static str) {
        match self {
            Self::Capacity if action == "create-volume" => (400, "no capacity"),
            Self::Capacity => (409, "insufficient memory"),
            Self::Quota => (403, "over the allowed quota"),
            Self::MachineLimit => (422, "your organization has reached its machine limit"),
            Self::ImageUnknown => (
                400,
                "could not resolve image: MANIFEST_UNKNOWN: manifest unknown",
            ),
            Self::NameTaken => (422, "already_exists: unique machine name violation"),
        }
    }
}

/// Identifies an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

impl Fault {
    /// A fault for the first call of this action: one of [`ACTIONS`].
    pub fn on(action: impl Into<String>, effect: FaultEffect) -> Self {
        Self {
            action: action.into(),
            group: None,
            machine: None,
            nth: 1,
            times: 1,
            chance: 1000,
            effect,
        }
    }

    /// Matches only calls about Machines of this group.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Matches only calls about the Machine with this id or name.
    #[must_use]
    pub fn of_machine(mut self, machine: impl Into<String>) -> Self {
        self.machine = Some(machine.into());
        self
    }

    /// Begins with the n-th matching call; 1 is the first one.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// Affects this many calls in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Affects only this share of calls, per thousand, chosen by the simulation's seed.
    #[must_use]
    pub fn chance(mut self, per_mille: u32) -> Self {
        self.chance = per_mille;
        self
    }

    fn is_drawn(&self, world: &str, seen: u32) -> bool {
        if self.chance >= 1000 {
            return true;
        }
        let hash = Sha256::digest(format!("{world}/fault/{}/{seen}", self.action));
        let drawn = u32::from(hash[0]) << 16 | u32::from(hash[1]) << 8 | u32::from(hash[2]);
        drawn % 1000 < self.chance
    }

    fn fits(&self, call: &FaultSubject<'_>) -> bool {
        let fits_machine = self.machine.as_deref().is_none_or(|searched| {
            call.id.is_some_and(|id| id == searched)
                || call.name.is_some_and(|name| name == searched)
        });
        self.action == call.action
            && fits_machine
            && self
                .group
                .as_deref()
                .is_none_or(|searched| call.group == Some(searched))
    }
}

/// The properties of a call that faults match.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultSubject<'a> {
    pub(super) action: &'static str,
    pub(super) app: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) group: Option<&'a str>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Vec<ArmedFault>);

#[derive(Debug, Clone)]
struct ArmedFault {
    fault: Fault,
    seen: u32,
    fired: u32,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) -> FaultId {
        self.0.push(ArmedFault {
            fault,
            seen: 0,
            fired: 0,
        });
        FaultId(self.0.len() - 1)
    }

    pub(super) fn fired(&self, id: FaultId) -> u32 {
        self.0.get(id.0).map_or(0, |armed| armed.fired)
    }

    /// Removes all faults; their counts remain.
    pub(super) fn clear(&mut self) {
        for armed in &mut self.0 {
            armed.fault.times = 0;
        }
    }

    /// The effects on this call, in the order of injection.
    pub(super) fn effects_on(&mut self, call: &FaultSubject<'_>, world: &str) -> Vec<FaultEffect> {
        let mut effects = Vec::new();
        for armed in &mut self.0 {
            if !armed.fault.fits(call) {
                continue;
            }
            armed.seen += 1;
            let from = armed.fault.nth;
            let counts = (from..from.saturating_add(armed.fault.times)).contains(&armed.seen);
            if counts && armed.fault.is_drawn(world, armed.seen) {
                armed.fired += 1;
                effects.push(armed.fault.effect.clone());
            }
        }
        effects
    }
}
