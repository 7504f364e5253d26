//! `aeroform scale show` and `aeroform regions list`: current and desired counts, sizes and regions.

use super::formats::{self, CommandOutput};
use super::session::{self, Session};
use super::{Context, scale};
use crate::core::fleet::GroupName;
use crate::core::plan::{PlanMode, Requested};
use crate::core::view::ScaleView;
use crate::observe::observe;
use crate::run::Preview;
use crate::ui::{Exit, Failure, Signals};

/// Shows every group, or one.
pub(super) async fn run(
    context: &Context<'_>,
    refresh: bool,
    only: Option<&GroupName>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let options = session::planner_options(
        &super::args::RecoveryFlags::default(),
        PlanMode::Normal,
        Requested::default(),
    );
    let session = if refresh {
        Session::open_lenient_online(context).await?
    } else {
        Session::open_lenient(context)?
    };
    let desired = session.desired_if_valid();
    let mut view = match (refresh, desired) {
        (true, Some(desired)) => {
            let provider = session.provider(context)?;
            let journal = session::journal(context)?;
            let run_context = session.run_context(context, &*provider, &journal);
            let preview = signals
                .or_interrupted(run_context.preview(&options))
                .await??;
            ScaleView::of(desired, &preview.plan, preview.observed.as_ref())
        }
        (false, Some(desired)) => {
            let offline = Preview::offline(desired, &*session.store, &options);
            let preview = signals.or_interrupted(offline).await??;
            ScaleView::of(desired, &preview.plan, preview.observed.as_ref())
        }
        (true, None) => {
            let known = session.load_state_or_warn(context.ui).await;
            let known = known.unwrap_or_else(|| session.empty_state());
            let provider = session.provider(context)?;
            let looked = observe(&*provider, &known.app, &known);
            let observed = signals.or_interrupted(looked).await??;
            ScaleView::from_known(&known, Some(&observed))
        }
        (false, None) => ScaleView::from_known(&session.load_state().await?.known, None),
    };
    if let Some(name) = only {
        let is_there = view.groups.iter().any(|group| group.name == *name);
        if desired.is_some() || !is_there {
            scale::find_group(&session.desired, name.as_str())?;
        }
        view.groups.retain(|group| group.name == *name);
    }
    formats::print(context.ui, CommandOutput::Scale(&view));
    Ok(Exit::Done)
}
