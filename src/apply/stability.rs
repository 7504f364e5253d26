//! Whether a started Machine stays up (rule 29): pure, from reads of the Machine, on our own clock.
//!
//! Exits are counted from new events; if the list is too short, from the platform's restart count; without
//! events, from the seen states.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::{Exit, Machine, MachineState, ProcessEventKind};

/// How long a Machine may be down after an exit if the provider does not say whether it restarts.
const RESTART_GRACE: Duration = Duration::from_secs(5);
/// One exit in the window may have an external cause, such as a dependency that is not up yet; a second one is
/// a failure.
const FAILING_EXITS: u32 = 2;

/// Watches one Machine from a call on.
#[derive(Debug)]
pub struct StabilityWatch {
    window: Duration,
    /// Known events: those before the call, and those already handled.
    seen_events: BTreeSet<u64>,
    /// A start after the call was seen; earlier exits belong to the previous start.
    started: bool,
    exits: u32,
    last: Option<Exit>,
    stop_requested: bool,
    up_since: Option<Instant>,
    was_up: bool,
    down_since: Option<Instant>,
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stability {
    /// It is up and must stay up for this long; zero once it has.
    Up(Duration),
    /// It is not up yet.
    Down,
    /// It is down but should be up, with the detail.
    AtRest(String),
    /// It does not stay up.
    Failed(StabilityFailure),
}

/// How a Machine fails to stay up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StabilityFailure {
    /// It exited and is not restarted, with the exit if known.
    Exited(Option<Exit>),
    /// It exited this many times, with the last exit.
    KeepsExiting(u32, Option<Exit>),
    /// It exited with code 0 although it has services or checks.
    ServiceExited(Exit),
}

impl StabilityWatch {
    /// Watches a Machine that is created, changed or started now. `before` is the Machine before the call,
    /// `None` for a new one.
    pub fn new(window: Duration, before: Option<&Machine>) -> Self {
        let marks = before.into_iter().flat_map(|machine| &machine.events);
        Self::with_events(window, marks.map(|event| event.id).collect(), false)
    }

    /// The same with the earlier events. `started` means that no call changes it: everything from now on
    /// counts.
    pub(super) fn with_events(window: Duration, judged: BTreeSet<u64>, started: bool) -> Self {
        Self {
            window,
            seen_events: judged,
            started,
            exits: 0,
            last: None,
            stop_requested: false,
            up_since: None,
            was_up: false,
            down_since: None,
        }
    }

    /// Whether it was seen up.
    pub fn was_up(&self) -> bool {
        self.was_up
    }

    /// Records a read of the Machine.
    pub fn observe(&mut self, machine: &Machine, now: Instant) -> Stability {
        self.count_exits(machine);
        if let Some(failing) = self.too_many_exits() {
            return Stability::Failed(failing);
        }
        let ended = self
            .last
            .filter(|exit| !exit.requested && exit.is_success());
        if let Some(exit) = ended {
            // With an always-restart policy it may already be up again.
            return if serves(machine) {
                Stability::Failed(StabilityFailure::ServiceExited(exit))
            } else {
                Stability::AtRest(format!(
                    "Machine {} exited with code 0{}",
                    machine.id,
                    self.too_soon_text()
                ))
            };
        }
        match machine.state {
            MachineState::Started => {
                self.was_up = true;
                self.down_since = None;
                let since = *self.up_since.get_or_insert(now);
                let left = self
                    .window
                    .saturating_sub(now.saturating_duration_since(since));
                Stability::Up(left)
            }
            MachineState::Stopped | MachineState::Failed | MachineState::Suspended => {
                self.up_since = None;
                self.judge_down(machine, now)
            }
            MachineState::Created
            | MachineState::Starting
            | MachineState::Stopping
            | MachineState::Suspending
            | MachineState::Replacing
            | MachineState::Unknown
            | MachineState::Destroying
            | MachineState::Destroyed => {
                self.up_since = None;
                Stability::Down
            }
        }
    }

