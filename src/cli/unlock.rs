//! `aeroform unlock`: removes the state's lock of a holder that is gone.

use std::time::Duration;

use super::Context;
use super::formats::{self, CommandOutput};
use super::lock;
use super::session::Session;
use crate::core::view::phrases::human_limit;
use crate::store::{Holder, Unlock, Unlocked};
use crate::ui::codes::LOCKED;
use crate::ui::{Exit, Failure, Signals, Ui};

/// Watches the lock and removes it if its holder does not renew it; with `force` in any case. The lock of a file
/// ends with its process, so that there is nothing to watch.
pub(super) async fn run(context: &Context<'_>, force: bool) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient(context)?;
    session.say_other_state(context);
    let ui = context.ui;
    let location = session.store.location();
    let mut watching = |holder: Option<&Holder>, limit| report_watch(ui, &location, holder, limit);
    let how = if force {
        ui.mark_changing();
        Unlock::Force
    } else {
        Unlock::IfStale
    };
    let unlocked = session.store.unlock(how, &mut watching);
    let unlocked = signals.or_interrupted(unlocked).await??;
    let output = CommandOutput::Lock {
        location: &location,
        status: &unlocked,
    };
    formats::print(ui, output);
    let (holder, by_force) = match &unlocked {
        Unlocked::Free => return Ok(Exit::Done),
        Unlocked::Removed(_) => {
            ui.say("`aeroform plan` shows what its run left");
            return Ok(Exit::Done);
        }
        Unlocked::Live { .. } if ui.format().is_for_programs() => return Ok(Exit::Locked),
        Unlocked::Live { holder, by_force } => (holder.as_ref(), *by_force),
    };
    let who = name(holder);
    let failure = Failure::new(LOCKED, format!("the lock of `{location}` is held by {who}"));
    Err(match (by_force, force) {
        (true, _) => failure.cause("it was renewed: its holder is alive").hint(
            "wait for it; `aeroform unlock --force` removes its lock, and its run then ends before its next call",
        ),
        (false, false) => {
            failure.hint("wait for it, or stop that process, which releases the lock")
        }
        (false, true) => failure.hint(
            "`--force` does not remove the lock of a process that is alive on this computer: stop that process, which \
             releases the lock",
        ),
    })
}

/// Says which lock is watched, and for how long.
pub(super) fn report_watch(ui: &Ui, location: &str, holder: Option<&Holder>, limit: Duration) {
    ui.talk(&format!(
        "watching the lock of `{location}` for up to {}, held by {}; a holder that is alive renews it",
        human_limit(limit),
        name(holder)
    ));
}

pub(super) fn name(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "an unknown process".to_owned(), lock::holder_name)
}
