//! `aeroform restart`.

use super::Context;
use super::args::Restart;
use super::carry_out::{self, Errand};
use super::plan;
use crate::core::plan::PlanMode;
use crate::ui::{Exit, Failure};

/// Has the Machines that run start anew, by the same road as any other change.
pub(super) async fn run(context: &Context<'_>, args: &Restart) -> Result<Exit, Failure> {
    if args.plan_only {
        return plan::run(context, &args.plan()).await;
    }
    let errand = Errand {
        command: "restart",
        aim: PlanMode::Normal,
        asked: args.asked(),
        saved: None,
        doing: &args.doing,
    };
    carry_out::run(context, &errand).await
}
