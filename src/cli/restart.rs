//! `aeroform restart`.

use super::Context;
use super::args::Restart;
use super::carry_out::{self, Errand};
use crate::core::plan::Aim;
use crate::ui::{Exit, Failure};

/// Has the Machines that run start anew, by the same road as any other change.
pub(super) async fn run(context: &Context<'_>, args: &Restart) -> Result<Exit, Failure> {
    let errand = Errand {
        command: "restart",
        aim: Aim::Manifests,
        asked: args.asked(),
        saved: None,
        doing: &args.doing,
    };
    carry_out::run(context, &errand).await
}
