//! Destroy: cordon, stop with its own signal, delete, wait until it is gone (rule 21).

use std::time::Duration;

use tokio::time::Instant;

use super::StepProgress;
use super::switch::call_as_flyctl;
use crate::apply::codes;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError, WaitResult};
use crate::apply::{conflict, precondition};
use crate::core::fleet::normalise::parse_duration;
use crate::core::fleet::{
    Call, HostStatus, Machine, MachineConfig, MachineId, MachineState, WaitUntil,
};
use crate::core::plan::{Action, Change, Precondition, Removal};

/// How long a Machine may take to settle before it is stopped anyway.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The platform's default kill timeout.
const DEFAULT_KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// Extra time for a stop beyond the kill timeout.
const STOP_MARGIN: Duration = Duration::from_secs(30);
/// How long an accepted destroy may take.
const DESTROY_TIMEOUT: Duration = Duration::from_secs(60);

/// Destroys a Machine. A crash or cancel in between leaves it stopped at worst, still in the state, and in the
/// next plan.
pub(super) async fn destroy(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult {
    match &change.machine.id {
        Some(id) if is_swapped(change) => {
            let swap = context.shared.input.plan.swap.as_ref();
            let drain = swap.map_or(Duration::ZERO, |swap| Duration::from_millis(swap.wait_ms));
            let pin = change.precondition.as_ref();
            remove_with(context, progress, id, (pin, Some(drain))).await
        }
        Some(id) => {
            refuse_uncordoned(context, change, id).await?;
            remove_machine(context, progress, id, change.precondition.as_ref()).await
        }
        None => Err(StepError::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        )),
    }
}

fn is_swapped(change: &Change) -> bool {
    matches!(
        change.action,
        Action::Destroy {
            removal: Removal::Swapped,
            ..
        }
    )
}

