//! The platform's rate limits, per action and Machine or app (docs/platform/machines-api.md 1.5).

use std::collections::BTreeMap;
use std::time::Duration;

/// The token buckets of all callers.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits(BTreeMap<(&'static str, String), Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    counted_at: Duration,
}

impl Limits {
    /// Takes a token for one call, or returns the time until there is one.
    pub(super) fn take(
        &mut self,
        now: Duration,
        action: &'static str,
        id: &str,
    ) -> Result<(), Duration> {
        let (rate, burst) = match action {
            "get" => (5.0, 10.0),
            "delete-app" => (100.0 / 60.0, 100.0),
            _ => (1.0, 3.0),
        };
        let bucket = self.0.entry((action, id.to_owned())).or_insert(Bucket {
            tokens: burst,
            counted_at: now,
        });
        let earned = now.saturating_sub(bucket.counted_at).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(burst);
        bucket.counted_at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}
