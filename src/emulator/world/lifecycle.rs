//! What a Machine does by itself as time goes by: its states, and the timeline that it follows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long things take.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Until a call is answered.
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
    /// How long a Machine that has stopped cannot be started again.
    pub lingers: Duration,
    /// From `started` to the first result of a check.
    pub first_check: Duration,
    /// Between two results of a check.
    pub check_interval: Duration,
    /// How long a destroyed Machine can still be read by its id.
    pub remembers_destroyed: Duration,
    /// How long a new Machine is missing from lists.
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
            lingers: Duration::ZERO,
            first_check: Duration::from_secs(1),
            check_interval: Duration::from_secs(10),
            remembers_destroyed: Duration::from_secs(600),
            list_lag: Duration::ZERO,
        }
    }
}

impl Timings {
    /// Everything at once, for tests that count and do not wait.
    pub fn instant() -> Self {
        Self {
            latency: Duration::ZERO,
            prepare: Duration::ZERO,
            boot: Duration::ZERO,
            replace: Duration::ZERO,
            stop: Duration::ZERO,
            destroy: Duration::ZERO,
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

/// The states that a Machine goes through, each with the moment in which it begins; in order of time,
/// the last one lasts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Timeline {
    moments: Vec<(Duration, State)>,
    /// When its process ends by itself, and how.
    #[serde(default)]
    exits: Vec<(Duration, Exit)>,
}

/// How a process ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
    pub(super) oom_killed: bool,
    /// The platform starts it again.
    pub(super) restarting: bool,
    /// Restarts since the start that a call has caused.
    pub(super) restarts: u32,
}

/// How a start goes that a fault has touched.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent faults, any of which may come together"
)]
pub(super) struct StartOverrides {
    pub(super) slower: Duration,
    pub(super) fails: bool,
    pub(super) ends: Option<i32>,
    pub(super) exits: Option<ExitsAfter>,
    pub(super) checks_never_pass: bool,
    pub(super) unlisted: Duration,
    pub(super) unreachable: bool,
    /// What it runs is still told as an incomplete config.
    pub(super) in_part: bool,
    /// It moves to another host once the call is done.
    pub(super) migrates: bool,
    /// A Machine that is made without being started stays `created`.
    pub(super) stays_created: bool,
    /// An update is undone: the version before it runs again.
    pub(super) reverts: bool,
    /// A Machine that does not run is started by its update.
    pub(super) starts_stopped: bool,
    /// The new Machine comes to be in this region, whatever was asked for.
    pub(super) region_override: Option<String>,
}

/// A process that is up for a while and ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitsAfter {
    /// How long it is up each time.
    pub after: Duration,
    /// The exit code.
    pub code: i32,
    /// The signal that ends it.
    pub signal: Option<i32>,
    /// It used more memory than there is.
    pub oom_killed: bool,
    /// So many times it ends so and is started again; then it stays up. With 0 it ends once and is not
    /// started again. None: as its restart policy says, each time.
    pub restarts: Option<u32>,
}

/// A policy that never gives up; more restarts than any test waits for.
const UNLIMITED_RESTARTS: u32 = 500;
/// What the platform grants under `on-failure` when nothing is written (docs/platform/machines-api.md 15.1).
const RETRIES: u32 = 10;

impl ExitsAfter {
    /// How many times it is started again under this config, and whether it stays up after the last one.
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

impl Timeline {
    /// One state from now on.
    pub(super) fn constant(now: Duration, state: State) -> Self {
        Self::from_moments(vec![(now, state)])
    }

    /// `first` for so long, then a start.
    pub(super) fn starting(
        now: Duration,
        first: State,
        lasts: Duration,
        boot: Duration,
        script: &StartOverrides,
        config: &Value,
    ) -> Self {
        let starting = now + lasts;
        let started = starting + boot + script.slower;
        let moments = vec![(now, first), (starting, State::Starting)];
        let mut timeline = Self::from_moments(moments);
        if script.fails {
            timeline.moments.push((started, State::Failed));
        } else if let Some(code) = script.ends {
            timeline.moments.push((started, State::Stopped));
            let ends = ExitsAfter {
                after: Duration::ZERO,
                code,
                signal: None,
                oom_killed: false,
                restarts: Some(0),
            };
            timeline.exits.push((started, ends.exit(false, 0)));
        } else {
            timeline.moments.push((started, State::Started));
            if let Some(exits) = script.exits {
                timeline.exit(started, exits, boot, config);
            }
        }
        timeline
    }

    /// Goes on with the ends of a process that was started at this moment.
    pub(super) fn exit(
        &mut self,
        started: Duration,
        exits: ExitsAfter,
        boot: Duration,
        config: &Value,
    ) {
        let (restarts, stays_up) = exits.restarts(config);
        let mut started = started;
        for number in 1..=restarts {
            let ended = started + exits.after;
            self.exits.push((ended, exits.exit(true, number)));
            self.moments.push((ended, State::Starting));
            started = ended + boot;
            self.moments.push((started, State::Started));
        }
        if !stays_up {
            let ended = started + exits.after;
            self.exits.push((ended, exits.exit(false, restarts)));
            self.moments.push((ended, State::Stopped));
        }
    }

    /// `first` for so long, then `last`.
    pub(super) fn transition(now: Duration, first: State, lasts: Duration, last: State) -> Self {
        Self::from_moments(vec![(now, first), (now + lasts, last)])
    }

    fn from_moments(moments: Vec<(Duration, State)>) -> Self {
        Self {
            moments,
            exits: Vec::new(),
        }
    }

    /// How its process ended by itself at this moment.
    pub(super) fn exit_at(&self, at: Duration) -> Option<Exit> {
        let mut exits = self.exits.iter();
        exits.find(|(ended, _)| *ended == at).map(|(_, exit)| *exit)
    }

    /// The state at this moment, and since when.
    pub(super) fn at(&self, now: Duration) -> (State, Duration) {
        let (since, state) = self
            .moments
            .iter()
            .rev()
            .find(|(begins, _)| *begins <= now)
            .unwrap_or(&self.moments[0]);
        (*state, *since)
    }

    /// What has begun by this moment, oldest first.
    pub(super) fn begun(&self, now: Duration) -> impl Iterator<Item = (Duration, State)> {
        let begun = self
            .moments
            .iter()
            .filter(move |(begins, _)| *begins <= now);
        begun.copied()
    }

    /// When it changes next by itself.
    pub(super) fn next_change(&self, now: Duration) -> Option<Duration> {
        self.moments
            .iter()
            .map(|(begins, _)| *begins)
            .find(|begins| *begins > now)
    }
}
