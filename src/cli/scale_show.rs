//! `aeroform scale show` and `aeroform regions list`: what there is, and beside it what the files want.

use super::session::{self, Session};
use super::{Context, scale, show};
use crate::conduct::Look;
use crate::core::fleet::GroupName;
use crate::core::plan::{PlanMode, Requested};
use crate::core::view::{ScaleView, json, terminal};
use crate::observe::observe;
use crate::ui::{Exit, Failure, Signals};

/// Looks once and shows every group, or one.
pub(super) async fn run(
    context: &Context<'_>,
    asks: bool,
    only: Option<&GroupName>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let wishes = session::wishes(
        &super::args::Wishes::default(),
        PlanMode::Normal,
        Requested::default(),
    );
    let session = if asks {
        Session::open_looking_asking(context).await?
    } else {
        Session::open_looking(context)?
    };
    let desired = session.wanted();
    let mut view = match (asks, desired) {
        (true, Some(desired)) => {
            let provider = session.provider(context)?;
            let journal = session::journal(context)?;
            let ground = session.ground(context, &*provider, &journal);
            let look = signals.or_interrupted(ground.look(&wishes)).await??;
            ScaleView::of(desired, &look.plan, look.observed.as_ref())
        }
        (false, Some(desired)) => {
            let offline = Look::offline(desired, &*session.store, &wishes);
            let look = signals.or_interrupted(offline).await??;
            ScaleView::of(desired, &look.plan, look.observed.as_ref())
        }
        (true, None) => {
            let known = session.remember_if_possible(context.ui).await;
            let known = known.unwrap_or_else(|| session.nothing_known());
            let provider = session.provider(context)?;
            let looked = observe(&*provider, &known.app, &known);
            let observed = signals.or_interrupted(looked).await??;
            ScaleView::from_known(&known, Some(&observed))
        }
        (false, None) => ScaleView::from_known(&session.remember().await?.known, None),
    };
    if let Some(name) = only {
        let is_there = view.groups.iter().any(|group| group.name == *name);
        if desired.is_some() || !is_there {
            scale::group(&session.desired, name.as_str())?;
        }
        view.groups.retain(|group| group.name == *name);
    }
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::scale::scale(&view));
    } else {
        show::data(ui, |style, text| terminal::scale(&view, style, text));
    }
    Ok(Exit::Done)
}
