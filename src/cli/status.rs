//! `aeroform status`: what is there now.

use super::session::Session;
use super::{Context, show};
use crate::core::view::{StatusView, json, terminal};
use crate::observe::observe;
use crate::ui::{Exit, Failure, Signals};

/// Looks once and shows it.
pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_asking(context).await?;
    let provider = session.provider(context)?;
    let look = async {
        let known = session.remember().await?.known;
        let observed = observe(&*provider, &session.desired.app, &known).await?;
        Ok::<_, Failure>((known, observed))
    };
    let (known, observed) = signals.or_interrupted(look).await??;
    let view = StatusView::of(
        provider.name(),
        Some(&session.desired),
        Some(&known),
        &observed,
    );
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::status::status(&view));
    } else {
        show::data(ui, |style, text| terminal::status(&view, style, text));
    }
    Ok(Exit::Done)
}
