//! The leases around an apply: those of others, which it waits for, and the app's lease, which it holds.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::apply_flow::ApplyFlow;
use super::codes;
use crate::core::fleet::RunId;
use crate::core::view::escape;
use crate::core::view::phrases::human_limit;
use crate::provider::{ErrorClass, ProviderError};
use crate::run::{AppLease, Preview, lease_wait_cause, until_free};
use crate::store::StateLock;
use crate::ui::{Exit, Failure, Signals};

/// How long to wait for another client's lease at least, whatever `--lock-timeout` says.
const APP_LEASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the response to a pending lease request after an interrupt.
const LEASE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

impl ApplyFlow<'_> {
    /// Waits for another client's leases before anything is shown; returns whether there were any.
    pub(super) async fn let_leases_end(
        &self,
        signals: &mut Signals,
        preview: &Preview,
    ) -> Result<bool, Failure> {
        let ui = self.context.ui;
        let patience = self.session.lock_patience(self.request.flags.lock_timeout);
        let patience = patience.max(APP_LEASE_PATIENCE);
        let mut waiting = |holder: &str| {
            let limit = human_limit(patience);
            let text = format!("waiting up to {limit} for a lease: {holder}");
            ui.talk(&escape::safe(&text));
        };
        let ended = until_free(self.provider, preview, patience, &mut waiting);
        let waited = signals.or_interrupted(Box::pin(ended)).await?;
        self.waited.fetch_or(waited == Ok(true), Ordering::Relaxed);
        waited.map_err(|holder| {
            Failure::new(codes::APP_LEASED, "another client is changing this app")
                .cause(&holder)
                .hint("wait until it is done, or use `--lock-timeout`")
        })
    }

    /// Takes the app's lease, which excludes other computers, if the platform has leases.
    pub(super) async fn run_with_app_lease(
        &self,
        signals: &mut Signals,
        reviewed: &Preview,
        lock: &dyn StateLock,
        run: RunId,
    ) -> Result<Exit, Failure> {
        // Another client may have started a deploy while the user decided; our lease would block it.
        self.wait_for_releases(signals, reviewed).await?;
        let ui = self.context.ui;
        let by = self.context.env.user();
        let why = format!("aeroform {}, run {run} by {by}", self.request.command);
        let patience = self.session.lock_patience(self.request.flags.lock_timeout);
        let patience = patience.max(APP_LEASE_PATIENCE);
        let mut waiting = |error: &ProviderError| {
            let conflict = error.class == ErrorClass::Conflict;
            self.waited.fetch_or(conflict, Ordering::Relaxed);
            let limit = human_limit(patience);
            let text = format!(
                "waiting up to {limit} for {}: {}",
                lease_wait_cause(error),
                error.message
            );
            ui.talk(&escape::safe(&text));
        };
        let mut taking = pin!(AppLease::acquire(
            self.provider,
            reviewed,
            &why,
            patience,
            &mut waiting
        ));
        let taken = match signals.or_interrupted(&mut taking).await {
            Ok(taken) => taken,
            Err(interrupted) => {
                // A lease whose response is not read cannot be released.
                if let Ok(Ok(Some(anchor))) = timeout(LEASE_ANSWER_TIMEOUT, taking).await {
                    anchor.release_lease().await;
                }
                return Err(interrupted);
            }
        };
        let anchor = taken.map_err(|error| {
            if error.class != ErrorClass::Conflict {
                return Failure::from(error);
            }
            let failure = Failure::new(codes::APP_LEASED, "another client is changing this app");
            let failure = failure.cause(&error.message);
            failure.hint(
                error
                    .hint
                    .unwrap_or_else(|| "wait until it is done, or use `--lock-timeout`".to_owned()),
            )
        })?;
        let work = Box::pin(self.run_locked(signals, reviewed, lock, run));
        let Some(anchor) = anchor else {
            return work.await;
        };
        let ended = tokio::select! {
            biased;
            ended = work => ended,
            never = anchor.refresh_lease() => match never {},
        };
        anchor.release_lease().await;
        ended
    }
}
