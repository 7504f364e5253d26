//! Reads the Machines once, for the verbs that list them.

use super::super::Context;
use super::super::session::Session;
use crate::core::view::StatusView;
use crate::observe::observe;
use crate::ui::{Failure, Signals};

/// Existing Machines with the desired and known ones.
pub(super) async fn inspect(
    context: &Context<'_>,
    signals: &mut Signals,
) -> Result<StatusView, Failure> {
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let reading = async {
        let remembered = session.load_state_or_warn(context.ui).await;
        let known = remembered.clone().unwrap_or_else(|| session.empty_state());
        let observed = observe(&*provider, &session.desired.app, &known).await?;
        Ok::<_, Failure>((remembered, observed))
    };
    let (known, observed) = signals.or_interrupted(reading).await??;
    let (name, desired) = (provider.name(), session.desired_if_valid());
    Ok(StatusView::of(name, desired, known.as_ref(), &observed))
}
