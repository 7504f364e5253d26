//! What goes wrong, scripted: which calls are touched, what happens to them, and how often it did.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::lifecycle::ExitsAfter;

/// The actions by which faults select and the log names calls.
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

/// One scripted fault: every call that fits is counted, and those from the `nth` on, `times` of them,
/// are touched.
#[derive(Debug, Clone)]
pub struct Fault {
    action: String,
    group: Option<String>,
    machine: Option<String>,
    nth: u32,
    times: u32,
    /// Of a thousand calls that it could touch, so many are.
    chance: u32,
    effect: FaultEffect,
}

/// What happens to a call that a fault touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultEffect {
    /// It is refused for certain.
    Refuse {
        /// Status of the answer (4xx).
        status: u16,
        /// What the answer says.
        message: String,
    },
    /// There is no room: on the Machine's host for an update or a start, in the region for a create.
    NoRoom {
        /// What the answer says; none for the platform's usual words.
        message: Option<String>,
    },
    /// It is refused as the platform was seen to refuse it (docs/platform/machines-api.md 20a).
    Refusal(RefusalKind),
    /// It came too fast.
    RateLimited {
        /// `Retry-After` of the answer.
        retry_after: Duration,
    },
    /// The work is not done and no certain answer comes.
    LoseBefore {
        /// Status of the answer (408 or 5xx).
        status: u16,
    },
    /// The work is done and no certain answer comes.
    LoseAfter {
        /// Status of the answer (408 or 5xx).
        status: u16,
    },
    /// The connection ends before anything is done.
    BreakBefore,
    /// The work is done, and the connection ends before that is said.
    BreakAfter,
    /// The answer takes longer by this.
    SlowAnswer(Duration),
    /// The start that the call causes takes longer by this.
    SlowStart(Duration),
    /// The start that the call causes fails.
    FailStart,
    /// The process that the call starts ends at once by itself, with this exit code, and stays down.
    ExitsAtOnce(i32),
    /// The process that the call starts is up for a while and ends by itself.
    ExitsAfter(ExitsAfter),
    /// The update is answered and undone: the version before it runs again.
    Reverts,
    /// A Machine that does not run is started by its update.
    StartsStopped,
    /// A Machine that is made without being started stays `created`.
    StaysCreated,
    /// The new Machine comes to be in this region, whatever was asked for.
    WrongRegion(String),
    /// Checks of the started Machine stay critical.
    ChecksNeverPass,
    /// The Machine that the call makes is missing from lists for so long.
    ListLag(Duration),
    /// A list answers with nothing in it.
    EmptyList,
    /// The answer lacks this field; a list lacks it in each entry.
    Omits(String),
    /// The Machine's host stops answering once the call is done.
    HostUnreachable {
        /// Whether its config is still told as an incomplete one.
        in_part: bool,
    },
    /// The Machine moves to another host once the call is done: its volumes are forked under new ids.
    Migrates,
    /// Somebody else takes the Machine's lease for so long before the call is looked at.
    LeaseHeld(Duration),
    /// The call answers as if it had worked and does nothing.
    FalseSuccess,
}

/// A refusal of the platform that has words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The region has no room for a volume, or the host no memory for a start or an update.
    Capacity,
    /// The organisation may have no more.
    Quota,
    /// The organisation has as many Machines as it may have.
    MachineLimit,
    /// The registry does not have the image yet.
    ImageUnknown,
    /// A Machine of that name is there, says a status other than 409.
    NameTaken,
}

impl RefusalKind {
    /// Status and words of the answer to a call of this action.
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

/// Names an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

impl Fault {
    /// A fault of the first call of this action: one of [`ACTIONS`].
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

    /// Only calls about Machines of this group.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Only calls about the Machine of this id or name.
    #[must_use]
    pub fn of_machine(mut self, machine: impl Into<String>) -> Self {
        self.machine = Some(machine.into());
        self
    }

    /// Begins with the n-th fitting call; the first one is 1.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// Touches so many calls in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Touches only so many of a thousand calls that it could touch; which ones, the world's seed says.
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
        let fits_machine = self.machine.as_deref().is_none_or(|wanted| {
            call.id.is_some_and(|id| id == wanted) || call.name.is_some_and(|name| name == wanted)
        });
        self.action == call.action
            && fits_machine
            && self
                .group
                .as_deref()
                .is_none_or(|wanted| call.group == Some(wanted))
    }
}

/// What a call is about, as faults select by it.
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

    /// Nothing more goes wrong; what has fired stays counted.
    pub(super) fn clear(&mut self) {
        for armed in &mut self.0 {
            armed.fault.times = 0;
        }
    }

    /// The effects on this call, in the order in which their faults were injected.
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
