//! Retries: one loop that repeats an operation, and a table of policies.
//!
//! Each caller classifies its errors and selects their policy. The caller also handles the pause: a step of
//! an apply reports it and stops on a cancel, a read only sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::{ErrorClass, ProviderError, codes};

/// The longest `Retry-After` that counts; longer ones are treated as errors of the server.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often and how long an operation is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The policy's name; failures under one name are counted together.
    pub name: &'static str,
    /// The maximum of tries, including the first.
    pub max_tries: u32,
    /// The pause between tries.
    pub pause: Pause,
    /// How `Retry-After` changes the pause.
    pub retry_after: RetryAfter,
    /// The total time, from the first try.
    pub deadline: Deadline,
}

/// The pause between tries.
#[derive(Debug, Clone, Copy)]
pub enum Pause {
    /// Constant.
    Every(Duration),
    /// Doubled each time, with jitter.
    Doubling {
        /// The first pause.
        first: Duration,
        /// The longest pause.
        longest: Duration,
    },
}

/// How `Retry-After` changes the pause.
#[derive(Debug, Clone, Copy)]
pub enum RetryAfter {
    /// It replaces the policy's pause.
    Replaces,
    /// It replaces the policy's pause; one longer than this ends the retries.
    ReplacesUpTo(Duration),
    /// The policy's pause is added to it; one longer than this ends the retries.
    ExtendsUpTo(Duration),
}

/// The total time of an operation.
#[derive(Debug, Clone, Copy)]
pub enum Deadline {
    /// Only the number of tries is limited.
    None,
    /// The last pause is shortened, so that the last try is at the deadline.
    LastTryAt(Duration),
    /// A pause that would end at or after the deadline ends the retries.
    EveryTryBefore(Duration),
    /// No pause begins after the deadline; a `Retry-After` is waited out.
    EveryPauseFrom(Duration),
}

const NO_COUNT: u32 = u32::MAX;

/// A mutating call, or a step's read, after an error that may pass; for `apply` and commands on single
/// Machines.
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

/// The same after a rate limit, which is not the call's own failure.
pub const CALL_RATE_LIMIT: RetryPolicy = RetryPolicy {
    name: "call, rate limited",
    max_tries: NO_COUNT,
    deadline: Deadline::EveryPauseFrom(Duration::from_secs(600)),
    ..CALL
};

/// A wait for a Machine without a response; it has the wait's own deadline.
const WAIT: RetryPolicy = RetryPolicy {
    name: "wait",
    max_tries: NO_COUNT,
    ..CALL
};

/// A missing image: an image that was just pushed appears in less than 10 s (docs/platform/machines-api.md
/// 20a).
pub const IMAGE_PUSH: RetryPolicy = RetryPolicy {
    name: "image push",
    max_tries: NO_COUNT,
    pause: Pause::Every(Duration::from_secs(2)),
    deadline: Deadline::LastTryAt(Duration::from_secs(30)),
    ..CALL
};

/// A read outside of a step. No progress is shown, so a long rate limit is an error. The deadline covers all
/// tries, for a server that accepts connections and never responds.
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

/// The total time of a read.
pub const READ_DEADLINE: Duration = Duration::from_secs(90);

/// A read that is repeated only after a rate limit: the newest release, on another host, and the list for
/// logs.
pub const READ_RATE_LIMIT: RetryPolicy = RetryPolicy {
    name: "read, rate limited",
    max_tries: 6,
    pause: Pause::Every(Duration::from_secs(1)),
    retry_after: RetryAfter::ReplacesUpTo(Duration::from_secs(30)),
    deadline: Deadline::None,
};

/// Registering a release, setting its status, and searching for one after a lost response; as many tries as
/// flyctl's.
pub const RELEASE: RetryPolicy = RetryPolicy {
    name: "release",
    max_tries: 3,
    ..CALL
};

/// The calls of a switch, as flyctl makes them.
pub const SWITCH: RetryPolicy = RetryPolicy {
    name: "switch",
    max_tries: 5,
    pause: Pause::Doubling {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(30),
    },
    ..CALL
};

