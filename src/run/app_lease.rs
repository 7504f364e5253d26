//! The app's lease: the lease of one Machine for a complete run, so that a second run on another computer
//! waits, and other tools are blocked too (rule 26). The state's lock protects one computer; this protects the
//! app, while it has a Machine.
//!
//! [`until_free`] polls in its own loop: nothing fails while another run holds the lease, and each new holder is
//! shown.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::context::Preview;
use crate::core::fleet::{AppName, HostStatus, Machine, MachineId, MachineState, Management};
use crate::core::plan::{Action, Change, StepId};
use crate::provider::retry::{FailedTry, LEASE, retry, sleep_between};
use crate::provider::{ErrorClass, LEASE_REFRESH_INTERVAL, Provider, ProviderError};

/// Interval of attempts to acquire a lease held by another client.
const LEASE_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Number of changed Machines whose leases are checked before the plan is shown. Each check is a call.
const LOOKED_AT: usize = 3;
/// How long a release of the lease may take; after that it expires on the platform.
const LEASE_RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// A lease held for a run.
pub struct AppLease<'a> {
    provider: &'a dyn Provider,
    app: &'a AppName,
    id: MachineId,
}

impl<'a> AppLease<'a> {
    /// Acquires it; `None` if the provider has no leases, the plan changes nothing, or there is no suitable
    /// Machine. Waits up to `patience` for another client's lease and calls `waiting`.
    ///
    /// # Errors
    /// If it is held for longer, or the provider does not respond.
    pub async fn acquire(
        provider: &'a dyn Provider,
        preview: &'a Preview,
        why: &str,
        patience: Duration,
        waiting: &mut (dyn FnMut(&ProviderError) + Send),
    ) -> Result<Option<Self>, ProviderError> {
        match choose_machine(preview) {
            Some(id) => {
                Self::acquire_machine(provider, &preview.plan.app, id, why, patience, waiting).await
            }
            None => Ok(None),
        }
    }

