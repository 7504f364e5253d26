//! `aeroform destroy`.

use super::Context;
use super::args::Destroy;
use super::carry_out::{self, Errand};
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};

/// Takes the whole app away, by the same road as any other change.
pub(super) async fn run(context: &Context<'_>, args: &Destroy) -> Result<Exit, Failure> {
    let errand = Errand {
        command: "destroy",
        aim: PlanMode::Destroy,
        asked: Requested::default(),
        saved: None,
        doing: &args.doing,
    };
    carry_out::run(context, &errand).await
}
