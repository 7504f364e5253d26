//! `aeroform refresh`: the state says what is there. No Machine changes.

use std::num::NonZeroUsize;

use super::Context;
use super::args::{Doing, PlanOptions, RefreshState};
use super::carry_out::{self, Errand};
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};

/// Shows what differs, asks, and writes it down, by the same road as any other change.
pub(super) async fn run(context: &Context<'_>, args: &RefreshState) -> Result<Exit, Failure> {
    let doing = Doing {
        auto_approve: args.auto_approve,
        allow_destroy: Vec::new(),
        allow_revert: false,
        no_wait_release: false,
        parallelism: NonZeroUsize::MIN,
        lock_timeout: args.lock_timeout,
        json: args.json,
        options: PlanOptions::default(),
        wishes: args.wishes.clone(),
    };
    let errand = Errand {
        command: "refresh",
        aim: PlanMode::RefreshOnly,
        asked: Requested::default(),
        saved: None,
        doing: &doing,
    };
    carry_out::run(context, &errand).await
}
