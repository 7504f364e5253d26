//! `aeroform apply`.

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::{ApplyArgs, GlobalFlags};
use super::expected_plan;
use super::saved_plan::{self, ReviewedPlan};
use crate::core::plan::PlanMode;
use crate::ui::{Exit, Failure};

/// Shows the plan, asks, and applies it; or applies a saved plan.
pub(super) async fn run(context: &Context<'_>, args: &ApplyArgs) -> Result<Exit, Failure> {
    let load = |path| saved_plan::load_plan(path).map(Box::new);
    let reviewed = match (args.plan.as_deref(), args.expect.as_deref()) {
        (Some(path), _) => ReviewedPlan::Applied(load(path)?),
        (None, Some(path)) => ReviewedPlan::Expected(load(path)?),
        (None, None) => ReviewedPlan::None,
    };
    let saved = reviewed.applied();
    if let (Some(saved), Some(path)) = (saved, args.plan.as_deref()) {
        expected_plan::check_online(saved, path)?;
    }
    let takes_all = saved.is_some_and(|saved| saved.destroys_app);
    let requested = match saved {
        Some(saved) => saved.requested.clone(),
        None => args.requested_flags.requested(),
    };
    let request = ApplyRequest {
        command: "apply",
        mode: if takes_all {
            PlanMode::Destroy
        } else {
            PlanMode::Normal
        },
        requested,
        reviewed,
        flags: &args.apply_flags,
    };
    // A plan made with `--image` contains that image.
    let image = request.requested.image.clone();
    let global = GlobalFlags {
        image: context.global.image.clone().or(image),
        ..context.global.clone()
    };
    let context = Context {
        global: &global,
        ..*context
    };
    apply_flow::run(&context, &request).await
}
