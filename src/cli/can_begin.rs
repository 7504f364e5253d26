//! Whether a run can begin at all.

use std::time::Duration;

use super::Context;
use super::lock;
use super::session::Session;
use crate::journal::Journal;
use crate::store::{Holder, StoreError};
use crate::ui::{Failure, Signals};

/// Checks before anything is shown that a run can start: the state's lock is free, and state and journal are
/// writable. Returns whether it waited for the lock.
pub(super) async fn check_can_begin(
    context: &Context<'_>,
    signals: &mut Signals,
    session: &Session,
    journal: &dyn Journal,
    (command, patience): (&'static str, Duration),
) -> Result<bool, Failure> {
    warn_of_file_in_ci(context, session);
    let me = lock::holder(context, command, None);
    let store = &*session.store;
    let mut silent = |_: Option<&Holder>| {};
    let at_once = store.lock(&me, Duration::ZERO, &mut silent);
    let (lock, waited) = match signals.or_interrupted(at_once).await? {
        Err(StoreError::Locked { .. }) if !patience.is_zero() => {
            let lock = lock::lock_state(context.ui, signals, store, &me, patience).await?;
            (lock, true)
        }
        lock => (lock?, false),
    };
    let writable = store.can_write().await;
    lock.release().await?;
    writable?;
    journal.can_write()?;
    Ok(waited)
}

/// The lock of a file excludes no other runner, and the next job has the file only after a push (rule 26).
fn warn_of_file_in_ci(context: &Context<'_>, session: &Session) {
    if session.state_file().is_some() && context.env.var("CI").is_some() {
        context.ui.warn(
            "the state is a file of this checkout: its lock excludes no other runner, and no other job sees the file \
             before it is pushed; `aeroform state migrate --to git+origin` moves both to the repository",
        );
    }
}
