//! The leases of a step: nobody else changes a Machine from before it is read until its gate has passed
//! (rules 26, 27).

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::ends::{End, Part};
use super::hands::Hands;
use crate::core::fleet::{HostStatus, MachineId};
use crate::provider::{ErrorClass, LEASE_REFRESH_INTERVAL};

/// How long somebody else's lease is waited out.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long letting go may take; after it the platform lets go by itself.
const LETTING_GO: Duration = Duration::from_secs(2);

impl Hands<'_> {
    /// Takes the lease of a Machine that is about to be read and changed. A Machine whose host does not
    /// answer has none to give.
    pub(super) async fn lease(&self, id: &MachineId) -> Part {
        let job = &self.shared.job;
        let silent = |id| {
            let seen = job.observed.machines.get(id);
            seen.is_some_and(|machine| machine.host != HostStatus::Ok)
        };
        if !self.leases() || silent(id) || self.leased.borrow().contains(id) {
            return Ok(());
        }
        let why = format!(
            "aeroform {}, run {} by {}",
            job.run.command, job.run.run, job.run.by
        );
        let deadline = Instant::now() + PATIENCE;
        let mut tries = 0;
        loop {
            let halted = || End::Halted {
                during: "while taking a lease".to_owned(),
            };
            if self.shared.cancel.is_stopping() {
                return Err(halted());
            }
            // Whoever does not hear the answer cannot let go of what it gives.
            let answer = tokio::select! {
                biased;
                answer = job.provider.acquire_lease(&job.plan.app, id, &why) => answer,
                () = self.shared.cancel.cut_off() => return Err(halted()),
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
                        self.waiting(format!("a lease: {}", error.message), left);
                    }
                    self.rest(LOOK_AGAIN.min(left)).await?;
                }
                ErrorClass::RateLimited(pause) if !left.is_zero() => {
                    let pause = pause.unwrap_or(LOOK_AGAIN);
                    self.waiting("the rate limit", pause);
                    self.rest(pause).await?;
                }
                ErrorClass::Transient | ErrorClass::Unknown => {
                    if !self.again(tries, &error).await? {
                        return Err(End::of(&error));
                    }
                }
                ErrorClass::Conflict => return Err(End::of(&error)),
                _ => return Err(self.hopeless(&error)),
            }
            tries += 1;
        }
    }

    /// The create of this Machine has given its lease, too.
    pub(super) fn holds(&self, id: &MachineId) {
        if self.leases() {
            self.leased.borrow_mut().insert(id.clone());
        }
    }

    /// Prolongs what is held for as long as this is not dropped.
    pub(super) async fn keep_leased(&self) -> Infallible {
        let job = &self.shared.job;
        if !self.leases() {
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
    pub(super) async fn let_go(&self) {
        let job = &self.shared.job;
        let held = std::mem::take(&mut *self.leased.borrow_mut());
        for id in held {
            // What is not let go of ends by itself a few seconds later.
            let _ = timeout(LETTING_GO, job.provider.release_lease(&job.plan.app, &id)).await;
        }
    }

    fn leases(&self) -> bool {
        self.shared.job.observed.description.capabilities.leases
    }
}

/// How often a lease is asked for that somebody else has.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
