//! The leases of a step: nobody else changes a Machine from before it is read until its gate has passed
//! (rules 26, 27).

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use crate::core::fleet::{HostStatus, MachineId};
use crate::provider::{ErrorClass, LEASE_REFRESH_INTERVAL};

/// How long somebody else's lease is waited out.
const LEASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long letting go may take; after it the platform lets go by itself.
const LEASE_RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl StepContext<'_> {
    /// Takes the lease of a Machine that is about to be read and changed. A Machine whose host does not
    /// answer has none to give.
    pub(super) async fn acquire_lease(&self, id: &MachineId) -> PartResult {
        let job = &self.shared.input;
        let silent = |id| {
            let seen = job.observed.machines.get(id);
            seen.is_some_and(|machine| machine.host != HostStatus::Ok)
        };
        if !self.has_leases() || silent(id) || self.leased.borrow().contains(id) {
            return Ok(());
        }
        let why = format!(
            "aeroform {}, run {} by {}",
            job.run.command, job.run.run, job.run.by
        );
        let deadline = Instant::now() + LEASE_PATIENCE;
        let mut tries = 0;
        loop {
            let halted = || StepError::Halted {
                during: "while taking a lease".to_owned(),
            };
            if self.shared.cancel.is_stopping() {
                return Err(halted());
            }
            // Whoever does not hear the answer cannot let go of what it gives.
            let answer = tokio::select! {
                biased;
                answer = job.provider.acquire_lease(&job.plan.app, id, &why) => answer,
                () = self.shared.cancel.aborted() => return Err(halted()),
            };
            let error = match answer {
                Ok(()) => {
                    self.leased.borrow_mut().insert(id.clone());
                    return Ok(());
                }
                // Whoever reads it next finds that out.
                Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            match error.class {
                ErrorClass::Conflict if !left.is_zero() => {
                    if tries == 0 {
                        self.report_waiting(format!("a lease: {}", error.message), left);
                    }
                    self.pause(LEASE_POLL_INTERVAL.min(left)).await?;
                }
                ErrorClass::RateLimited(pause) if !left.is_zero() => {
                    let pause = pause.unwrap_or(LEASE_POLL_INTERVAL);
                    self.report_waiting("the rate limit", pause);
                    self.pause(pause).await?;
                }
                ErrorClass::Transient | ErrorClass::Unknown => {
                    if !self.retry(tries, &error).await? {
                        return Err(StepError::from_provider(&error));
                    }
                }
                ErrorClass::Conflict => return Err(StepError::from_provider(&error)),
                _ => return Err(self.fatal(&error)),
            }
            tries += 1;
        }
    }

    /// The create of this Machine has given its lease, too.
    pub(super) fn add_lease(&self, id: &MachineId) {
        if self.has_leases() {
            self.leased.borrow_mut().insert(id.clone());
        }
    }

    /// Prolongs what is held for as long as this is not dropped.
    pub(super) async fn refresh_leases(&self) -> Infallible {
        let job = &self.shared.input;
        if !self.has_leases() {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(LEASE_REFRESH_INTERVAL).await;
            let held = self.leased.borrow().clone();
            for id in held {
                // A lease that is lost shows in the next call; one that goes on needs no word.
                let _ = job.provider.refresh_lease(&job.plan.app, &id).await;
            }
        }
    }

    /// Lets go of all that is held, also after a cancel.
    pub(super) async fn release_leases(&self) {
        let job = &self.shared.input;
        let held = std::mem::take(&mut *self.leased.borrow_mut());
        for id in held {
            // What is not let go of ends by itself a few seconds later.
            let _ = timeout(
                LEASE_RELEASE_TIMEOUT,
                job.provider.release_lease(&job.plan.app, &id),
            )
            .await;
        }
    }

    fn has_leases(&self) -> bool {
        self.shared.input.observed.description.capabilities.leases
    }
}

/// How often a lease is asked for that somebody else has.
const LEASE_POLL_INTERVAL: Duration = Duration::from_secs(2);
