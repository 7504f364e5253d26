//! The leases of a step: no other client changes a Machine between its read and its gate (rules 26, 27).

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::step_context::{RateLimited, StepContext};
use super::step_error::{PartResult, StepError, TryError};
use crate::core::fleet::{HostStatus, MachineId};
use crate::provider::retry::{self, CALL, CALL_RATE_LIMIT, FailedTry, LEASE};
use crate::provider::{ErrorClass, LEASE_REFRESH_INTERVAL};

/// How long letting go may take; after it the platform lets go by itself.
const LEASE_RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl StepContext<'_> {
    /// Acquires the lease of a Machine before it is read and changed. An unreachable host has no leases.
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
        let halted = || StepError::Halted {
            during: "while taking a lease".to_owned(),
        };
        let acquire = async || {
            if self.shared.cancel.is_stopping() {
                return Err(halted().into());
            }
            // Without the answer the lease cannot be released.
            tokio::select! {
                biased;
                answer = job.provider.acquire_lease(&job.plan.app, id, &why) => {
                    answer.map_err(TryError::Provider)
                }
                () = self.shared.cancel.aborted() => Err(halted().into()),
            }
        };
        let policy = |failed: &TryError| {
            let again = match failed.provider()?.class {
                ErrorClass::Conflict => LEASE.retry(),
                ErrorClass::RateLimited(retry_after) => CALL_RATE_LIMIT.retry_after(retry_after),
                ErrorClass::Transient | ErrorClass::Unknown => CALL.retry(),
                ErrorClass::Invalid
                | ErrorClass::NoRoom
                | ErrorClass::NotFound
                | ErrorClass::Fatal => return None,
            };
            self.seeded(Some(again))
        };
        let limits = RateLimited::of("lease", Some(id));
        let on_wait = async |failed: FailedTry<TryError>| match failed.error.provider() {
            Some(error) if error.class == ErrorClass::Conflict => {
                if failed.failed == 1 {
                    let left = failed.left.unwrap_or(failed.pause);
                    self.report_waiting(format!("a lease: {}", error.message), left);
                }
                Ok(self.pause(failed.pause).await?)
            }
            Some(error) if matches!(error.class, ErrorClass::RateLimited(_)) => {
                self.report_waiting("the rate limit", failed.pause);
                Ok(self.pause(failed.pause).await?)
            }
            Some(_) | None => self.wait_for_retry(failed, &limits).await,
        };
        let error = match retry::retry(policy, acquire, on_wait).await {
            Ok(()) => {
                self.leased.borrow_mut().insert(id.clone());
                return Ok(());
            }
            Err(TryError::Step(end)) => return Err(end),
            Err(TryError::Provider(error)) => error,
        };
        match error.class {
            // Whoever reads it next finds that out.
            ErrorClass::NotFound => Ok(()),
            ErrorClass::Conflict | ErrorClass::Transient | ErrorClass::Unknown => {
                Err(StepError::from_provider(&error))
            }
            ErrorClass::Invalid
            | ErrorClass::NoRoom
            | ErrorClass::RateLimited(_)
            | ErrorClass::Fatal => Err(self.fatal(&error)),
        }
    }

    /// The create also returned its lease.
    pub(super) fn add_lease(&self, id: &MachineId) {
        if self.has_leases() {
            self.leased.borrow_mut().insert(id.clone());
        }
    }

    /// Refreshes held leases until dropped.
    pub(super) async fn refresh_leases(&self) -> Infallible {
        let job = &self.shared.input;
        if !self.has_leases() {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(LEASE_REFRESH_INTERVAL).await;
            let held = self.leased.borrow().clone();
            for id in held {
                // A lost lease fails the next call; other errors need no report.
                let _ = job.provider.refresh_lease(&job.plan.app, &id).await;
            }
        }
    }

    /// Releases all leases, also after a cancel.
    pub(super) async fn release_leases(&self) {
        let job = &self.shared.input;
        let held = std::mem::take(&mut *self.leased.borrow_mut());
        for id in held {
            // An unreleased lease expires a few seconds later.
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