/// A green that was cordoned when the plan was made, and is not any more: somebody has switched to it.
async fn refuse_uncordoned(
    context: &StepContext<'_>,
    change: &Change,
    id: &MachineId,
) -> PartResult {
    let undone = matches!(
        change.action,
        Action::Destroy {
            removal: Removal::SwapUndone,
            ..
        }
    );
    let seen = context.shared.input.observed.machines.get(id);
    if !undone || !seen.is_some_and(|seen| seen.cordoned) {
        return Ok(());
    }
    match context.get(id).await? {
        Some(live) if !live.cordoned && !live.state.is_gone() => Err(StepError::conflict(format!(
            "the new Machine {id} was added to the load balancing meanwhile"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// The same for this Machine.
pub(super) async fn remove_machine(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
    pin: Option<&Precondition>,
) -> PartResult {
    remove_with(context, progress, id, (pin, None)).await
}

/// With how long a Machine of a swap gets between its cordon and its stop.
async fn remove_with(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
    terms: (Option<&Precondition>, Option<Duration>),
) -> PartResult {
    context.acquire_lease(id).await?;
    context
        .retry(async || remove_once(context, progress, id, terms).await)
        .await
}

async fn remove_once(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
    (pin, drain): (Option<&Precondition>, Option<Duration>),
) -> Result<(), PartError> {
    let lineage = &context.shared.input.observed.description.scope;
    // One that is `created` is removed by force, whether it rests so or is being prepared.
    let patience = (SETTLE_TIMEOUT, Duration::ZERO);
    let Some(live) = context.wait_settled_or_created(id, patience).await? else {
        progress.machine = None;
        return Ok(());
    };
    progress.machine = Some(live.clone());
    if live.state.is_gone() {
        return Ok(wait_gone(context, progress, id).await?);
    }
    if let Some(pin) = pin
        && let Some(message) = precondition::mismatch(pin, &live, lineage)
    {
        let error = conflict::conflict_error(context.shared, &live, message);
        return Err(error.await.into());
    }
    context.record_body(&live);
    let force = stop_machine(context, progress, &live, drain).await?;
    let call = Call::Destroy {
        id: id.clone(),
        force,
    };
    match context.call(&call).await {
        Ok(_) | Err(CallError::NotFound(_)) => Ok(wait_gone(context, progress, id).await?),
        Err(CallError::Step(end)) => Err(end.into()),
        // Something has started it again in between.
        Err(CallError::Conflict(error) | CallError::NoRoom(error) | CallError::Invalid(error)) => {
            Err(PartError::refused(error))
        }
        Err(CallError::Unknown(_)) if is_gone(context, id).await? => {
            Ok(wait_gone(context, progress, id).await?)
        }
        Err(CallError::Unknown(error)) => Err(PartError::unknown(error)),
    }
}

async fn is_gone(context: &StepContext<'_>, id: &MachineId) -> PartResult<bool> {
    let live = context.get(id).await?;
    Ok(live.is_none_or(|live| live.state.is_gone()))
}

/// Cordons and stops it; returns whether it must be deleted by force.
async fn stop_machine(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    live: &Machine,
    drain: Option<Duration>,
) -> PartResult<bool> {
    if needs_force(live) {
        return Ok(true);
    }
    let capabilities = &context.shared.input.observed.description.capabilities;
    let serves = live
        .config
        .as_deref()
        .is_some_and(MachineConfig::has_services);
    let id = || live.id.clone();
    if live.state.should_run() && serves && capabilities.cordon {
        match drain {
            Some(pause) => cordon_and_drain(context, progress, live, pause).await?,
            None if !live.cordoned => {
                call_idempotent(context, &Call::Cordon { id: id() }).await?;
            }
            None => {}
        }
    }
    match live.state {
        MachineState::Stopped | MachineState::Suspended => return Ok(false),
        MachineState::Created
        | MachineState::Starting
        | MachineState::Started
        | MachineState::Stopping
        | MachineState::Suspending
        | MachineState::Replacing
        | MachineState::Unknown
        | MachineState::Failed
        | MachineState::Destroying
        | MachineState::Destroyed => {}
    }
    call_idempotent(context, &Call::Stop { id: id() }).await?;
    let at_most = kill_timeout(live) + STOP_MARGIN;
    context.report_waiting("it to stop", at_most);
    match context
        .wait(&live.id, WaitUntil::Stopped, Instant::now() + at_most)
        .await?
    {
        WaitResult::Reached(machine) => {
            progress.machine = Some(*machine);
            return Ok(false);
        }
        WaitResult::Gone => return Ok(false),
        WaitResult::NotYet(_) => {}
    }
    match context.get(&live.id).await? {
        None => Ok(false),
        Some(now) if needs_force(&now) => Ok(true),
        Some(now) if now.state.is_gone() => Ok(false),
        Some(now) => {
            let state = now.state.as_str();
            let message = format!(
                "Machine {} is still {state} after {} s",
                live.id,
                at_most.as_secs()
            );
            progress.machine = Some(now);
            Err(StepError::failed(codes::STOP_TIMEOUT, message))
        }
    }
}

/// Cordons a blue and lets it finish its requests. Both are for the requests alone, so neither holds the destroy up.
async fn cordon_and_drain(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    live: &Machine,
    pause: Duration,
) -> PartResult {
    let id = &live.id;
    if !live.cordoned {
        match call_as_flyctl(context, &Call::Cordon { id: id.clone() }).await {
            Ok(()) => {}
            Err(StepError::Halted { during }) => return Err(StepError::Halted { during }),
            Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
                let text = format!("{id} was stopped without being cordoned: {message}");
                progress.remarks.push(text);
                return Ok(());
            }
        }
    }
    if pause.is_zero() {
        return Ok(());
    }
    context.report_waiting("its last requests", pause);
    context.pause(pause).await?;
    if context
        .get(id)
        .await?
        .is_some_and(|now| !now.cordoned && now.state.should_run())
    {
        let text = format!("{id} was uncordoned by somebody else; it is destroyed all the same");
        progress.remarks.push(text);
    }
    Ok(())
}

/// Force only for Machines that cannot be stopped.
fn needs_force(machine: &Machine) -> bool {
    matches!(machine.state, MachineState::Failed | MachineState::Created)
        || machine.host == HostStatus::Unreachable
}

fn kill_timeout(machine: &Machine) -> Duration {
    let config = machine.config.as_deref();
    let written = config.and_then(|config| config.stop_config.as_ref()?.timeout.as_deref());
    written
        .and_then(parse_duration)
        .map_or(DEFAULT_KILL_TIMEOUT, Duration::from_nanos)
}

/// A call that can be repeated after a lost response. Conflicts are left to the next step.
pub(super) async fn call_idempotent(context: &StepContext<'_>, call: &Call) -> PartResult {
    context
        .retry(async || match context.call(call).await {
            Ok(_) | Err(CallError::NotFound(_) | CallError::Conflict(_)) => Ok(()),
            Err(CallError::NoRoom(error) | CallError::Invalid(error)) => {
                Err(StepError::from_provider(&error).into())
            }
            Err(CallError::Step(end)) => Err(end.into()),
            Err(CallError::Unknown(error)) => Err(PartError::refused(error)),
        })
        .await
}

/// Adds a Machine to the proxy's load balancing again that a rollback had cordoned, and then did not destroy.
pub(super) async fn uncordon_if_removal_begun(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
) -> PartResult {
    let machine = progress.machine.as_mut();
    match machine.filter(|machine| machine.cordoned && machine.removal_begun()) {
        Some(machine) => {
            let id = machine.id.clone();
            machine.cordoned = false;
            call_idempotent(context, &Call::Uncordon { id }).await
        }
        None => Ok(()),
    }
}

/// The destroy was accepted: the Machine counts as gone (rule 31) unless it is seen again.
async fn wait_gone(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
) -> PartResult {
    progress.destroy_accepted = true;
    context.report_waiting("it to be gone", DESTROY_TIMEOUT);
    match context
        .wait(id, WaitUntil::Destroyed, Instant::now() + DESTROY_TIMEOUT)
        .await?
    {
        WaitResult::Reached(_) | WaitResult::Gone => {}
        WaitResult::NotYet(_) => {
            if let Some(machine) = context.get(id).await?
                && !machine.state.is_gone()
            {
                let message = format!("Machine {id} is still {}", machine.state.as_str());
                progress.machine = Some(machine);
                progress.destroy_accepted = false;
                return Err(StepError::failed(codes::DESTROY_TIMEOUT, message));
            }
        }
    }
    progress.machine = None;
    Ok(())
}
