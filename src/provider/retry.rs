//! Retries: the one loop that repeats an operation, and the table of its policies.
//!
//! Each caller says which of its failures may pass and which policy they fall under. What is done with a pause is
//! the caller's, too: a step of an apply stops it on a cancel and reports it, a read sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::{ErrorClass, ProviderError, codes};

/// Longest pause that is believed: a number that no clock can be set by is no answer.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often, how long apart and how long in all an operation is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Its name in this table. Failures under one name are counted together.
    pub name: &'static str,
    /// Tries at most, the first one included.
    pub max_tries: u32,
    /// The time between two tries.
    pub pause: Pause,
    /// What a Retry-After does to that time.
    pub retry_after: RetryAfter,
    /// The time in all, counted from the first try.
    pub deadline: Deadline,
}

/// The time between two tries.
#[derive(Debug, Clone, Copy)]
pub enum Pause {
    /// The same each time.
    Every(Duration),
    /// Doubled each time, with jitter.
    Doubling {
        /// The first one.
        first: Duration,
        /// The longest one.
        longest: Duration,
    },
}

/// What a Retry-After of the provider does.
#[derive(Debug, Clone, Copy)]
pub enum RetryAfter {
    /// It replaces the policy's pause.
    Replaces,
    /// It replaces the policy's pause; a longer one than this ends the retries.
    ReplacesUpTo(Duration),
    /// The policy's pause is added to it; a longer one than this ends the retries.
    ExtendsUpTo(Duration),
}

/// How long an operation is repeated in all.
#[derive(Debug, Clone, Copy)]
pub enum Deadline {
    /// Only the number of tries counts.
    None,
    /// The pause before the last try is cut short, so that the last try is made at the deadline.
    LastTryAt(Duration),
    /// No pause ends at the deadline or after it.
    EveryTryBefore(Duration),
    /// No pause begins after the deadline; one that the provider has asked for is waited out.
    EveryPauseFrom(Duration),
}

const NO_COUNT: u32 = u32::MAX;

/// A call that changes something, or one of a step's reads, after a failure that may pass. Used by `apply` and by the
/// verbs of single Machines.
pub const CALL: RetryPolicy = RetryPolicy {
    name: "call",
    max_tries: 6,
    pause: Pause::Doubling {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(10),
    },
    retry_after: RetryAfter::Replaces,
    deadline: Deadline::None,
};

/// The same after a rate limit, which says nothing against the call itself.
pub const CALL_RATE_LIMIT: RetryPolicy = RetryPolicy {
    name: "call, rate limited",
    max_tries: NO_COUNT,
    deadline: Deadline::EveryPauseFrom(Duration::from_secs(600)),
    ..CALL
};

/// A wait for a Machine that was not answered; its deadline is the wait's own.
const WAIT: RetryPolicy = RetryPolicy {
    name: "wait",
    max_tries: NO_COUNT,
    ..CALL
};

/// An image that the registry does not have: one that was pushed a moment ago is there in less than 10 s
/// (docs/platform/machines-api.md 20a).
pub const IMAGE_PUSH: RetryPolicy = RetryPolicy {
    name: "image push",
    max_tries: NO_COUNT,
    pause: Pause::Every(Duration::from_secs(2)),
    deadline: Deadline::LastTryAt(Duration::from_secs(30)),
    ..CALL
};

/// A read outside of a step. Nothing is said meanwhile, so a limit that ends late is an error. The deadline is for
/// all tries: a server that accepts and never answers would otherwise use up the time of each.
pub const READ: RetryPolicy = RetryPolicy {
    name: "read",
    max_tries: 6,
    pause: Pause::Doubling {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
    },
    retry_after: RetryAfter::ExtendsUpTo(Duration::from_secs(30)),
    deadline: Deadline::EveryTryBefore(READ_DEADLINE),
};

/// How long a read may take with all its tries.
pub const READ_DEADLINE: Duration = Duration::from_secs(90);

/// A read that is repeated after a rate limit only: the newest release, which another host keeps, and the list that
/// logs are made of.
pub const READ_RATE_LIMIT: RetryPolicy = RetryPolicy {
    name: "read, rate limited",
    max_tries: 6,
    pause: Pause::Every(Duration::from_secs(1)),
    retry_after: RetryAfter::ReplacesUpTo(Duration::from_secs(30)),
    deadline: Deadline::None,
};

