//! The operator's limit on requests per second (`--max-rps`), in addition to the limits of each call.
//!
//! Requests are spaced evenly and sent in order of arrival.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A limit on all requests.
pub(super) struct RateLimiter {
    interval: Duration,
    /// When the next request may be sent.
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.get(),
            next: Mutex::default(),
        }
    }

    /// How long a request made now would wait.
    pub(super) fn wait_time(&self) -> Duration {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.map_or(Duration::ZERO, |next| {
            next.saturating_duration_since(Instant::now())
        })
    }

    /// Waits for this request's turn. If dropped while waiting, its turn stays unused.
    pub(super) async fn acquire(&self) {
        let from = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let from = next.map_or(now, |next| next.max(now));
            *next = Some(from + self.interval);
            from
        };
        sleep_until(from).await;
    }
}
