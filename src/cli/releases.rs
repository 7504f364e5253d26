//! `aeroform releases`: the releases of the app, from the platform and the state.

use super::Context;
use super::args::ReleasesArgs;
use super::formats::{self, CommandOutput};
use super::session::Session;
use crate::core::view::releases::ReleasesView;
use crate::observe::{observe, releases};
use crate::ui::{Exit, Failure, Signals};

/// Reads and shows the releases.
pub(super) async fn run(context: &Context<'_>, args: &ReleasesArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let view = if args.refresh.refresh {
        let session = Session::open_lenient_online(context).await?;
        let read = read_online(context, &session, args.number);
        signals.or_interrupted(read).await??
    } else {
        let known = Session::open_lenient(context)?.load_state().await?.known;
        ReleasesView::of(&known, None, Vec::new(), args.number)
    };
    formats::print(context.ui, CommandOutput::Releases(&view));
    Ok(Exit::Done)
}

async fn read_online(
    context: &Context<'_>,
    session: &Session,
    limit: usize,
) -> Result<ReleasesView, Failure> {
    let ui = context.ui;
    let known = session.load_state_or_warn(ui).await;
    let known = known.unwrap_or_else(|| session.empty_state());
    let provider = session.provider(context)?;
    let observed = observe(&*provider, &known.app, &known).await?;
    let platform = if observed.description.capabilities.releases {
        releases(&*provider, &known.app, limit).await
    } else {
        Ok(Some(Vec::new()))
    };
    let why = match &platform {
        Ok(Some(_)) => None,
        Ok(None) => Some("the token may not read them"),
        Err(error) => Some(error.message.as_str()),
    };
    if let Some(why) = why {
        ui.warn(&format!(
            "cannot read the platform's releases ({why}); only those of the state and the Machines are listed"
        ));
    }
    let platform = platform.ok().flatten().unwrap_or_default();
    Ok(ReleasesView::of(&known, Some(&observed), platform, limit))
}
