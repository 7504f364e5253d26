//! `aeroform destroy`.

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::DestroyArgs;
use super::saved_plan::ReviewedPlan;
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};

/// Plans and applies the destruction of every Machine.
pub(super) async fn run(context: &Context<'_>, args: &DestroyArgs) -> Result<Exit, Failure> {
    let request = ApplyRequest {
        command: "destroy",
        mode: PlanMode::Destroy,
        requested: Requested::default(),
        reviewed: ReviewedPlan::None,
        flags: &args.apply_flags,
    };
    apply_flow::run(context, &request).await
}
