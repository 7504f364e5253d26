//! `aeroform apply`.

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::{ApplyArgs, GlobalFlags};
use super::saved_plan;
use crate::core::plan::PlanMode;
use crate::ui::{Exit, Failure};

/// Shows the plan, asks, and applies it; or applies a saved plan.
pub(super) async fn run(context: &Context<'_>, args: &ApplyArgs) -> Result<Exit, Failure> {
    let saved = args
        .plan
        .as_deref()
        .map(saved_plan::load_plan)
        .transpose()?;
    let takes_all = saved.as_ref().is_some_and(|saved| saved.destroys_app);
    let requested = match &saved {
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
        saved,
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
