//! `aeroform init` with a state in git: whether the remote takes the lock and the branch of the state.
//!
//! Takes and releases the lock, and makes the branch with an empty commit if it is missing, so that a protected
//! branch, a rule or missing rights are found before any Machine is changed. The first apply does the same.

use std::time::Duration;

use super::Context;
use super::lock;
use crate::core::view::PreparedState;
use crate::store::{Holder, StateStore, StoreError};
use crate::ui::{Failure, Signals};

/// Prepares the store; a lock that another run holds is one that the server takes.
pub(super) async fn prepare(
    context: &Context<'_>,
    store: &dyn StateStore,
) -> Result<PreparedState, Failure> {
    let mut signals = Signals::listen()?;
    let me = lock::holder(context, "init", None);
    let mut silent = |_: Option<&Holder>| {};
    let lock = store.lock(&me, Duration::ZERO, &mut silent);
    let lock = match signals.or_interrupted(lock).await? {
        Ok(lock) => Some(lock),
        Err(StoreError::Locked { .. }) => None,
        Err(error) => return Err(refused(error)),
    };
    context.ui.mark_changing();
    let writable = store.can_write().await;
    let mut prepared = PreparedState {
        place: store.location(),
        lock: None,
    };
    if let Some(lock) = lock {
        prepared.lock = lock.ref_name().map(str::to_owned);
        lock.release().await?;
    }
    writable.map_err(refused)?;
    Ok(prepared)
}

fn refused(error: StoreError) -> Failure {
    let failure = Failure::from(error);
    if failure.hint.is_some() {
        return failure;
    }
    failure.hint("use another remote or branch, or a state file (`[state] path`)")
}
