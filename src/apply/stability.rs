//! Whether a Machine that was started stays up (rule 29): pure, over what reads of it show, on our own clock.
//!
//! Exits are counted from events that were not there before the call; by the platform's own count of restarts
//! where the list does not reach back so far; and from the states seen where there are no events at all.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::{Exit, Machine, MachineState, ProcessEventKind};

/// How long a Machine may be down after an exit of which the provider does not say whether it starts the
/// Machine again.
const RESTART_GRACE: Duration = Duration::from_secs(5);
/// One exit in the window may be a neighbour that was not there yet; a second one is no chance.
const FAILING_EXITS: u32 = 2;

/// The watch over one Machine from a call on.
#[derive(Debug)]
pub struct StabilityWatch {
    window: Duration,
    /// Events that were there before the call, and those that were looked at since.
    seen_events: BTreeSet<u64>,
    /// A start after the call was seen; what ended before it was the run before.
    started: bool,
    exits: u32,
    last: Option<Exit>,
    stop_requested: bool,
    up_since: Option<Instant>,
    was_up: bool,
    down_since: Option<Instant>,
}

/// What a look at the Machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stability {
    /// It is up, and has to stay so for this long; no time at all once it has been up for long enough.
    Up(Duration),
    /// It is not up, and may still come.
    Down,
    /// It is down and was meant to be; what there is to say of it.
    AtRest(String),
    /// It does not stay up.
    Failed(StabilityFailure),
}

/// In which way a Machine does not stay up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StabilityFailure {
    /// It ended and is not started again; how, where the provider tells.
    Exited(Option<Exit>),
    /// It ended so many times, the last time like this.
    KeepsExiting(u32, Option<Exit>),
    /// It ended with exit code 0 although it has services or checks.
    ServiceExited(Exit),
}

impl StabilityWatch {
    /// A watch over a Machine that is made, changed or started now. `before` is what it showed before the
    /// call, none of a new one.
    pub fn new(window: Duration, before: Option<&Machine>) -> Self {
        let marks = before.into_iter().flat_map(|machine| &machine.events);
        Self::with_events(window, marks.map(|event| event.id).collect(), false)
    }

    /// The same with the events that were there before. `started` says that no call changes it: what it
    /// does now counts.
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

    /// Takes in what the Machine shows now.
    pub fn observe(&mut self, machine: &Machine, now: Instant) -> Stability {
        self.count_exits(machine);
        if let Some(failing) = self.too_many_exits() {
            return Stability::Failed(failing);
        }
        let ended = self
            .last
            .filter(|exit| !exit.requested && exit.is_success());
        if let Some(exit) = ended {
            // With a policy that always starts it again it may be up by now; its work was done.
            return if serves(machine) {
                Stability::Failed(StabilityFailure::ServiceExited(exit))
            } else {
                Stability::AtRest(format!(
                    "Machine {} ended by itself with exit code 0{}",
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

    /// Another version: what the one before did says nothing of it.
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
        format!(" before it had been up for {:?}", self.window)
    }
}

/// Whether it has something to answer, so that an end is no success.
fn serves(machine: &Machine) -> bool {
    let config = machine.config.as_deref();
    config.is_some_and(|config| config.has_services() || config.has_checks())
}

impl StabilityFailure {
    /// What to say of this Machine. The detail is what the provider says of its state.
    pub fn message(&self, machine: &Machine) -> String {
        let id = &machine.id;
        let detail = machine.detail.as_deref();
        match self {
            Self::Exited(Some(exit)) => {
                format!("Machine {id} has failed: {exit}, and it is not started again")
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
            Self::ServiceExited(_) => format!(
                "Machine {id} has failed: exit code 0, although it has services or checks to answer"
            ),
        }
    }

    /// The code of it.
    pub fn code(&self) -> crate::core::code::Code {
        match self {
            Self::Exited(_) | Self::ServiceExited(_) => crate::provider::codes::MACHINE_FAILED,
            Self::KeepsExiting(..) => crate::provider::codes::MACHINE_KEEPS_ENDING,
        }
    }
}