/// A lease held by another client.
pub const LEASE: RetryPolicy = RetryPolicy {
    name: "lease",
    max_tries: NO_COUNT,
    pause: Pause::Every(Duration::from_secs(2)),
    retry_after: RetryAfter::Replaces,
    deadline: Deadline::LastTryAt(Duration::from_secs(30)),
};

/// How long a provider's list may lack a Machine or volume that exists.
pub const LIST_LAG: Duration = Duration::from_secs(10);

/// A list without a Machine or volume that a call may have created.
pub const CREATED_LISTED: RetryPolicy = RetryPolicy {
    name: "created, not listed",
    max_tries: NO_COUNT,
    pause: Pause::Doubling {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(4),
    },
    retry_after: RetryAfter::Replaces,
    deadline: Deadline::LastTryAt(LIST_LAG),
};

/// A list with fewer Machines than exist. The snapshot itself accepts it after [`LIST_LAG`].
pub const SNAPSHOT: RetryPolicy = RetryPolicy {
    name: "snapshot",
    pause: Pause::Doubling {
        first: Duration::from_millis(250),
        longest: Duration::from_secs(2),
    },
    deadline: Deadline::None,
    ..CREATED_LISTED
};

/// The decision to retry under this policy.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    policy: RetryPolicy,
    requested: Option<Duration>,
    seed: u64,
}

impl RetryPolicy {
    /// Retries.
    pub fn retry(self) -> Retry {
        self.retry_after(None)
    }

    /// Retries after the provider's `Retry-After`.
    pub fn retry_after(self, requested: Option<Duration>) -> Retry {
        Retry {
            policy: self,
            requested,
            seed: 0,
        }
    }

    /// The same policy with another total time.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self {
            deadline: Deadline::LastTryAt(limit),
            ..self
        }
    }
}

impl Retry {
    /// The same policy with this jitter seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The pause after this many failed tries; `None` after the last one.
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
        let pause = match (self.requested, policy.retry_after) {
            (None, _) => own,
            (
                Some(requested),
                RetryAfter::ReplacesUpTo(longest) | RetryAfter::ExtendsUpTo(longest),
            ) if requested > longest => {
                return None;
            }
            (Some(requested), RetryAfter::Replaces | RetryAfter::ReplacesUpTo(_)) => requested,
            (Some(requested), RetryAfter::ExtendsUpTo(_)) => requested + own,
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

/// A failed try, and the pause before the next one.
#[derive(Debug)]
pub struct FailedTry<E> {
    /// The error.
    pub error: E,
    /// The number of failed tries under this policy.
    pub failed: u32,
    /// The pause until the next try.
    pub pause: Duration,
    /// The time left until the policy's deadline.
    pub left: Option<Duration>,
    /// The policy.
    pub policy: RetryPolicy,
}

/// Repeats an operation while `policy` returns a retry for its error. `on_wait` waits for the pause; its
/// error ends the retries.
///
/// # Errors
/// The last error, or the error of `on_wait`.
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

/// Sleeps for the pause; the `on_wait` of callers that report nothing.
///
/// # Errors
/// Never.
pub async fn sleep_between<E>(failed: FailedTry<E>) -> Result<(), E> {
    sleep(failed.pause).await;
    Ok(())
}

/// The policy for a call's error. After a lost response or a conflict, the caller must read the Machine
/// before it repeats the call, so there is none.
pub fn of_call(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(requested) => Some(CALL_RATE_LIMIT.retry_after(requested)),
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

/// The policy for a read's error; reads are safe to repeat.
pub fn of_read(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(requested) => Some(READ.retry_after(requested)),
        ErrorClass::Transient | ErrorClass::Unknown => Some(READ.retry()),
        ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Fatal => None,
    }
}

/// The policy for a wait's error, with the wait's total time.
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

/// The policy for a read that is repeated only after a rate limit.
pub fn of_rate_limited_read(error: &ProviderError) -> Option<Retry> {
    match error.class {
        ErrorClass::RateLimited(requested) => Some(READ_RATE_LIMIT.retry_after(requested)),
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

    async fn tries_and_time(policy: RetryPolicy, requested: Option<u64>) -> (u32, Duration) {
        let (tries, begun) = (Cell::new(0), Instant::now());
        let requested = requested.map(Duration::from_secs);
        let ended = retry(
            |_: &ProviderError| Some(policy.retry_after(requested)),
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
