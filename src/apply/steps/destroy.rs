//! Destroy: out of rotation, stopped with its own signal, removed, gone (rule 21).

use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use crate::apply::codes;
use crate::apply::ends::{End, Part, Refused, Waited};
use crate::apply::hands::Hands;
use crate::apply::{others, pin};
use crate::core::fleet::normalise::parse_duration;
use crate::core::fleet::{
    Call, HostStatus, Machine, MachineConfig, MachineId, MachineState, WaitUntil,
};
use crate::core::plan::{Change, Precondition};

/// How long a Machine may take to settle before it is stopped whatever it does.
const SETTLE: Duration = Duration::from_secs(30);
/// The platform's kill timeout where none is written.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// What a stop may take beyond its kill timeout.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a destroy may take once it was accepted.
const DESTROY: Duration = Duration::from_secs(60);

/// Removes a Machine for good. A crash or cancel in between leaves it stopped at worst, still known,
/// and planned to go again.
pub(super) async fn destroy(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
    match &change.machine.id {
        Some(id) => remove(hands, progress, id, change.precondition.as_ref()).await,
        None => Err(End::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        )),
    }
}

/// The same of the Machine that is so.
pub(super) async fn remove(
    hands: &Hands<'_>,
    progress: &mut Progress,
    id: &MachineId,
    pin: Option<&Precondition>,
) -> Part {
    let lineage = &hands.shared.job.observed.description.scope;
    hands.lease(id).await?;
    let mut tries = 0;
    loop {
        // One that is `created` is removed by force, whether it rests so or is being prepared.
        let patience = (SETTLE, Duration::ZERO);
        let Some(live) = hands.settled_or_created(id, patience).await? else {
            progress.machine = None;
            return Ok(());
        };
        progress.machine = Some(live.clone());
        if live.state.is_gone() {
            return gone(hands, progress, id).await;
        }
        if let Some(pin) = pin
            && let Some(message) = pin::mismatch(pin, &live, lineage)
        {
            return Err(others::conflict(hands.shared, &live, message).await);
        }
        let force = stopped(hands, progress, &live).await?;
        let call = Call::Destroy {
            id: id.clone(),
            force,
        };
        let (may_have_happened, error) = match hands.call(&call).await {
            Ok(_) | Err(Refused::NotFound(_)) => return gone(hands, progress, id).await,
            Err(Refused::End(end)) => return Err(end),
            // Something has started it again in between.
            Err(Refused::Conflict(error) | Refused::NoRoom(error) | Refused::Invalid(error)) => {
                (false, error)
            }
            Err(Refused::Unknown(error)) => (true, error),
        };
        if may_have_happened && is_gone(hands, id).await? {
            return gone(hands, progress, id).await;
        }
        if !hands.again(tries, &error).await? {
            return Err(if may_have_happened {
                End::Unknown {
                    message: error.message,
                }
            } else {
                End::of(&error)
            });
        }
        tries += 1;
    }
}

async fn is_gone(hands: &Hands<'_>, id: &MachineId) -> Part<bool> {
    let live = hands.get(id).await?;
    Ok(live.is_none_or(|live| live.state.is_gone()))
}

/// Takes it out of rotation and stops it; says whether only force removes it.
async fn stopped(hands: &Hands<'_>, progress: &mut Progress, live: &Machine) -> Part<bool> {
    if needs_force(live) {
        return Ok(true);
    }
    let capabilities = &hands.shared.job.observed.description.capabilities;
    let serves = live
        .config
        .as_deref()
        .is_some_and(MachineConfig::has_services);
    let id = || live.id.clone();
    if live.state.should_run() && serves && capabilities.cordon && !live.cordoned {
        repeatable(hands, &Call::Cordon { id: id() }).await?;
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
    repeatable(hands, &Call::Stop { id: id() }).await?;
    let at_most = kill_timeout(live) + MARGIN;
    hands.waiting("it to stop", at_most);
    match hands
        .wait(&live.id, WaitUntil::Stopped, Instant::now() + at_most)
        .await?
    {
        Waited::Reached(machine) => {
            progress.machine = Some(*machine);
            return Ok(false);
        }
        Waited::Gone => return Ok(false),
        Waited::NotYet(_) => {}
    }
    match hands.get(&live.id).await? {
        None => Ok(false),
        Some(now) if needs_force(&now) => Ok(true),
        Some(now) if now.state.is_gone() => Ok(false),
        Some(now) => {
            let state = now.state.as_str();
            let message = format!(
                "Machine {} was told to stop and is {state} after {} s",
                live.id,
                at_most.as_secs()
            );
            progress.machine = Some(now);
            Err(End::failed(codes::STOP_TIMEOUT, message))
        }
    }
}

/// Force is for Machines that cannot be stopped in order.
fn needs_force(machine: &Machine) -> bool {
    matches!(machine.state, MachineState::Failed | MachineState::Created)
        || machine.host == HostStatus::Unreachable
}

fn kill_timeout(machine: &Machine) -> Duration {
    let config = machine.config.as_deref();
    let written = config.and_then(|config| config.stop_config.as_ref()?.timeout.as_deref());
    written
        .and_then(parse_duration)
        .map_or(KILL_TIMEOUT, Duration::from_nanos)
}

/// A call that may simply be made again when its answer was lost. Something else being faster is left
/// to what comes after it.
pub(super) async fn repeatable(hands: &Hands<'_>, call: &Call) -> Part {
    let mut tries = 0;
    loop {
        let error = match hands.call(call).await {
            Ok(_) | Err(Refused::NotFound(_) | Refused::Conflict(_)) => return Ok(()),
            Err(Refused::NoRoom(error) | Refused::Invalid(error)) => return Err(End::of(&error)),
            Err(Refused::End(end)) => return Err(end),
            Err(Refused::Unknown(error)) => error,
        };
        if !hands.again(tries, &error).await? {
            return Err(End::of(&error));
        }
        tries += 1;
    }
}

/// The destroy was accepted: from here on it counts as gone (rule 31), unless it is seen otherwise.
async fn gone(hands: &Hands<'_>, progress: &mut Progress, id: &MachineId) -> Part {
    hands.waiting("it to be gone", DESTROY);
    match hands
        .wait(id, WaitUntil::Destroyed, Instant::now() + DESTROY)
        .await?
    {
        Waited::Reached(_) | Waited::Gone => {}
        Waited::NotYet(_) => {
            if let Some(machine) = hands.get(id).await?
                && !machine.state.is_gone()
            {
                let message = format!("Machine {id} is still {}", machine.state.as_str());
                progress.machine = Some(machine);
                return Err(End::failed(codes::DESTROY_TIMEOUT, message));
            }
        }
    }
    progress.machine = None;
    Ok(())
}
