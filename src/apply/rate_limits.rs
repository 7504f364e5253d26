//! Rate limits of calls: one token bucket per (action, Machine) as the provider declares, Retry-After, and the
//! retry budget of a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::{Capabilities, MachineId};

type BucketKey = (&'static str, Option<MachineId>);

/// The retry budget. Each success returns one, so that an outage ends a large run after about this many retries
/// instead of several per step.
const RETRY_BUDGET: u32 = 100;

/// Longest accepted pause; a larger value is invalid.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Limits of one run.
pub(super) struct RateLimits {
    calls: (u32, u32),
    reads: (u32, u32),
    buckets: RefCell<BTreeMap<BucketKey, Bucket>>,
    retries_left: RefCell<u32>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    refilled_at: Instant,
    blocked_until: Instant,
    /// Spacing of calls after a rate limit error, if the provider declares no limit.
    pace: Duration,
}

impl RateLimits {
    pub(super) fn new(capabilities: &Capabilities) -> Self {
        Self {
            calls: (capabilities.calls_per_second, capabilities.burst),
            reads: match capabilities.reads_per_second {
                0 => (capabilities.calls_per_second, capabilities.burst),
                reads => (reads, capabilities.read_burst),
            },
            buckets: RefCell::default(),
            retries_left: RefCell::new(RETRY_BUDGET),
        }
    }

    /// Reserves a call and returns its earliest time.
    pub(super) fn reserve(&self, action: &'static str, id: Option<&MachineId>) -> Instant {
        let now = Instant::now();
        let key = (action, id.cloned());
        let mut buckets = self.buckets.borrow_mut();
        let (per_second, burst) = if action == "get" {
            self.reads
        } else {
            self.calls
        };
        if per_second == 0 {
            return buckets.get_mut(&key).map_or(now, |bucket| {
                let from = bucket.blocked_until.max(now);
                bucket.blocked_until = from + bucket.pace;
                from
            });
        }
        let (rate, most) = (f64::from(per_second), f64::from(burst.max(1)));
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: most,
            refilled_at: now,
            blocked_until: now,
            pace: Duration::ZERO,
        });
        let earned = (now - bucket.refilled_at).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(most) - 1.0;
        bucket.refilled_at = now;
        let pause = Duration::from_secs_f64((-bucket.tokens).max(0.0) / rate);
        (now + pause).max(bucket.blocked_until)
    }

    /// Handles a rate limit error: no call of this kind before then.
    pub(super) fn block(&self, action: &'static str, id: Option<&MachineId>, pause: Duration) {
        let now = Instant::now();
        let pause = pause.min(MAX_PAUSE);
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets.entry((action, id.cloned())).or_insert(Bucket {
            tokens: 0.0,
            refilled_at: now,
            blocked_until: now,
            pace: Duration::ZERO,
        });
        bucket.blocked_until = bucket.blocked_until.max(now + pause);
        bucket.pace = pause;
    }

    /// A call succeeded.
    pub(super) fn record_success(&self) {
        let mut retries = self.retries_left.borrow_mut();
        *retries = (*retries + 1).min(RETRY_BUDGET);
    }

    /// Whether the run may retry once more.
    pub(super) fn take_retry(&self) -> bool {
        let mut retries = self.retries_left.borrow_mut();
        let may = *retries > 0;
        *retries = retries.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_every_clock_is_one_of_a_day() {
        let limits = RateLimits::new(&Capabilities::default());
        limits.block("create", None, Duration::from_secs(u64::MAX));
        let from = limits.reserve("create", None);
        assert_eq!(from - Instant::now(), MAX_PAUSE);
    }
}