    /// Acquires the lease of this Machine, in the same way.
    ///
    /// # Errors
    /// If it is held for longer, or the provider does not respond.
    pub async fn acquire_machine(
        provider: &'a dyn Provider,
        app: &'a AppName,
        id: MachineId,
        why: &str,
        patience: Duration,
        waiting: &mut (dyn FnMut(&ProviderError) + Send),
    ) -> Result<Option<Self>, ProviderError> {
        let policy = |error: &ProviderError| match error.class {
            ErrorClass::RateLimited(retry_after) => {
                Some(LEASE.within(patience).retry_after(retry_after))
            }
            ErrorClass::Conflict | ErrorClass::Transient | ErrorClass::Unknown => {
                Some(LEASE.within(patience).retry())
            }
            ErrorClass::Invalid | ErrorClass::NoRoom | ErrorClass::NotFound | ErrorClass::Fatal => {
                None
            }
        };
        let mut reported = None;
        let on_wait = async |failed: FailedTry<ProviderError>| {
            let on = lease_wait_cause(&failed.error);
            if reported != Some(on) {
                waiting(&failed.error);
                reported = Some(on);
            }
            sleep_between(failed).await
        };
        let acquire = async || provider.acquire_lease(app, &id, why).await;
        match retry(policy, acquire, on_wait).await {
            Ok(()) => Ok(Some(Self { provider, app, id })),
            // The look that follows finds out what became of it.
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refreshes it until dropped.
    pub async fn refresh_lease(&self) -> Infallible {
        loop {
            sleep(LEASE_REFRESH_INTERVAL).await;
            // If it is lost, every step still has its own lease.
            let _ = self.provider.refresh_lease(self.app, &self.id).await;
        }
    }

    /// Releases it.
    pub async fn release_lease(self) {
        // An unreleased lease expires a few seconds later.
        let _ = timeout(
            LEASE_RELEASE_TIMEOUT,
            self.provider.release_lease(self.app, &self.id),
        )
        .await;
    }
}

/// Waits until no other client holds the lease of a Machine that this plan would lease: its app lease, and the
/// first Machines that it changes, since another run may hold one of those. `waiting` gets the holder. Returns
/// whether it waited, or the holder after the patience is exceeded. Acquires nothing; errors of the platform
/// are left to the call that acquires the lease.
///
/// # Errors
/// The holder of a lease that was not released in time.
pub async fn until_free(
    provider: &dyn Provider,
    preview: &Preview,
    patience: Duration,
    waiting: &mut (dyn FnMut(&str) + Send),
) -> Result<bool, String> {
    let Some(anchor) = choose_machine(preview) else {
        return Ok(false);
    };
    let changed: BTreeSet<&MachineId> =
        preview.plan.changes().filter_map(touched_machine).collect();
    let changed = changed
        .into_iter()
        .take(LOOKED_AT)
        .filter(|id| **id != anchor);
    let deadline = Instant::now() + patience;
    let mut waited = false;
    for id in [&anchor].into_iter().chain(changed) {
        let mut reported = None;
        while let Ok(Some(holder)) = provider.lease_holder(&preview.plan.app, id).await {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(holder);
            }
            if reported.as_ref() != Some(&holder) {
                waiting(&holder);
                reported = Some(holder);
            }
            waited = true;
            sleep(LEASE_POLL_INTERVAL.min(left)).await;
        }
    }
    Ok(waited)
}

/// Who holds the lease of one of the first running Machines, where a run keeps its app lease. Errors of the
/// platform count as none.
pub async fn lease_of_others(provider: &dyn Provider, preview: &Preview) -> Option<String> {
    let observed = preview.observed.as_ref()?;
    if !observed.description.capabilities.leases {
        return None;
    }
    let running = observed
        .machines
        .values()
        .filter(|machine| machine.state == MachineState::Started && machine.host == HostStatus::Ok);
    for machine in running.take(LOOKED_AT) {
        let holder = provider.lease_holder(&preview.plan.app, &machine.id).await;
        if let Ok(Some(holder)) = holder {
            return Some(holder);
        }
    }
    None
}

/// Why a lease is not available, as text.
pub fn lease_wait_cause(error: &ProviderError) -> &'static str {
    match error.class {
        ErrorClass::RateLimited(_) => "the rate limit",
        ErrorClass::Transient | ErrorClass::Unknown => "an answer of the platform",
        ErrorClass::Conflict
        | ErrorClass::Invalid
        | ErrorClass::NoRoom
        | ErrorClass::NotFound
        | ErrorClass::Fatal => "a lease",
    }
}

/// The first running Machine that the plan does not change, otherwise the first that it changes. Never one that
/// was removed from the state.
fn choose_machine(preview: &Preview) -> Option<MachineId> {
    let observed = preview.observed.as_ref()?;
    if !observed.description.capabilities.leases || !preview.plan.calls_provider() {
        return None;
    }
    let touched: BTreeSet<&MachineId> =
        preview.plan.changes().filter_map(touched_machine).collect();
    let known = &preview.stored_state.known;
    let may_be = |machine: &&Machine| {
        let id = &machine.id;
        let ignored = known.ignored_machines.contains(id) && !known.machines.contains_key(id);
        let ours = matches!(machine.management, Management::Ours | Management::FlyLaunch);
        let runs = machine.state == MachineState::Started && machine.host == HostStatus::Ok;
        ours && runs && !ignored
    };
    let mut machines = observed.counted_machines().filter(may_be);
    let untouched = machines.find(|machine| !touched.contains(&machine.id));
    let id = untouched.map(|machine| &machine.id);
    let first = || {
        touched
            .into_iter()
            .find(|id| observed.machines.contains_key(*id))
    };
    id.or_else(first).cloned()
}

fn touched_machine((_, change): (StepId, &Change)) -> Option<&MachineId> {
    match &change.action {
        Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } | Action::Start => {
            change.machine.id.as_ref()
        }
        Action::Create { .. } => change.replaces(),
        Action::Wait
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => None,
    }
}
