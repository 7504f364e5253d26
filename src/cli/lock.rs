//! The state's lock as a command takes it: who holds it, and what is said while it waits.
//!
//! Makes no decision about the lock; the store does.

use std::time::Duration;

use super::Context;
use crate::core::view::phrases::human_limit;
use crate::store::{Holder, StateLock, StateStore};
use crate::ui::{Failure, Signals, Ui};

/// The lock holder entry of this command.
pub(super) fn holder(context: &Context<'_>, command: &str, run: Option<String>) -> Holder {
    Holder {
        who: context.env.user(),
        host: context.env.host(),
        pid: std::process::id(),
        command: command.to_owned(),
        since: context.env.now(),
        run,
        url: context.env.job_url(),
    }
}

/// A lock holder as text.
pub(super) fn holder_name(holder: &Holder) -> String {
    let url = holder.url.as_ref().map(|url| format!(", {url}"));
    format!(
        "{} on {} (pid {}, `aeroform {}`, since {}{})",
        holder.who,
        holder.host,
        holder.pid,
        holder.command,
        holder.since,
        url.unwrap_or_default()
    )
}

/// Acquires the state's lock and reports the holder it waits for.
pub(super) async fn lock_state(
    ui: &Ui,
    signals: &mut Signals,
    store: &dyn StateStore,
    me: &Holder,
    patience: Duration,
) -> Result<Box<dyn StateLock>, Failure> {
    let mut waiting = |holder: Option<&Holder>| {
        let who = holder.map_or_else(|| "another process".to_owned(), holder_name);
        let limit = human_limit(patience);
        ui.talk(&format!(
            "waiting up to {limit} for the state's lock, held by {who}"
        ));
    };
    let lock = store.lock(me, patience, &mut waiting);
    Ok(signals.or_interrupted(lock).await??)
}
