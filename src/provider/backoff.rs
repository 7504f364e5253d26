//! Exponential backoff with seeded jitter, so that concurrent steps do not retry at the same moment and a
//! failed test is reproducible.

use std::time::Duration;

/// Computes the delays between tries.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    seed: u64,
}

impl Backoff {
    /// Delays from `first` on, at most `max`.
    pub fn new(first: Duration, max: Duration, seed: u64) -> Self {
        Self {
            initial: first,
            max,
            seed,
        }
    }

    /// The same backoff with another jitter seed.
    #[must_use]
    pub fn with_salt(self, salt: u64) -> Self {
        Self {
            seed: splitmix64(self.seed ^ splitmix64(salt)),
            ..self
        }
    }

    /// The seed of the jitter.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The delay after the n-th failed try, counted from 0: between half and all of the exponential delay.
    pub fn delay(&self, tries: u32) -> Duration {
        let full = self
            .initial
            .saturating_mul(1 << tries.min(16))
            .min(self.max);
        let share = splitmix64(self.seed.wrapping_add(u64::from(tries))) % 1000;
        full / 2 + full.mul_f64(share_of(share)) / 2
    }
}

fn share_of(thousandths: u64) -> f64 {
    f64::from(u32::try_from(thousandths).unwrap_or(1000)) / 1000.0
}

/// The finaliser of splitmix64: every output bit depends on every input bit.
fn splitmix64(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_and_repeat_for_a_seed() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 7);
        for (tries, full) in [(0, 100), (1, 200), (3, 800), (9, 2000), (60, 2000)] {
            let pause = backoff.delay(tries).as_millis();
            assert!((full / 2..=full).contains(&pause), "{tries}: {pause}");
            assert_eq!(pause, backoff.delay(tries).as_millis());
        }
        assert_ne!(backoff.delay(0), backoff.with_salt(1).delay(0));
    }
}
