//! The lifecycle of a Machine: its states, and its timeline.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Durations of the simulation.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Latency of a call.
    pub latency: Duration,
    /// Pulling the image (`created`).
    pub prepare: Duration,
    /// Booting (`starting`).
    pub boot: Duration,
    /// Changing to a new version (`replacing`).
    pub replace: Duration,
    /// From the signal to the exit (`stopping`).
    pub stop: Duration,
    /// Being destroyed (`destroying`).
    pub destroy: Duration,
    /// How long the process of a Machine runs that is destroyed when it ends (`auto_destroy`).
    pub once: Duration,
    /// How long a stopped Machine cannot be started again.
    pub lingers: Duration,
    /// From `started` to the first check result.
    pub first_check: Duration,
    /// Between two check results.
    pub check_interval: Duration,
    /// How long a destroyed Machine can be read by its id.
    pub remembers_destroyed: Duration,
    /// How long lists omit a new Machine.
    pub list_lag: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            prepare: Duration::from_millis(500),
            boot: Duration::from_millis(1500),
            replace: Duration::from_secs(1),
            stop: Duration::from_millis(800),
            destroy: Duration::from_millis(700),
            once: Duration::from_secs(1),
            lingers: Duration::ZERO,
            first_check: Duration::from_secs(1),
            check_interval: Duration::from_secs(10),
            remembers_destroyed: Duration::from_secs(600),
            list_lag: Duration::ZERO,
        }
    }
}

impl Timings {
    /// Everything takes no time, for tests that only count calls.
    pub fn instant() -> Self {
        Self {
            latency: Duration::ZERO,
            prepare: Duration::ZERO,
            boot: Duration::ZERO,
            replace: Duration::ZERO,
            stop: Duration::ZERO,
            destroy: Duration::ZERO,
            once: Duration::ZERO,
            lingers: Duration::ZERO,
            first_check: Duration::ZERO,
            check_interval: Duration::from_secs(10),
            remembers_destroyed: Duration::from_secs(600),
            list_lag: Duration::ZERO,
        }
    }
}

/// The states of the platform's lifecycle (docs/platform/machines-api.md 17.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Created,
    Starting,
    Started,
    Stopping,
    Stopped,
    Suspending,
    Suspended,
    Replacing,
    Failed,
    Destroying,
    Destroyed,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Replacing => "replacing",
            Self::Failed => "failed",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
        }
    }
}

/// The states of a Machine with their start times, in order; the last one lasts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Timeline {
    moments: Vec<(Duration, State)>,
    /// When and how its process exits by itself.
    #[serde(default)]
    exits: Vec<(Duration, Exit)>,
}

/// How a process exits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
    pub(super) oom_killed: bool,
    /// The platform restarts it.
    pub(super) restarting: bool,
    /// Restarts since the last start by a call.
    pub(super) restarts: u32,
}

/// Fault effects on a start.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent faults, any of which may come together"
)]
pub(super) struct StartOverrides {
    pub(super) slower: Duration,
    pub(super) fails: bool,
    pub(super) exit_code: Option<i32>,
    pub(super) exits: Option<ExitsAfter>,
    /// Another client stops it after this time.
    pub(super) stopped_after: Option<Duration>,
    pub(super) checks_never_pass: bool,
    pub(super) unlisted: Duration,
    pub(super) unreachable: bool,
    /// Its config is still shown as an incomplete one.
    pub(super) in_part: bool,
    /// It moves to another host after the call.
    pub(super) migrates: bool,
    /// A Machine created without start stays `created`.
    pub(super) stays_created: bool,
    /// An update is undone: the previous version runs again.
    pub(super) reverts: bool,
    /// An update starts a stopped Machine.
    pub(super) starts_stopped: bool,
    /// The new Machine is created in this region, whatever the call requested.
    pub(super) region_override: Option<String>,
}

/// A process that runs for a while and exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitsAfter {
    /// The uptime of each run.
    pub after: Duration,
    /// The exit code.
    pub code: i32,
    /// The signal that kills it.
    pub signal: Option<i32>,
    /// It exceeded the Machine's memory.
    pub oom_killed: bool,
    /// How many times it is restarted before it stays up; with 0 it exits once and is not restarted. `None`:
    /// as its restart policy says, each time.
    pub restarts: Option<u32>,
}

/// The limit for a policy without one; more than any test needs.
const UNLIMITED_RESTARTS: u32 = 500;
/// The platform's default for `on-failure` (docs/platform/machines-api.md 15.1).
const RETRIES: u32 = 10;

impl ExitsAfter {
    /// How many times it is restarted with this config, and whether it stays up afterwards.
    fn restarts(&self, config: &Value) -> (u32, bool) {
        if let Some(restarts) = self.restarts {
            return (restarts, restarts > 0);
        }
        let restart = config.get("restart");
        let written = |key: &str| restart.and_then(|restart| restart.get(key));
        let restarts = match written("policy").and_then(Value::as_str) {
            Some("always") => UNLIMITED_RESTARTS,
            Some("no") => 0,
            _ if self.code == 0 && self.signal.is_none() && !self.oom_killed => 0,
            _ => written("max_retries")
                .and_then(Value::as_u64)
                .map_or(RETRIES, |most| {
                    u32::try_from(most).unwrap_or(UNLIMITED_RESTARTS)
                })
                .min(UNLIMITED_RESTARTS),
        };
        (restarts, false)
    }
}

