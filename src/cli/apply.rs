//! `aeroform apply`.

use super::Context;
use super::args::{Apply, Global};
use super::carry_out::{self, Errand};
use super::saved;
use crate::core::plan::PlanMode;
use crate::ui::{Exit, Failure};

/// Shows the plan, asks, and carries it out; or carries out the plan of a file.
pub(super) async fn run(context: &Context<'_>, args: &Apply) -> Result<Exit, Failure> {
    let saved = args.plan.as_deref().map(saved::read).transpose()?;
    let takes_all = saved.as_ref().is_some_and(|saved| saved.destroys_app);
    let asked = match &saved {
        Some(saved) => saved.requested.clone(),
        None => args.asks.asked(),
    };
    let errand = Errand {
        command: "apply",
        aim: if takes_all {
            PlanMode::Destroy
        } else {
            PlanMode::Normal
        },
        asked,
        saved,
        doing: &args.doing,
    };
    // A plan that was made with `--image` is of that image.
    let image = errand.asked.image.clone();
    let global = Global {
        image: context.global.image.clone().or(image),
        ..context.global.clone()
    };
    let context = Context {
        global: &global,
        ..*context
    };
    carry_out::run(&context, &errand).await
}
