//! What a Machine does by itself as time goes by: its states, and the timeline that it follows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// The states of the platform's lifecycle (facts/fly-machines-api.md 17.1).
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
    /// The last state is one in which it is since its process ended with this code.
    exit: Option<i32>,
}

/// How a start goes that a fault has touched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Script {
    pub(super) slower: Duration,
    pub(super) fails: bool,
    pub(super) ends: Option<i32>,
    pub(super) checks_never_pass: bool,
    pub(super) unlisted: Duration,
    pub(super) unreachable: bool,
}

impl Timeline {
    /// One state from now on.
    pub(super) fn resting(now: Duration, state: State) -> Self {
        Self::along(vec![(now, state)])
    }

    /// `first` for so long, then a start.
    pub(super) fn launching(
        now: Duration,
        first: State,
        lasts: Duration,
        boot: Duration,
        script: Script,
    ) -> Self {
        let starting = now + lasts;
        let end = match script.ends {
            _ if script.fails => State::Failed,
            Some(_) => State::Stopped,
            None => State::Started,
        };
        Self {
            exit: script.ends.filter(|_| end == State::Stopped),
            ..Self::along(vec![
                (now, first),
                (starting, State::Starting),
                (starting + boot + script.slower, end),
            ])
        }
    }

    /// `first` for so long, then `last`.
    pub(super) fn passing(now: Duration, first: State, lasts: Duration, last: State) -> Self {
        Self::along(vec![(now, first), (now + lasts, last)])
    }

    fn along(moments: Vec<(Duration, State)>) -> Self {
        Self {
            moments,
            exit: None,
        }
    }

    /// When its process ended by itself, and with which code.
    pub(super) fn exit(&self, now: Duration) -> Option<(Duration, i32)> {
        let (at, _) = self.moments.last().filter(|(at, _)| *at <= now)?;
        Some((*at, self.exit?))
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
