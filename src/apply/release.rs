//! The release of a run: registered before its first change, and marked at its end (rule 30).
//!
//! Information for people. If it cannot be registered, the run continues with the planned number and reports why.
//! After a lost answer it looks the release up and never registers a second one. The journal has the release before
//! the first change: no Machine has it yet, and a run after a crash must not wait for it.

use std::time::Duration;

use tokio::time::timeout;

use super::apply_context::ApplyContext;
use super::run_input::{Halt, Report};
use crate::core::fleet::{NewRelease, Release, ReleaseStamp, ReleaseStatus};
use crate::core::plan::{Event, PlannedRelease, StepId};
use crate::journal::{PendingCall, PendingCallRow};
use crate::provider::retry::{FailedTry, RELEASE, Retry, retry, sleep_between};
use crate::provider::{ErrorClass, ProviderError};

/// A pause too short to report.
const UNREPORTED_PAUSE: Duration = Duration::from_secs(1);
/// The timeout for updating the status of a release.
const MARK_TIMEOUT: Duration = Duration::from_secs(2);
/// The timeout for closing a release, with all retries.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// Registers the release of the plan, if it has one; `None` if the run was cancelled before.
pub(super) async fn register(shared: &ApplyContext<'_>) -> Option<ReleaseStamp> {
    let planned = shared.input.plan.release.as_ref()?;
    if shared.is_halted() || shared.halt.borrow().is_some() || !shared.input.lock.is_held() {
        return None;
    }
    if planned.local {
        return Some(unregistered_stamp(planned));
    }
    let registered = tokio::select! {
        biased;
        registered = register_with_retry(shared, planned) => registered,
        () = shared.cancel.aborted() => Err("interrupted before it was registered".to_owned()),
    };
    let (stamp, unregistered) = match registered {
        Ok(release) => {
            journal_release(shared, &release.id);
            update_status(shared, &release.id, ReleaseStatus::Running).await;
            let stamp = ReleaseStamp {
                version: release.version,
                id: Some(release.id),
                registered_by_us: true,
                newer_than_ours: false,
            };
            (stamp, None)
        }
        Err(why) => (unregistered_stamp(planned), Some(why)),
    };
    // The receiver outlives the run.
    let _ = shared.events.send(Event::Release {
        release: stamp.version,
        unregistered,
    });
    Some(stamp)
}

/// The stamp of a number that no platform has.
fn unregistered_stamp(planned: &PlannedRelease) -> ReleaseStamp {
    ReleaseStamp {
        version: planned.number,
        id: None,
        registered_by_us: false,
        newer_than_ours: false,
    }
}

fn journal_release(shared: &ApplyContext<'_>, id: &str) {
    let job = &shared.input;
    let row = PendingCallRow {
        step: StepId(0),
        call: PendingCall::Release { id: id.to_owned() },
    };
    if let Err(error) = job.journal.begin_call(&job.run.run, &row) {
        shared.halt(Halt::Journal(error.to_string()));
    }
}

/// Closes the release with the outcome of the run; returns the reason if that failed. Other tools treat a release
/// that is never closed as in progress.
pub(super) async fn end_release(shared: &ApplyContext<'_>, report: &Report) -> Option<String> {
    let id = report.release.as_ref()?.id.as_ref()?;
    let status = report.release_status(shared.input.plan);
    let patience = if report.interrupted {
        MARK_TIMEOUT
    } else {
        END_TIMEOUT
    };
    match timeout(patience, end_with_retry(shared, id, status)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.message),
        Err(_) => Some("the platform did not answer".to_owned()),
    }
}

/// Retries after transient failures; the call is idempotent.
async fn end_with_retry(
    shared: &ApplyContext<'_>,
    id: &str,
    status: ReleaseStatus,
) -> Result<(), ProviderError> {
    let job = &shared.input;
    let policy = |error: &ProviderError| {
        let again = match error.class {
            ErrorClass::RateLimited(retry_after) => RELEASE.retry_after(retry_after),
            ErrorClass::Transient | ErrorClass::Unknown => RELEASE.retry(),
            ErrorClass::Invalid
            | ErrorClass::Conflict
            | ErrorClass::NoRoom
            | ErrorClass::NotFound
            | ErrorClass::Fatal => return None,
        };
        Some(again.with_seed(shared.backoff.seed()))
    };
    let end = async || {
        let marked = job.provider.set_release_status(&job.plan.app, id, status);
        marked.await
    };
    retry(policy, end, sleep_between).await
}

