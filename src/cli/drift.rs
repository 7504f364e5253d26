//! `aeroform drift`: differences between state and Machines. Writes nothing and takes no lock; compares nothing
//! while a run changes the app, and with no state but the newest. The lock of a run that died does not count.

use super::args::DriftArgs;
use super::formats::{self, CommandOutput};
use super::newest_state::check_newest;
use super::session::{self, Session};
use super::unlock::{name, report_watch};
use super::{Context, codes};
use crate::core::plan::codes::{FLEET_VANISHED, LIST_LAGS, OTHER_LINEAGE};
use crate::core::plan::{Options, Plan, PlanMode};
use crate::observe::ObserveError;
use crate::run::{self, Preview, RunContext, RunError};
use crate::store::{Holder, LockLife, LockStatus};
use crate::ui::codes::LOCKED;
use crate::ui::{Exit, Failure, Signals, Ui};

/// How often a state that a run wrote meanwhile is read again.
const TRIES: u32 = 3;

/// Reads the provider, compares and prints the drift.
pub(super) async fn run(context: &Context<'_>, args: &DriftArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let journal = session::journal(context)?;
    let run_context = session.run_context(context, &*provider, &journal);
    session.history().set_fetch(!args.no_fetch);
    let preview = preview_at_rest(context.ui, &session, &run_context, &mut signals).await?;
    let known = &preview.stored_state.known;
    signals
        .or_interrupted(check_newest(context, &session, known))
        .await??;
    session.report_open_runs(context.ui, &preview).await?;
    check_drift_is_known(&preview.plan)?;
    formats::print(context.ui, CommandOutput::Drift(&preview.plan));
    Ok(
        if args.detailed_exitcode && preview.plan.outside_drift().next().is_some() {
            Exit::Changes
        } else {
            Exit::Done
        },
    )
}

/// A preview of a state that no run wrote meanwhile: otherwise what a run did would look like drift.
async fn preview_at_rest(
    ui: &Ui,
    session: &Session,
    run_context: &RunContext<'_>,
    signals: &mut Signals,
) -> Result<Preview, Failure> {
    let options = Options {
        mode: PlanMode::RefreshOnly,
        ..Options::default()
    };
    let mut dead = None;
    for _ in 0..TRIES {
        let nobody = check_nobody_applies(ui, session, &mut dead);
        signals.or_interrupted(nobody).await??;
        let preview = signals
            .or_interrupted(run_context.preview(&options))
            .await?;
        let preview = preview.map_err(observe_failure)?;
        let leased = run::lease_of_others(run_context.provider, &preview);
        if let Some(holder) = signals.or_interrupted(leased).await? {
            return Err(busy_error(session, &holder));
        }
        let nobody = check_nobody_applies(ui, session, &mut dead);
        signals.or_interrupted(nobody).await??;
        if session.load_state().await?.digest == preview.stored_state.digest {
            return Ok(preview);
        }
    }
    Err(busy_error(session, "one run after the other"))
}

/// What a run does is no drift; it ends first. A holder that does not renew its lock runs no more: it is reported and
/// remembered in `dead`.
async fn check_nobody_applies(
    ui: &Ui,
    session: &Session,
    dead: &mut Option<LockStatus>,
) -> Result<(), Failure> {
    let store = &*session.store;
    let status = store.holder().await?;
    if status == LockStatus::Free || dead.as_ref() == Some(&status) {
        return Ok(());
    }
    let location = store.location();
    let mut watching = |holder: Option<&Holder>, limit| report_watch(ui, &location, holder, limit);
    match store.liveness(&mut watching).await? {
        LockLife::Free => Ok(()),
        LockLife::Live(holder) => Err(busy_error(session, &name(holder.as_ref()))),
        LockLife::Stale(holder) => {
            let who = name(holder.as_ref());
            ui.warn(&format!(
                "the lock of `{location}` is held by {who}, which does not renew it; `aeroform unlock` removes it"
            ));
            *dead = Some(LockStatus::Held(holder));
            Ok(())
        }
    }
}

fn busy_error(session: &Session, who: &str) -> Failure {
    let app = &session.desired.app;
    Failure::new(
        LOCKED,
        format!("cannot determine the drift: {who} is changing `{app}`"),
    )
    .hint("wait until it is done, and run the command again")
}

/// For this verb a vanished fleet is not a stale plan.
fn observe_failure(error: RunError) -> Failure {
    match error {
        RunError::Observe(
            error @ (ObserveError::FleetVanished { .. } | ObserveError::AppGone { .. }),
        ) => {
            let Failure { message, hint, .. } = Failure::from(error);
            drift_unknown_error(&message, hint)
        }
        other => other.into(),
    }
}

/// A response that lacks Machines, or of another app, says nothing about drift.
fn check_drift_is_known(plan: &Plan) -> Result<(), Failure> {
    let unsure = [FLEET_VANISHED, LIST_LAGS, OTHER_LINEAGE];
    let note = plan
        .refusals
        .iter()
        .find(|note| unsure.iter().any(|code| code.name() == note.code));
    note.map_or(Ok(()), |note| {
        // This verb does not accept `--accept-missing`; `refresh`, which writes the state, does.
        let hint = note
            .hint
            .as_ref()
            .map(|hint| match hint.split_once("add `") {
                Some((before, flag)) => format!("{before}run `aeroform refresh {flag}"),
                None => hint.clone(),
            });
        Err(drift_unknown_error(&note.message, hint))
    })
}

fn drift_unknown_error(why: &str, hint: Option<String>) -> Failure {
    let failure = Failure::new(codes::CANNOT_TELL, "cannot determine the drift").cause(why);
    Failure { hint, ..failure }
}
