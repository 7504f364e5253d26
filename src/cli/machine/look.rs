//! One look at the Machines that are there, for the verbs that list them.

use super::super::Context;
use super::super::session::Session;
use crate::core::view::StatusView;
use crate::observe::observe;
use crate::ui::{Failure, Signals};

/// What is there, beside what is wanted and what the state knows.
pub(super) async fn look(
    context: &Context<'_>,
    signals: &mut Signals,
) -> Result<StatusView, Failure> {
    let session = Session::open_asking(context).await?;
    let provider = session.provider(context)?;
    let desired = &session.desired;
    let look = async {
        let known = session.remember().await?.known;
        let observed = observe(&*provider, &desired.app, &known).await?;
        Ok::<_, Failure>((known, observed))
    };
    let (known, observed) = signals.or_interrupted(look).await??;
    let name = provider.name();
    Ok(StatusView::of(name, Some(desired), Some(&known), &observed))
}