/// The registration of a release, its end, and the search for one whose registration was not answered: as often as
/// flyctl tries.
pub const RELEASE: RetryPolicy = RetryPolicy {
    name: "release",
    max_tries: 3,
    ..CALL
};

/// A lease that somebody else holds.
pub const LEASE: RetryPolicy = RetryPolicy {
    name: "lease",
    max_tries: NO_COUNT,
    pause: Pause::Every(Duration::from_secs(2)),
    retry_after: RetryAfter::Replaces,
    deadline: Deadline::LastTryAt(Duration::from_secs(30)),
};

/// What a failure is answered with: another try under this policy.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    policy: RetryPolicy,
    asked: Option<Duration>,
    seed: u64,
}

impl RetryPolicy {
    /// Another try.
    pub fn retry(self) -> Retry {
        self.retry_after(None)
    }

    /// Another try, after the time that the provider has asked for.
    pub fn retry_after(self, asked: Option<Duration>) -> Retry {
        Retry {
            policy: self,
            asked,
            seed: 0,
        }
    }

    /// The same policy with another time in all.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self {
            deadline: Deadline::LastTryAt(limit),
            ..self
        }
    }
}

impl Retry {
    /// The same with the jitter of this seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The pause after so many failed tries; none when it was the last one.
    fn pause(&self, failed: u32, elapsed: Duration) -> Option<Duration> {
        let policy = &self.policy;
        if failed >= policy.max_tries {
            return None;
        }
        let own = match policy.pause {
            Pause::Every(pause) => pause,
            Pause::Doubling { first, longest } => {
                Backoff::new(first, longest, self.seed).delay(failed - 1)
            }
        };
        let pause = match (self.asked, policy.retry_after) {
            (None, _) => own,
            (Some(asked), RetryAfter::ReplacesUpTo(longest) | RetryAfter::ExtendsUpTo(longest))
                if asked > longest =>
            {
                return None;
            }
            (Some(asked), RetryAfter::Replaces | RetryAfter::ReplacesUpTo(_)) => asked,
            (Some(asked), RetryAfter::ExtendsUpTo(_)) => asked + own,
        };
        let left = |limit: Duration| {
            let left = limit.saturating_sub(elapsed);
            (!left.is_zero()).then_some(left)
        };
        match policy.deadline {
            Deadline::None => Some(pause),
            Deadline::LastTryAt(limit) => Some(pause.min(left(limit)?)),
            Deadline::EveryTryBefore(limit) => Some(pause).filter(|pause| elapsed + *pause < limit),
            Deadline::EveryPauseFrom(limit) => left(limit).map(|_| pause),
        }
        .map(|pause| pause.min(MAX_PAUSE))
    }
}

/// A failure and the pause before the next try.
#[derive(Debug)]
pub struct FailedTry<E> {
    /// Why the try failed.
    pub error: E,
    /// How many tries have failed under this policy.
    pub failed: u32,
    /// The time until the next try.
    pub pause: Duration,
    /// The time until the policy's deadline.
    pub left: Option<Duration>,
    /// The policy.
    pub policy: RetryPolicy,
}

/// Repeats an operation as long as `policy` allows it for the failure at hand. `on_wait` lets the pause pass, and
/// ends the retries with the error that it returns.
///
/// # Errors
/// The last failure, or the error of `on_wait`.
pub async fn retry<T, E>(
    policy: impl Fn(&E) -> Option<Retry>,
    mut operation: impl AsyncFnMut() -> Result<T, E>,
    mut on_wait: impl AsyncFnMut(FailedTry<E>) -> Result<(), E>,
) -> Result<T, E> {
    let begun = Instant::now();
    let mut counts: Vec<(&'static str, u32)> = Vec::new();
    loop {
        let error = match operation().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(again) = policy(&error) else {
            return Err(error);
        };
        let failed = count(&mut counts, again.policy.name);
        let elapsed = begun.elapsed();
        let Some(pause) = again.pause(failed, elapsed) else {
            return Err(error);
        };
        on_wait(FailedTry {
            error,
            failed,
            pause,
            left: again.policy.deadline.left(elapsed),
            policy: again.policy,
        })
        .await?;
    }
}

fn count(counts: &mut Vec<(&'static str, u32)>, name: &'static str) -> u32 {
    if let Some((_, failed)) = counts.iter_mut().find(|(of, _)| *of == name) {
        *failed += 1;
        return *failed;
    }
    counts.push((name, 1));
    1
}

impl Deadline {
    fn left(self, elapsed: Duration) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::LastTryAt(limit) | Self::EveryTryBefore(limit) | Self::EveryPauseFrom(limit) => {
                Some(limit.saturating_sub(elapsed))
            }
        }
    }
}

