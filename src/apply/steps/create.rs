//! Create: one Machine for one intent, never two.

use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use super::update::{Brought, Terms, bring};
use crate::apply::codes;
use crate::apply::ends::{End, Part, Refused};
use crate::apply::gate::{self, Before, Gate};
use crate::apply::hands::Hands;
use crate::apply::settle::{Patience, by_name};
use crate::apply::wanted::{Wanted, watched};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{Call, LaunchId, Machine, MachineState, Until, VolumeId};
use crate::core::plan::{Action, Change, GateKind, StepId};
use crate::provider::codes as answers;

/// How long a Machine that is being destroyed may keep its volume.
const LEAVES: Duration = Duration::from_secs(60);

/// Makes the Machine, or takes the one that an earlier run has made for the same intent, and waits
/// for its gate. A crash or cancel in between leaves a Machine whose name says what it is for.
pub(super) async fn create<'a>(
    hands: &Hands<'a>,
    progress: &mut Progress,
    step: StepId,
    change: &'a Change,
) -> Part {
    let Action::Create {
        launch,
        port,
        standby_for,
        replaces,
        volumes,
        inherits,
    } = &change.action
    else {
        return Err(End::failed(codes::PLAN_MISMATCH, "the step is no create"));
    };
    let standby_for = watched(hands.shared, standby_for)?;
    let wanted = Wanted::of(hands.shared, &change.group, None, volumes, standby_for)?;
    let observed = &hands.shared.job.observed.machines;
    let old = replaces.as_ref().or(inherits.like.as_ref());
    let old = old.and_then(|old| observed.get(old));
    let base = inherits.base(old.and_then(|old| old.config.as_ref()));
    let call = Call::Create(Box::new(CreateCall {
        name: change.machine.name.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        config: wanted.over(Some(&base)),
        stamps: wanted.stamps(Some(launch.as_str())),
        skip_launch: wanted.is_standby(),
        port: *port,
    }));
    freed(hands, volumes).await?;
    let brought = match make(hands, change, &call).await? {
        Made::New(machine) => {
            hands.holds(&machine.id);
            progress.machine = Some(machine);
            Brought {
                before: Before::default(),
                launched: !wanted.is_standby(),
            }
        }
        Made::Found(machine) => take(hands, progress, &wanted, launch, machine).await?,
    };
    progress.sent = Some(wanted.remembered());
    let id = match &progress.machine {
        Some(machine) => machine.id.clone(),
        None => {
            return Err(End::failed(
                answers::MACHINE_FAILED,
                "the Machine is gone again",
            ));
        }
    };
    hands.shared.made.borrow_mut().insert(step, id.clone());
    let gate = Gate {
        id: &id,
        kind: brought.gate(change.gate),
        at_most: Duration::from_secs(wanted.group.wait_timeout_s),
        before: brought.before,
    };
    gate::pass(hands, progress, gate).await
}

enum Made {
    /// This run made it.
    New(Machine),
    /// It was there already, or was made by a call whose answer was lost.
    Found(Machine),
}

/// Waits for Machines on their way out that still have these volumes: a run that died destroyed them.
async fn freed(hands: &Hands<'_>, volumes: &[VolumeId]) -> Part {
    let observed = hands.shared.job.observed;
    let wanted = observed.volumes.iter().filter(|v| volumes.contains(&v.id));
    for holder in wanted.filter_map(|volume| volume.attached_to.as_ref()) {
        let leaves = observed.machines.get(holder);
        if leaves.is_some_and(|machine| machine.state.is_gone()) {
            hands.waiting(format!("{holder} to let its volume go"), LEAVES);
            let deadline = Instant::now() + LEAVES;
            hands.wait(holder, Until::Destroyed, deadline).await?;
        }
    }
    Ok(())
}

async fn make(hands: &Hands<'_>, change: &Change, call: &Call) -> Part<Made> {
    let name = &change.machine.name;
    if let Some(id) = hands.seen_as(name)
        && let Some(machine) = hands.get(id).await?
        && !machine.state.is_gone()
    {
        return Ok(Made::Found(machine));
    }
    let mut tries = 0;
    loop {
        let error = match hands.call(call).await {
            Ok(receipt) => {
                if let Some(machine) = receipt.machine {
                    return Ok(Made::New(machine));
                }
                let found = by_name(hands, name, Patience::UntilListed).await?;
                return found.map(Made::Found).ok_or_else(|| End::Unknown {
                    message: format!("{name} was made, they say, and cannot be found"),
                });
            }
            Err(Refused::End(end)) => return Err(end),
            Err(Refused::NotFound(error) | Refused::Invalid(error)) => return Err(End::of(&error)),
            Err(Refused::Conflict(error)) => {
                let patience = if error.code == answers::ALREADY_EXISTS.name() {
                    Patience::UntilListed
                } else {
                    Patience::Once
                };
                let found = by_name(hands, name, patience).await?;
                return found.map(Made::Found).ok_or_else(|| End::of(&error));
            }
            Err(Refused::Unknown(error)) => error,
        };
        if let Some(machine) = by_name(hands, name, Patience::UntilListed).await? {
            return Ok(Made::Found(machine));
        }
        if !hands.again(tries, &error).await? {
            return Err(End::Unknown {
                message: error.message,
            });
        }
        tries += 1;
    }
}

/// Takes a Machine that bears the intent's name: as it is if it is as wanted, else updated.
async fn take(
    hands: &Hands<'_>,
    progress: &mut Progress,
    wanted: &Wanted<'_>,
    launch: &LaunchId,
    machine: Machine,
) -> Part<Brought> {
    let id = machine.id.clone();
    let terms = Terms {
        pin: None,
        restarts: machine.state == MachineState::Failed,
        anew: false,
        launch: Some(launch),
    };
    progress.machine = Some(machine);
    let mut brought = bring(hands, progress, &id, wanted, &terms).await?;
    let rests = progress
        .machine
        .as_ref()
        .is_some_and(|machine| !machine.state.runs() && !machine.state.is_transient());
    if rests && !wanted.is_standby() {
        match hands.call(&Call::Start { id }).await {
            // Whether it started is the gate's question.
            Ok(_) | Err(Refused::Conflict(_) | Refused::Unknown(_)) => {}
            Err(Refused::NotFound(error) | Refused::Invalid(error)) => return Err(End::of(&error)),
            Err(Refused::End(end)) => return Err(end),
        }
        brought.launched = true;
        brought.before = Before::default();
    }
    Ok(brought)
}

impl Brought {
    /// The gate that holds: a Machine that was left down only has to settle (RULES 23).
    pub(super) fn gate(&self, planned: GateKind) -> GateKind {
        match planned {
            GateKind::Started | GateKind::Healthy if !self.launched => GateKind::Settled,
            GateKind::None
            | GateKind::Settled
            | GateKind::Started
            | GateKind::Healthy
            | GateKind::Gone => planned,
        }
    }
}
