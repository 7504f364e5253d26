//! Where the world's time comes from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Gives the time since the world began.
pub trait Clock: Send + Sync {
    /// Now; never goes backwards.
    fn now(&self) -> Duration;
}

/// A clock that stands still until it is moved by hand.
#[derive(Debug, Default)]
pub struct HandClock(AtomicU64);

impl HandClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The wall clock of the platform when the world begins: 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600;

/// A moment as the platform writes it: RFC 3339 in UTC with milliseconds, so that two results of one
/// check within a second differ.
pub(super) fn written(at: Duration) -> String {
    let since = SignedDuration::try_from(at).unwrap_or(SignedDuration::MAX);
    let moment = Timestamp::from_second(BEGINNING)
        .and_then(|beginning| beginning.checked_add(since))
        .unwrap_or(Timestamp::MAX);
    format!("{moment:.3}")
}
