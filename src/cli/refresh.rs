//! `aeroform refresh`: the state takes what is there.

use super::Context;
use super::args::{Doing, Refreshing};
use super::carry_out::{self, Errand};
use crate::ui::{Exit, Failure};

/// Shows what the state would learn, and lets it.
pub(super) async fn run(context: &Context<'_>, args: &Refreshing) -> Result<Exit, Failure> {
    carry_out::run(context, &errand("refresh", &args.doing())).await
}

/// The errand of a verb that only teaches the state.
pub(super) fn errand<'a>(command: &'static str, doing: &'a Doing) -> Errand<'a> {
    Errand {
        command,
        destroy: false,
        refreshes: true,
        saved: None,
        doing,
    }
}