/// Sleeps for the pause: the `on_wait` of a caller that reports nothing.
///
/// # Errors
/// Never.
pub async fn sleep_between<E>(failed: FailedTry<E>) -> Result<(), E> {
    sleep(failed.pause).await;
    Ok(())
}

/// Which policy the failure of a call falls under. One whose answer was lost, or that met something else at work, is
/// repeated by nobody who has not looked at the Machine again.
pub fn of_call(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(asked) => Some(CALL_RATE_LIMIT.retry_after(asked)),
        ErrorClass::Transient if error.code == codes::IMAGE_NOT_FOUND.name() => {
            Some(IMAGE_PUSH.retry())
        }
        ErrorClass::Transient => Some(CALL.retry()),
        ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Unknown
        | ErrorClass::Fatal => None,
    }
}

/// Which policy the failure of a read falls under: a read can be repeated whatever came of it.
pub fn of_read(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(asked) => Some(READ.retry_after(asked)),
        ErrorClass::Transient | ErrorClass::Unknown => Some(READ.retry()),
        ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Fatal => None,
    }
}

/// Which policy the failure of a wait falls under, which may take so long in all.
pub fn of_wait(error: &ProviderError, at_most: Duration) -> Option<Retry> {
    match error.class {
        ErrorClass::Unknown | ErrorClass::RateLimited(_) => Some(WAIT.within(at_most).retry()),
        ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Transient
        | ErrorClass::Fatal => None,
    }
}

/// The same of a read that is repeated after a rate limit only.
pub fn of_rate_limited_read(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(asked) => Some(READ_RATE_LIMIT.retry_after(asked)),
        ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Transient
        | ErrorClass::Unknown
        | ErrorClass::Fatal => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn error(class: ErrorClass) -> ProviderError {
        ProviderError::new(class, codes::TIMED_OUT, "no")
    }

    async fn tries_and_time(policy: RetryPolicy, asked: Option<u64>) -> (u32, Duration) {
        let (tries, begun) = (Cell::new(0), Instant::now());
        let asked = asked.map(Duration::from_secs);
        let ended = retry(
            |_: &ProviderError| Some(policy.retry_after(asked)),
            async || {
                tries.set(tries.get() + 1);
                Err::<(), _>(error(ErrorClass::Transient))
            },
            sleep_between,
        );
        assert!(ended.await.is_err());
        (tries.get(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn every_policy_ends_after_its_tries_or_at_its_deadline() {
        let (tries, took) = tries_and_time(CALL, None).await;
        assert!(tries == 6 && took < Duration::from_secs(7), "{took:?}");
        assert_eq!(tries_and_time(RELEASE, None).await.0, 3);
        let lease = tries_and_time(LEASE, None).await;
        assert_eq!(lease, (16, Duration::from_secs(30)));
        let lease = tries_and_time(LEASE.within(Duration::from_secs(3)), None).await;
        assert_eq!(lease, (3, Duration::from_secs(3)));
        let image = tries_and_time(IMAGE_PUSH, None).await;
        assert_eq!(image, (16, Duration::from_secs(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_is_kept_and_one_that_ends_too_late_ends_the_retries() {
        assert_eq!(tries_and_time(READ, Some(31)).await.0, 1);
        let (tries, took) = tries_and_time(READ, Some(20)).await;
        assert!(tries == 5 && took < READ_DEADLINE, "{tries}, {took:?}");
        let limited = tries_and_time(CALL_RATE_LIMIT, Some(400)).await;
        assert_eq!(limited, (3, Duration::from_secs(800)));
        let limited = tries_and_time(CALL_RATE_LIMIT, Some(u64::MAX)).await;
        assert_eq!(limited, (2, MAX_PAUSE));
        assert_eq!(tries_and_time(READ, Some(u64::MAX)).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_under_two_policies_are_counted_apart() {
        let tries = Cell::new(0);
        let ended = retry(
            of_call,
            async || {
                tries.set(tries.get() + 1);
                Err::<(), _>(error(if tries.get() <= 10 {
                    ErrorClass::RateLimited(None)
                } else {
                    ErrorClass::Transient
                }))
            },
            sleep_between,
        );
        assert!(ended.await.is_err());
        assert_eq!(tries.get(), 16);
    }
}