impl ExitsAfter {
    /// One run that is not restarted.
    fn once(after: Duration, code: i32) -> Self {
        Self {
            after,
            code,
            signal: None,
            oom_killed: false,
            restarts: Some(0),
        }
    }

    fn exit(&self, restarting: bool, restarts: u32) -> Exit {
        Exit {
            code: self.code,
            signal: self.signal,
            oom_killed: self.oom_killed,
            restarting,
            restarts,
        }
    }
}

/// Whether a Machine is destroyed when its process ends (docs/platform/machines-api.md 15.1, 17.1).
fn destroys_itself(config: &Value) -> bool {
    let policy = config.pointer("/restart/policy").and_then(Value::as_str);
    config.get("auto_destroy") == Some(&Value::Bool(true)) && policy == Some("no")
}

impl Timeline {
    /// One state from now on.
    pub(super) fn constant(now: Duration, state: State) -> Self {
        Self::from_moments(vec![(now, state)])
    }

    /// `first` for this time, then a start.
    pub(super) fn starting(
        now: Duration,
        first: State,
        lasts: Duration,
        timings: &Timings,
        script: &StartOverrides,
        config: &Value,
    ) -> Self {
        let starting = now + lasts;
        let started = starting + timings.boot + script.slower;
        let moments = vec![(now, first), (starting, State::Starting)];
        let mut timeline = Self::from_moments(moments);
        if script.fails {
            timeline.moments.push((started, State::Failed));
        } else if let Some(code) = script.exit_code {
            let exit = ExitsAfter::once(Duration::ZERO, code).exit(false, 0);
            timeline.end(started, exit, timings, config);
        } else {
            timeline.moments.push((started, State::Started));
            if let Some(after) = script.stopped_after {
                let stopping = started + after;
                timeline.moments.push((stopping, State::Stopping));
                let stopped = stopping + timings.stop;
                timeline.moments.push((stopped, State::Stopped));
                return timeline;
            }
            let by_itself = || destroys_itself(config).then(|| ExitsAfter::once(timings.once, 0));
            if let Some(exits) = script.exits.or_else(by_itself) {
                timeline.exit(started, exits, timings, config);
            }
        }
        timeline
    }

    /// Adds the exits of a process started at this moment.
    pub(super) fn exit(
        &mut self,
        started: Duration,
        exits: ExitsAfter,
        timings: &Timings,
        config: &Value,
    ) {
        let (restarts, stays_up) = exits.restarts(config);
        let mut started = started;
        for number in 1..=restarts {
            let ended = started + exits.after;
            self.exits.push((ended, exits.exit(true, number)));
            self.moments.push((ended, State::Starting));
            started = ended + timings.boot;
            self.moments.push((started, State::Started));
        }
        if !stays_up {
            let ended = started + exits.after;
            self.end(ended, exits.exit(false, restarts), timings, config);
        }
    }

    /// Adds the last exit of a process: its Machine is stopped, or destroys itself.
    fn end(&mut self, ended: Duration, exit: Exit, timings: &Timings, config: &Value) {
        self.exits.push((ended, exit));
        if destroys_itself(config) {
            self.moments.push((ended, State::Destroying));
            self.moments
                .push((ended + timings.destroy, State::Destroyed));
        } else {
            self.moments.push((ended, State::Stopped));
        }
    }

    /// `first` for this time, then `last`.
    pub(super) fn transition(now: Duration, first: State, lasts: Duration, last: State) -> Self {
        Self::from_moments(vec![(now, first), (now + lasts, last)])
    }

    fn from_moments(moments: Vec<(Duration, State)>) -> Self {
        Self {
            moments,
            exits: Vec::new(),
        }
    }

    /// The exit of its process at this moment.
    pub(super) fn exit_at(&self, at: Duration) -> Option<Exit> {
        let mut exits = self.exits.iter();
        exits.find(|(ended, _)| *ended == at).map(|(_, exit)| *exit)
    }

    /// The state at this moment, and its start time.
    pub(super) fn at(&self, now: Duration) -> (State, Duration) {
        let (since, state) = self
            .moments
            .iter()
            .rev()
            .find(|(begins, _)| *begins <= now)
            .unwrap_or(&self.moments[0]);
        (*state, *since)
    }

    /// The states that have begun by this moment, oldest first.
    pub(super) fn begun(&self, now: Duration) -> impl Iterator<Item = (Duration, State)> {
        let begun = self
            .moments
            .iter()
            .filter(move |(begins, _)| *begins <= now);
        begun.copied()
    }

    /// The time of the next scheduled change.
    pub(super) fn next_change(&self, now: Duration) -> Option<Duration> {
        self.moments
            .iter()
            .map(|(begins, _)| *begins)
            .find(|begins| *begins > now)
    }
}
