//! `aeroform drift`: what differs between the state and the world. Changes nothing.

use super::args::Drift as Args;
use super::codes;
use super::session::{self, Session};
use super::{Context, show};
use crate::core::code::Ends;
use crate::core::plan::Plan;
use crate::core::plan::codes::named;
use crate::core::view::{json, terminal};
use crate::ui::{Exit, Failure, Signals};

/// Shows it.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open(context)?;
    let provider = session.provider(context)?;
    let journal = session::journal(context)?;
    let ground = session.ground(context, &*provider, &journal);
    let wishes = session::wishes(&args.wishes, false);
    let look = signals.or_interrupted(ground.look(&wishes)).await??;
    session.say_open_runs(context.ui, &look).await?;
    comparable(&look.plan)?;
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::drift::drift(&look.plan));
    } else {
        show::data(ui, |style, text| terminal::drift(&look.plan, style, text));
    }
    Ok(if args.detailed_exitcode && !look.plan.drift.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}

/// Without a state, or with one that does not belong to this world, nothing can be said.
fn comparable(plan: &Plan) -> Result<(), Failure> {
    if plan.serial == 0 {
        return Err(Failure::new(
            codes::NOTHING_TO_COMPARE,
            "there is no state yet that the world could differ from",
        )
        .hint("`aeroform import` or an apply writes one"));
    }
    let stale = plan
        .refusals
        .iter()
        .find(|refusal| named(&refusal.code).is_some_and(|code| code.ends() == Ends::Stale));
    stale.map_or(Ok(()), |refusal| {
        Err(Failure::new(
            codes::NOTHING_TO_COMPARE,
            "the state and the world do not belong together",
        )
        .cause(&refusal.message)
        .hint(
            refusal
                .hint
                .clone()
                .unwrap_or_else(|| "`aeroform plan` shows why".to_owned()),
        ))
    })
}