async fn update_status(shared: &ApplyContext<'_>, id: &str, status: ReleaseStatus) {
    let job = &shared.input;
    // Readers of an unmarked release see its age.
    let marked = job.provider.set_release_status(&job.plan.app, id, status);
    let _ = timeout(MARK_TIMEOUT, marked).await;
}

async fn register_with_retry(
    shared: &ApplyContext<'_>,
    planned: &PlannedRelease,
) -> Result<Release, String> {
    let job = &shared.input;
    let release = NewRelease {
        image: planned.image.as_deref(),
        strategy: planned.strategy,
        definition: job.desired.definition.as_deref(),
    };
    let register = async || {
        let registered = job.provider.register_release(&job.plan.app, &release);
        match registered.await {
            Ok(Some(release)) => Ok(release),
            Ok(None) => Err(Unregistered::for_good(
                "the platform does not accept releases from this client",
            )),
            Err(error) => Err(match error.class {
                ErrorClass::Unknown => match find_registered(shared, planned, &error).await {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => Unregistered::again(error, RELEASE.retry(), RETRY_WAIT),
                    Err(why) => Unregistered::for_good(why),
                },
                ErrorClass::Transient => Unregistered::again(error, RELEASE.retry(), RETRY_WAIT),
                ErrorClass::RateLimited(retry_after) => {
                    Unregistered::again(error, RELEASE.retry_after(retry_after), RATE_LIMIT_WAIT)
                }
                ErrorClass::Invalid
                | ErrorClass::Conflict
                | ErrorClass::NoRoom
                | ErrorClass::NotFound
                | ErrorClass::Fatal => Unregistered::for_good(error.message),
            }),
        }
    };
    let policy = |failed: &Unregistered| {
        let again = failed.again.filter(|_| !shared.cancel.is_stopping());
        Some(again?.with_seed(shared.backoff.seed()))
    };
    let on_wait = async |failed: FailedTry<Unregistered>| {
        if failed.pause >= UNREPORTED_PAUSE {
            // The receiver outlives the run.
            let _ = shared.events.send(Event::Waiting {
                on: failed.error.waits_for.to_owned(),
                up_to_ms: u64::try_from(failed.pause.as_millis()).unwrap_or(u64::MAX),
            });
        }
        sleep_between(failed).await
    };
    let registered = retry(policy, register, on_wait).await;
    registered.map_err(|failed| failed.why)
}

/// The text of the event for a pause before another registration.
const RETRY_WAIT: &str = "another try to register the release";
const RATE_LIMIT_WAIT: &str = "the rate limit of releases";

/// Why a release was not registered, and whether a retry may succeed.
struct Unregistered {
    why: String,
    again: Option<Retry>,
    waits_for: &'static str,
}

impl Unregistered {
    fn for_good(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            again: None,
            waits_for: RETRY_WAIT,
        }
    }

    fn again(error: ProviderError, again: Retry, waits_for: &'static str) -> Self {
        Self {
            why: error.message,
            again: Some(again),
            waits_for,
        }
    }
}

/// The release of a lost answer; none if it certainly does not exist. If that is unknown, an error prevents a second
/// one.
async fn find_registered(
    shared: &ApplyContext<'_>,
    planned: &PlannedRelease,
    lost: &ProviderError,
) -> Result<Option<Release>, String> {
    let job = &shared.input;
    let before = job.observed.release.as_ref().map_or(0, |r| r.version);
    let find = async || match job.provider.newest_release(&job.plan.app).await {
        Ok(Some(release)) if release.version > before => {
            // The platform may rewrite the image's name; another tool would have to register a release at the same
            // moment.
            let other = release.image.is_some() && release.image != planned.image;
            if other || !release.in_progress {
                return Err(Unfound::Never(format!(
                    "{}; another release was made meanwhile",
                    lost.message
                )));
            }
            Ok(release)
        }
        // A lagging list shows it a moment later.
        Ok(_) => Err(Unfound::NotYet),
        Err(error) => Err(Unfound::Unread(error)),
    };
    let policy = |failed: &Unfound| match failed {
        Unfound::NotYet | Unfound::Unread(_) => {
            Some(RELEASE.retry().with_seed(shared.backoff.seed()))
        }
        Unfound::Never(_) => None,
    };
    match retry(policy, find, sleep_between).await {
        Ok(release) => Ok(Some(release)),
        Err(Unfound::NotYet) => Ok(None),
        Err(Unfound::Unread(error)) => Err(format!("{}; {}", lost.message, error.message)),
        Err(Unfound::Never(why)) => Err(why),
    }
}

/// Why a release was not found.
enum Unfound {
    /// The newest release is older.
    NotYet,
    /// The newest release could not be read.
    Unread(ProviderError),
    /// The newest release is by another tool.
    Never(String),
}
