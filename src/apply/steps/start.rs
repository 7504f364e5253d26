//! Start: a Machine that exited without being stopped, with its current config.

use std::time::Duration;

use super::StepProgress;
use super::adopt::take_observed;
use super::destroy::uncordon_if_removal_begun;
use super::update::{AtRest, SETTLE_TIMEOUT, UpdateResult, UpdateTerms, ensure_config};
use crate::apply::codes;
use crate::apply::desired_machine::DesiredMachine;
use crate::apply::gate::{self, Baseline, Gate};
use crate::apply::precondition;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError};
use crate::core::fleet::{Call, Machine, MachineId, MachineState};
use crate::core::plan::{Change, Precondition};

/// Starts the Machine and waits for its gate. A running one is only awaited, and one that was deliberately
/// stopped since the plan stays stopped. A crash or cancel in between leaves it started or unchanged, which the
/// next run sees.
pub(super) async fn start(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult {
    let observed = take_observed(context, progress, change)?;
    let (Some(group), Some(pin)) = (observed.group, &change.precondition) else {
        let message = "the plan starts a Machine that it does not pin";
        return Err(StepError::failed(codes::PLAN_MISMATCH, message));
    };
    let id = &observed.machine.id;
    let at_most = Duration::from_secs(group.wait_timeout_s);
    context.acquire_lease(id).await?;
    let before = context
        .retry(async || start_once(context, progress, change, (id, pin), at_most).await)
        .await?;
    let Some(before) = before else {
        return Ok(());
    };
    let gate = Gate {
        id,
        kind: change.gate,
        at_most,
        steady: context.steady(&change.group),
        before,
    };
    gate::wait_for_gate(context, progress, gate).await?;
    uncordon_if_removal_begun(context, progress).await
}

/// Reads the Machine and starts it; none if it stays stopped.
async fn start_once(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    (id, pin): (&MachineId, &Precondition),
    at_most: Duration,
) -> Result<Option<Baseline>, PartError> {
    let live = context
        .wait_settled(id, SETTLE_TIMEOUT.max(at_most))
        .await?;
    let live = live.filter(|live| !live.state.is_gone());
    let live = live.ok_or_else(|| StepError::conflict(format!("{id} is gone")))?;
    progress.machine = Some(live.clone());
    let lineage = &context.shared.input.observed.description.scope;
    if let Some(message) = precondition::mismatch(pin, &live, lineage) {
        return Err(StepError::conflict(message).into());
    }
    if live.state == MachineState::Failed {
        return Ok(Some(
            start_by_update(context, progress, change, &live).await?,
        ));
    }
    if live.state.is_inactive() && !live.exited_by_itself() && !live.removal_begun() {
        return Ok(None);
    }
    if live.state.should_run() {
        return Ok(Some(Baseline::of_unchanged(&live)));
    }
    // A start gives no new instance.
    let attempt = Baseline::before_start(&live);
    Err(match context.call(&Call::Start { id: id.clone() }).await {
        Ok(_) => return Ok(Some(attempt)),
        Err(CallError::Step(end)) => end.into(),
        Err(CallError::NotFound(_)) => StepError::conflict(format!("{id} is gone")).into(),
        Err(CallError::NoRoom(error) | CallError::Invalid(error)) => {
            StepError::from_provider(&error).into()
        }
        // The call may have worked, or the platform is still busy with the Machine: the next read shows it.
        Err(CallError::Conflict(error)) => PartError::conflict(error),
        Err(CallError::Unknown(error)) => PartError::unknown(error),
    })
}

/// A failed Machine is started by sending it the config that it has: whether the platform starts one by a start
/// alone is not documented.
async fn start_by_update(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    live: &Machine,
) -> PartResult<Baseline> {
    let desired = DesiredMachine::new(
        context.shared,
        &change.group,
        Some(&live.id),
        &live.volumes,
        live.standby_for.clone(),
    )?;
    let terms = UpdateTerms {
        precondition: change.precondition.as_ref(),
        must_run: true,
        at_rest: AtRest::No,
        takes_turn: false,
        force_restart: false,
        launch_id: None,
    };
    match ensure_config(context, progress, &live.id, &desired, &terms).await? {
        UpdateResult::Updated(updated) => Ok(updated.baseline),
        UpdateResult::NoRoom(error) => Err(StepError::from_provider(&error)),
    }
}