    fn count_exits(&mut self, machine: &Machine) {
        let known = |mark: &u64| self.seen_events.contains(mark);
        let reaches_back =
            self.seen_events.is_empty() || machine.events.iter().any(|event| known(&event.id));
        if !reaches_back {
            self.started = true;
        }
        for event in machine.events.iter().rev() {
            if !self.seen_events.insert(event.id) {
                continue;
            }
            match event.kind {
                ProcessEventKind::Changed => {
                    self.started = false;
                    self.reset();
                }
                ProcessEventKind::Started => {
                    self.started = true;
                    self.up_since = None;
                    self.stop_requested = false;
                }
                ProcessEventKind::StopRequested => self.stop_requested |= self.started,
                ProcessEventKind::Exited(exit) if self.started => self.record_exit(exit),
                ProcessEventKind::Exited(_) | ProcessEventKind::Other => {}
            }
        }
        if let Some(last) = self.last.filter(|exit| !reaches_back && exit.is_crash()) {
            self.exits = self.exits.max(last.restarts);
        }
        let again = matches!(
            machine.state,
            MachineState::Starting | MachineState::Created
        );
        if machine.events.is_empty() && again && self.up_since.take().is_some() {
            self.exits += 1;
        }
    }

    fn record_exit(&mut self, exit: Exit) {
        self.last = Some(exit);
        self.up_since = None;
        if exit.requested {
            self.stop_requested = true;
        } else if exit.is_crash() {
            self.exits += 1;
        }
    }

    /// A new version: events of the previous one do not count.
    fn reset(&mut self) {
        self.exits = 0;
        self.last = None;
        self.up_since = None;
        self.stop_requested = false;
    }

    fn too_many_exits(&self) -> Option<StabilityFailure> {
        let counts = !self.window.is_zero() && self.exits >= FAILING_EXITS;
        counts.then_some(StabilityFailure::KeepsExiting(
            self.exits,
            self.last.filter(|exit| !exit.requested),
        ))
    }

    fn judge_down(&mut self, machine: &Machine, now: Instant) -> Stability {
        let suspended = machine.state == MachineState::Suspended && (self.started || self.was_up);
        if suspended || self.stop_requested {
            let what = if suspended { "suspended" } else { "stopped" };
            return Stability::AtRest(format!(
                "Machine {} was {what} on request{}",
                machine.id,
                self.too_soon_text()
            ));
        }
        let since = *self.down_since.get_or_insert(now);
        let patient = now.saturating_duration_since(since) < RESTART_GRACE;
        let gave_up = machine.state == MachineState::Failed;
        match self.last {
            Some(exit) if exit.restarting == Some(true) && !gave_up => Stability::Down,
            Some(exit) if exit.restarting.is_none() && !gave_up && patient => Stability::Down,
            Some(exit) => Stability::Failed(StabilityFailure::Exited(Some(exit))),
            None if gave_up => Stability::Failed(StabilityFailure::Exited(None)),
            None if self.was_up && !patient => Stability::Failed(StabilityFailure::Exited(None)),
            None => Stability::Down,
        }
    }

    fn too_soon_text(&self) -> String {
        if self.window.is_zero() {
            return String::new();
        }
        format!(" before it was up for {:?}", self.window)
    }
}

/// Whether it has services or checks, so that an exit is a failure.
fn serves(machine: &Machine) -> bool {
    let config = machine.config.as_deref();
    config.is_some_and(|config| config.has_services() || config.has_checks())
}

impl StabilityFailure {
    /// The message; the detail comes from the provider.
    pub fn message(&self, machine: &Machine) -> String {
        let id = &machine.id;
        let detail = machine.detail.as_deref();
        match self {
            Self::Exited(Some(exit)) => {
                format!("Machine {id} has failed: {exit}, and it is not restarted")
            }
            Self::Exited(None) if machine.state == MachineState::Failed => {
                let why = detail.unwrap_or("it could not start");
                format!("Machine {id} has failed: {why}")
            }
            Self::Exited(None) => {
                format!("Machine {id} has failed: it is down, and the provider does not say why")
            }
            Self::KeepsExiting(times, Some(exit)) => {
                format!("Machine {id} does not stay up: it ended {times} times, last with {exit}")
            }
            Self::KeepsExiting(times, None) => {
                format!("Machine {id} does not stay up: it ended {times} times")
            }
            Self::ServiceExited(_) => {
                format!("Machine {id} has failed: exit code 0, although it has services or checks")
            }
        }
    }

    /// The error code.
    pub fn code(&self) -> crate::core::code::Code {
        match self {
            Self::Exited(_) | Self::ServiceExited(_) => crate::provider::codes::MACHINE_FAILED,
            Self::KeepsExiting(..) => crate::provider::codes::MACHINE_KEEPS_ENDING,
        }
    }
}
