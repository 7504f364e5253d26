//! The release of a run: registered before its first change, and marked at its end (rule 30).
//!
//! Bookkeeping for people. Where it cannot be registered the run goes on under the number that the plan
//! says, and tells why. Never registers a second one for an answer that was lost: it asks. What was
//! registered stands in the journal before the first change: no Machine bears it yet, and whoever goes on
//! after a crash is not to wait for it.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::apply_context::ApplyContext;
use super::run_input::{Halt, Report};
use crate::core::fleet::{NewRelease, Release, ReleaseStamp, ReleaseStatus};
use crate::core::plan::{Event, Outcome, PlannedRelease, StepId};
use crate::journal::{PendingCall, PendingCallRow};
use crate::provider::{ErrorClass, ProviderError};

/// Tries of a registration that certainly did not happen: as many as flyctl makes.
const REGISTER_TRIES: u32 = 3;
/// Looks for a release whose registration was not answered.
const FIND_TRIES: u32 = 3;
/// A pause that is worth no word.
const UNREPORTED_PAUSE: Duration = Duration::from_secs(1);
/// How long saying how far a release has come may take.
const MARK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long saying that it is over may take, with all tries.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// Registers the release of the plan, if it has one. None also when the run was cancelled before.
pub(super) async fn register(shared: &ApplyContext<'_>) -> Option<ReleaseStamp> {
    let planned = shared.input.plan.release.as_ref()?;
    if shared.is_halted() || shared.halt.borrow().is_some() || !shared.input.lock.is_held() {
        return None;
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
        Err(why) => {
            let stamp = ReleaseStamp {
                version: planned.number,
                id: None,
                registered_by_us: false,
                newer_than_ours: false,
            };
            (stamp, Some(why))
        }
    };
    // The receiver outlives the run.
    let _ = shared.events.send(Event::Release {
        release: stamp.version,
        unregistered,
    });
    Some(stamp)
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

/// Says how the run ended, and gives why that could not be said. A release that nobody ends is taken for one
/// that is under way, by whoever does not know that it is over.
pub(super) async fn end_release(shared: &ApplyContext<'_>, report: &Report) -> Option<String> {
    let id = report.release.as_ref()?.id.as_ref()?;
    let changes = shared.input.plan.changes();
    let done = |result: &crate::core::plan::StepResult| result.outcome == Outcome::Done;
    let mut results = changes.filter_map(|(step, _)| report.results.get(step.0 as usize));
    let status = if report.interrupted {
        ReleaseStatus::Interrupted
    } else if results.all(done) && report.findings.is_empty() && report.overtaken.is_empty() {
        ReleaseStatus::Complete
    } else {
        ReleaseStatus::Failed
    };
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

/// Says it again after failures that may pass: it can be said twice.
async fn end_with_retry(
    shared: &ApplyContext<'_>,
    id: &str,
    status: ReleaseStatus,
) -> Result<(), ProviderError> {
    let job = &shared.input;
    let mut tries = 0;
    loop {
        let error = match job
            .provider
            .set_release_status(&job.plan.app, id, status)
            .await
        {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        let pause = match error.class {
            ErrorClass::RateLimited(Some(pause)) => pause,
            ErrorClass::RateLimited(None) | ErrorClass::Transient | ErrorClass::Unknown => {
                shared.backoff.delay(tries)
            }
            ErrorClass::Invalid
            | ErrorClass::Conflict
            | ErrorClass::NoRoom
            | ErrorClass::NotFound
            | ErrorClass::Fatal => return Err(error),
        };
        if tries >= REGISTER_TRIES {
            return Err(error);
        }
        sleep(pause).await;
    }
}

async fn update_status(shared: &ApplyContext<'_>, id: &str, status: ReleaseStatus) {
    let job = &shared.input;
    // Whoever reads a release that was not marked sees its age.
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
    let mut tries = 0;
    loop {
        let asked = job.provider.register_release(&job.plan.app, &release);
        let error = match asked.await {
            Ok(Some(release)) => return Ok(release),
            Ok(None) => return Err("the platform takes none from us".to_owned()),
            Err(error) => error,
        };
        tries += 1;
        let pause = match error.class {
            ErrorClass::Unknown => {
                if let Some(found) = find_registered(shared, planned, &error).await? {
                    return Ok(found);
                }
                shared.backoff.delay(tries)
            }
            ErrorClass::Transient => shared.backoff.delay(tries),
            ErrorClass::RateLimited(pause) => pause.unwrap_or_else(|| shared.backoff.delay(tries)),
            ErrorClass::Invalid
            | ErrorClass::Conflict
            | ErrorClass::NoRoom
            | ErrorClass::NotFound
            | ErrorClass::Fatal => return Err(error.message),
        };
        if tries >= REGISTER_TRIES || shared.cancel.is_stopping() {
            return Err(error.message);
        }
        if pause >= UNREPORTED_PAUSE {
            let on = match error.class {
                ErrorClass::RateLimited(_) => "the rate limit of releases",
                _ => "another try to register the release",
            };
            // The receiver outlives the run.
            let _ = shared.events.send(Event::Waiting {
                on: on.to_owned(),
                up_to_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            });
        }
        sleep(pause).await;
    }
}

/// The release that a lost answer was about; none when it certainly does not exist. What cannot be told
/// is an error, so that no second one is made.
async fn find_registered(
    shared: &ApplyContext<'_>,
    planned: &PlannedRelease,
    lost: &ProviderError,
) -> Result<Option<Release>, String> {
    let job = &shared.input;
    let before = job.observed.release.as_ref().map_or(0, |r| r.version);
    let mut looks = 0;
    loop {
        looks += 1;
        match job.provider.newest_release(&job.plan.app).await {
            Ok(Some(release)) if release.version > before => {
                // The words of an image may be rewritten; whoever else made one would have to be at it at
                // this very moment.
                let other = release.image.is_some() && release.image != planned.image;
                if other || !release.in_progress {
                    return Err(format!(
                        "{}; another release was made meanwhile",
                        lost.message
                    ));
                }
                return Ok(Some(release));
            }
            // One that lags shows it a moment later.
            Ok(_) | Err(_) if looks < FIND_TRIES => {}
            Ok(_) => return Ok(None),
            Err(error) => return Err(format!("{}; {}", lost.message, error.message)),
        }
        sleep(shared.backoff.delay(looks)).await;
    }
}
