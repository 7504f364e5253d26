//! `aeroform scale show` and `aeroform regions list`: what there is, and beside it what the files want.

use super::manifests::{Purpose, Warnings};
use super::session::{self, Session};
use super::{Context, scale, show};
use crate::conduct::Look;
use crate::core::fleet::GroupName;
use crate::core::plan::{Aim, Asked};
use crate::core::view::{ScaleView, json, terminal};
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
        Aim::Manifests,
        Asked::default(),
    );
    let (session, look) = if asks {
        let session = Session::open_asking_for(context, Purpose::Plan, Warnings::Not).await?;
        let provider = session.provider(context)?;
        let journal = session::journal(context)?;
        let ground = session.ground(context, &*provider, &journal);
        let look = signals.or_interrupted(ground.look(&wishes)).await??;
        (session, look)
    } else {
        let session = Session::open_for(context, Purpose::Plan, Warnings::Not)?;
        let offline = Look::offline(&session.desired, &*session.store, &wishes);
        let look = signals.or_interrupted(offline).await??;
        (session, look)
    };
    let mut view = ScaleView::of(&session.desired, &look.plan, look.observed.as_ref());
    if let Some(name) = only {
        scale::group(&session.desired, name.as_str())?;
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
