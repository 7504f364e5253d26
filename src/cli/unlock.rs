//! `aeroform unlock`: who holds the state's lock.

use super::Context;
use super::session::{self, Session};
use crate::core::view::json::unlock::{LockHolder, unlock};
use crate::store::LockStatus;
use crate::ui::codes::LOCKED;
use crate::ui::{Exit, Failure};

/// Names the holder. The lock of a local state lives with its process, so there is never one to break:
/// ending the process frees it.
pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let session = Session::open_lenient(context)?;
    session.say_other_state(context);
    let place = session.store.location();
    let status = session.store.holder().await?;
    if context.ui.json() {
        return Ok(document(context, &status));
    }
    let who = match &status {
        LockStatus::Free => {
            context
                .ui
                .data(&format!("nobody holds the lock of `{place}`\n"));
            return Ok(Exit::Done);
        }
        LockStatus::Held(None) => "a process that did not say who it is".to_owned(),
        LockStatus::Held(Some(holder)) => session::holder_name(holder),
    };
    Err(
        Failure::new(LOCKED, format!("the lock of `{place}` is held by {who}"))
            .hint("wait for it, or end that process: the lock goes with it"),
    )
}

fn document(context: &Context<'_>, status: &LockStatus) -> Exit {
    let (exit, holder) = match status {
        LockStatus::Free => (Exit::Done, None),
        LockStatus::Held(holder) => (Exit::Locked, holder.as_ref()),
    };
    let holder = holder.map(|holder| LockHolder {
        who: &holder.who,
        host: &holder.host,
        pid: holder.pid,
        command: &holder.command,
        since: &holder.since,
        run: holder.run.as_deref(),
    });
    context.ui.document(&unlock(exit == Exit::Locked, holder));
    exit
}
