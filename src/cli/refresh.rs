//! `aeroform refresh`: records the existing Machines in the state. No Machine is changed.

use std::num::NonZeroUsize;

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::{ApplyFlags, PlanOptions, RefreshArgs};
use super::saved_plan::ReviewedPlan;
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};

/// Shows the differences, asks, and writes the state.
pub(super) async fn run(context: &Context<'_>, args: &RefreshArgs) -> Result<Exit, Failure> {
    let flags = ApplyFlags {
        auto_approve: args.auto_approve,
        allow_destroy: Vec::new(),
        allow_revert: false,
        no_wait_release: false,
        parallelism: NonZeroUsize::MIN,
        lock_timeout: args.lock_timeout,
        options: PlanOptions::default(),
        recovery_flags: args.recovery_flags.clone(),
    };
    let request = ApplyRequest {
        command: "refresh",
        mode: PlanMode::RefreshOnly,
        requested: Requested::default(),
        reviewed: ReviewedPlan::None,
        flags: &flags,
    };
    apply_flow::run(context, &request).await
}
