//! `aeroform restart`.

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::RestartArgs;
use super::plan;
use super::saved_plan::ReviewedPlan;
use crate::core::plan::PlanMode;
use crate::ui::{Exit, Failure};

/// Plans and applies a restart of the running Machines.
pub(super) async fn run(context: &Context<'_>, args: &RestartArgs) -> Result<Exit, Failure> {
    if args.plan_only {
        return plan::run(context, &args.plan()).await;
    }
    let request = ApplyRequest {
        command: "restart",
        mode: PlanMode::Normal,
        requested: args.requested(),
        reviewed: ReviewedPlan::None,
        flags: &args.apply_flags,
    };
    apply_flow::run(context, &request).await
}
