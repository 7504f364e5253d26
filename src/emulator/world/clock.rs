//! The simulation's clock, and the platform's time formats.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Returns the time since the simulation began.
pub trait Clock: Send + Sync {
    /// The current time; monotonic.
    fn now(&self) -> Duration;
}

/// A clock that tests advance.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Advances it.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The calendar time of the beginning, and time formats (docs/platform/machines-api.md 1.8).
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    /// Seconds since 1970.
    pub(super) beginning: i64,
}

impl Default for Calendar {
    /// 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self {
            beginning: 1_767_225_600,
        }
    }
}

impl Calendar {
    fn moment(self, at: Duration) -> Timestamp {
        let since = SignedDuration::try_from(at).unwrap_or(SignedDuration::MAX);
        Timestamp::from_second(self.beginning)
            .and_then(|beginning| beginning.checked_add(since))
            .unwrap_or(Timestamp::MAX)
    }

    /// RFC 3339 in UTC with milliseconds, so that two check results within a second differ.
    pub(super) fn precise(self, at: Duration) -> String {
        format!("{:.3}", self.moment(at))
    }

    /// RFC 3339 in UTC with whole seconds.
    pub(super) fn seconds(self, at: Duration) -> String {
        format!("{:.0}", self.moment(at))
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(self, at: Duration) -> i64 {
        self.moment(at).as_millisecond()
    }

    /// Seconds since 1970.
    pub(super) fn unix(self, at: Duration) -> i64 {
        self.moment(at).as_second()
    }
}
