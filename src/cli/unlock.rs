//! `aeroform unlock`: shows who holds the state's lock.

use super::Context;
use super::formats::{self, CommandOutput};
use super::session::{self, Session};
use crate::store::LockStatus;
use crate::ui::codes::LOCKED;
use crate::ui::{Exit, Failure};

/// Prints the holder. A local lock ends with its process, so there is never a stale one to break.
pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let session = Session::open_lenient(context)?;
    session.say_other_state(context);
    let location = session.store.location();
    let status = session.store.holder().await?;
    let output = CommandOutput::Lock {
        location: &location,
        status: &status,
    };
    formats::print(context.ui, output);
    let who = match &status {
        LockStatus::Free => return Ok(Exit::Done),
        LockStatus::Held(_) if context.ui.format().is_for_programs() => return Ok(Exit::Locked),
        LockStatus::Held(None) => "an unknown process".to_owned(),
        LockStatus::Held(Some(holder)) => session::holder_name(holder),
    };
    Err(
        Failure::new(LOCKED, format!("the lock of `{location}` is held by {who}"))
            .hint("wait for it, or stop that process, which releases the lock"),
    )
}
