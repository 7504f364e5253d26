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
const GRACE: Duration = Duration::from_secs(5);
/// One exit in the window may be a neighbour that was not there yet; a second one is no chance.
const TOO_MANY: u32 = 2;

/// The watch over one Machine from a call on.
#[derive(Debug)]
pub struct Watch {
    window: Duration,
    /// Events that were there before the call, and those that were looked at since.
    judged: BTreeSet<u64>,
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
pub enum Seen {
    /// It is up, and has to stay so for this long; no time at all once it has been up for long enough.
    Up(Duration),
    /// It is not up, and may still come.
    Down,
    /// It is down and was meant to be; what there is to say of it.
    Rests(String),
    /// It does not stay up.
    Fails(Failing),
}

/// In which way a Machine does not stay up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// It ended and is not started again; how, where the provider tells.
    Ended(Option<Exit>),
    /// It ended so many times, the last time like this.
    KeepsEnding(u32, Option<Exit>),
    /// It ended with exit code 0 although it has services or checks.
    Serves(Exit),
}

impl Watch {
    /// A watch over a Machine that is made, changed or started now. `before` is what it showed before the
    /// call, none of a new one.
    pub fn over(window: Duration, before: Option<&Machine>) -> Self {
        let marks = before.into_iter().flat_map(|machine| &machine.events);
        Self::since(window, marks.map(|event| event.id).collect(), false)
    }

    /// The same with the events that were there before. `started` says that no call changes it: what it
    /// does now counts.
    pub(super) fn since(window: Duration, judged: BTreeSet<u64>, started: bool) -> Self {
        Self {
            window,
            judged,
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
    pub fn look(&mut self, machine: &Machine, now: Instant) -> Seen {
        self.learn(machine);
        if let Some(failing) = self.too_many() {
            return Seen::Fails(failing);
        }
        let ended = self
            .last
            .filter(|exit| !exit.requested && exit.is_success());
        if let Some(exit) = ended {
            // With a policy that always starts it again it may be up by now; its work was done.
            return if serves(machine) {
                Seen::Fails(Failing::Serves(exit))
            } else {
                Seen::Rests(format!(
                    "Machine {} ended by itself with exit code 0{}",
                    machine.id,
                    self.too_soon()
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
                Seen::Up(left)
            }
            MachineState::Stopped | MachineState::Failed | MachineState::Suspended => {
                self.up_since = None;
                self.at_rest(machine, now)
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
                Seen::Down
            }
        }
    }

    fn learn(&mut self, machine: &Machine) {
        let known = |mark: &u64| self.judged.contains(mark);
        let reaches_back =
            self.judged.is_empty() || machine.events.iter().any(|event| known(&event.id));
        if !reaches_back {
            self.started = true;
        }
        for event in machine.events.iter().rev() {
            if !self.judged.insert(event.id) {
                continue;
            }
            match event.kind {
                ProcessEventKind::Changed => {
                    self.started = false;
                    self.forget();
                }
                ProcessEventKind::Started => {
                    self.started = true;
                    self.up_since = None;
                    self.stop_requested = false;
                }
                ProcessEventKind::StopRequested => self.stop_requested |= self.started,
                ProcessEventKind::Exited(exit) if self.started => self.ended(exit),
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

    fn ended(&mut self, exit: Exit) {
        self.last = Some(exit);
        self.up_since = None;
        if exit.requested {
            self.stop_requested = true;
        } else if exit.is_crash() {
            self.exits += 1;
        }
    }

    /// Another version: what the one before did says nothing of it.
    fn forget(&mut self) {
        self.exits = 0;
        self.last = None;
        self.up_since = None;
        self.stop_requested = false;
    }

    fn too_many(&self) -> Option<Failing> {
        let counts = !self.window.is_zero() && self.exits >= TOO_MANY;
        counts.then_some(Failing::KeepsEnding(
            self.exits,
            self.last.filter(|exit| !exit.requested),
        ))
    }

    fn at_rest(&mut self, machine: &Machine, now: Instant) -> Seen {
        let suspended = machine.state == MachineState::Suspended && (self.started || self.was_up);
        if suspended || self.stop_requested {
            let what = if suspended { "suspended" } else { "stopped" };
            return Seen::Rests(format!(
                "Machine {} was {what} on request{}",
                machine.id,
                self.too_soon()
            ));
        }
        let since = *self.down_since.get_or_insert(now);
        let patient = now.saturating_duration_since(since) < GRACE;
        let gave_up = machine.state == MachineState::Failed;
        match self.last {
            Some(exit) if exit.restarting == Some(true) && !gave_up => Seen::Down,
            Some(exit) if exit.restarting.is_none() && !gave_up && patient => Seen::Down,
            Some(exit) => Seen::Fails(Failing::Ended(Some(exit))),
            None if gave_up => Seen::Fails(Failing::Ended(None)),
            None if self.was_up && !patient => Seen::Fails(Failing::Ended(None)),
            None => Seen::Down,
        }
    }

    fn too_soon(&self) -> String {
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

impl Failing {
    /// What to say of this Machine. The detail is what the provider says of its state.
    pub fn message(&self, machine: &Machine) -> String {
        let id = &machine.id;
        let detail = machine.detail.as_deref();
        match self {
            Self::Ended(Some(exit)) => {
                format!("Machine {id} has failed: {exit}, and it is not started again")
            }
            Self::Ended(None) if machine.state == MachineState::Failed => {
                let why = detail.unwrap_or("it could not start");
                format!("Machine {id} has failed: {why}")
            }
            Self::Ended(None) => {
                format!("Machine {id} has failed: it is down, and the provider does not say why")
            }
            Self::KeepsEnding(times, Some(exit)) => {
                format!("Machine {id} does not stay up: it ended {times} times, last with {exit}")
            }
            Self::KeepsEnding(times, None) => {
                format!("Machine {id} does not stay up: it ended {times} times")
            }
            Self::Serves(_) => format!(
                "Machine {id} has failed: exit code 0, although it has services or checks to answer"
            ),
        }
    }

    /// The code of it.
    pub fn code(&self) -> crate::core::code::Code {
        match self {
            Self::Ended(_) | Self::Serves(_) => crate::provider::codes::MACHINE_FAILED,
            Self::KeepsEnding(..) => crate::provider::codes::MACHINE_KEEPS_ENDING,
        }
    }
}
