//! Create: one Machine for one intent, never two; its volumes before it.

use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use super::destroy::repeatable;
use super::update::{Brought, SETTLE, Sent, Terms, bring, start};
use super::volumes;
use crate::apply::codes;
use crate::apply::echo::Written;
use crate::apply::ends::{End, Part, Refused};
use crate::apply::gate::{self, Before, Gate};
use crate::apply::hands::Hands;
use crate::apply::job::Halt;
use crate::apply::settle::{Patience, by_name, holder};
use crate::apply::wanted::{Wanted, watched};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{
    Call, DesiredGroup, HostStatus, LaunchId, Machine, MachineConfig, MachineId, MachineName,
    MachineState, Region, VolumeId, WaitUntil,
};
use crate::core::plan::codes::STATE_BEHIND;
use crate::core::plan::{Action, Change, GateKind, StepId};
use crate::provider::ProviderError;
use crate::provider::codes as answers;

/// How long a Machine that is being destroyed may keep its volume and its name.
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
        volumes: _,
        new_volumes: _,
        inherits,
    } = &change.action
    else {
        return Err(End::failed(codes::PLAN_MISMATCH, "the step is no create"));
    };
    let standby_for = watched(hands.shared, standby_for)?;
    let observed = &hands.shared.job.observed.machines;
    let model = change.config_source();
    let old = model.and_then(|old| observed.get(old));
    let base = inherits.base(old);
    let wanting = |volumes: &[VolumeId]| {
        let standby_for = standby_for.clone();
        Wanted::of(hands.shared, &change.group, model, volumes, standby_for)
    };
    let bearing = Bearing::of(hands, replaces.as_ref(), &wanting(&[])?).await?;
    let standing = standing(hands, change).await?;
    let volumes = match &standing {
        Some(machine) => its_volumes(machine, change),
        None => equipped(hands, step, change, &wanting(&[])?.over(Some(&base))).await?,
    };
    let mut wanted = wanting(&volumes)?;
    let is_to_run = bearing.runs && !wanted.is_standby();
    let config = wanted.over(Some(&base));
    let replaced = replaces.as_ref().and_then(|old| observed.get(old));
    let written = wanted.written(&config, replaced);
    let call = Call::Create(Box::new(CreateCall {
        name: change.machine.name.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        config,
        stamps: wanted.stamps(Some(launch.as_str())),
        skip_launch: !is_to_run,
        port: *port,
    }));
    let made = match standing {
        Some(machine) => Made::Found(machine),
        None => make(hands, &change.machine.name, &call).await?,
    };
    made.read(hands, &written);
    if let Made::Found(machine) = &made {
        wanted = wanting(&its_volumes(machine, change))?;
    }
    let mounted = wanted.volumes().to_vec();
    hands.shared.mounted.borrow_mut().insert(step, mounted);
    let brought = match made {
        Made::New(machine) => {
            hands.holds(&machine.id);
            hands.made(&machine.id);
            progress.machine = Some(wanted.answered(machine));
            Brought {
                before: Before::default(),
                launched: is_to_run,
                crashed: false,
                sent: false,
            }
        }
        Made::Found(machine) => {
            hands.made(&machine.id);
            let found = Found {
                machine,
                launch,
                is_to_run,
            };
            take(hands, progress, &wanted, found).await?
        }
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
    placed(progress, &change.region)?;
    hands.shared.made.borrow_mut().insert(step, id.clone());
    if bearing.cordoned {
        repeatable(hands, &Call::Cordon { id: id.clone() }).await?;
    }
    let gate = Gate {
        id: &id,
        kind: brought.gate(change.gate, wanted.group),
        at_most: Duration::from_secs(wanted.group.wait_timeout_s),
        steady: hands.steady(&change.group),
        before: brought.before,
    };
    gate::pass(hands, progress, gate).await
}

/// Nothing goes on with a Machine that is somewhere else than was asked for; it is remembered where it is.
pub(super) fn placed(progress: &Progress, region: &Region) -> Part {
    let machine = progress.machine.as_ref();
    let Some(machine) = machine.filter(|machine| machine.region != *region) else {
        return Ok(());
    };
    let (id, found) = (&machine.id, &machine.region);
    Err(End::Failed {
        code: codes::WRONG_REGION.name().to_owned(),
        message: format!("Machine {id} is in {found}, not {region}"),
        hint: Some(format!(
            "the platform has put it there; `aeroform machine destroy {id} --force` takes it away, and `aeroform \
             plan` says what an apply would do now"
        )),
    })
}

/// How a new Machine stands there: one that rests or is out of rotation is replaced by one that is, too.
/// One that is destroyed first may have been stopped by a run that died on the way, so its successor runs.
#[derive(Clone, Copy)]
struct Bearing {
    runs: bool,
    cordoned: bool,
}

impl Bearing {
    /// That of the Machine whose place it takes, as an update would leave that one (rule 23).
    async fn of(
        hands: &Hands<'_>,
        replaces: Option<&MachineId>,
        wanted: &Wanted<'_>,
    ) -> Part<Self> {
        let live = match replaces {
            Some(old) => hands.get(old).await?,
            None => None,
        };
        // What a host that does not answer said last says nothing of what is to be.
        let is_told = |old: &Machine| !old.state.is_gone() && old.host == HostStatus::Ok;
        let Some(mut live) = live.filter(is_told) else {
            return Ok(Self {
                runs: true,
                cordoned: false,
            });
        };
        // Only once it has stopped it shows whether somebody has stopped it.
        if matches!(
            live.state,
            MachineState::Stopping | MachineState::Suspending
        ) && let Some(settled) = hands.settled(&live.id, SETTLE).await?
        {
            live = settled;
        }
        Ok(Self {
            runs: match live.state {
                // Without being started on purpose, or on its way to its first start.
                MachineState::Created => !wanted.is_settled(&live),
                state => !state.is_inactive() || Brought::of(wanted, &live).launched,
            },
            cordoned: live.cordoned,
        })
    }
}

pub(super) enum Made {
    /// This run made it.
    New(Machine),
    /// It was there already, or was made by a call whose answer was lost.
    Found(Machine),
}

impl Made {
    /// Looks at what the platform has added by itself to what was sent.
    pub(super) fn read(&self, hands: &Hands<'_>, written: &Written) {
        let (echo, lineage) = (&hands.shared.echo, hands.shared.lineage());
        match self {
            Self::New(machine) => echo.wrote(written, machine, lineage),
            Self::Found(machine) => {
                let run = &hands.shared.job.run.run;
                echo.settle(written, machine, run, lineage);
            }
        }
    }
}

/// The Machine of the intent, where the snapshot has one already.
async fn standing(hands: &Hands<'_>, change: &Change) -> Part<Option<Machine>> {
    let Some(id) = hands.seen_as(&change.machine.name) else {
        return Ok(None);
    };
    let machine = hands.get(id).await?;
    Ok(machine.filter(|machine| !machine.state.is_gone()))
}

/// What a Machine that is there keeps: no update attaches or takes away a volume.
fn its_volumes(machine: &Machine, change: &Change) -> Vec<VolumeId> {
    if machine.volumes.is_empty() {
        return change.taken_volumes().to_vec();
    }
    machine.volumes.clone()
}

/// The volumes that the Machine gets: those that it takes, once they are free, and those that are made
/// for it.
async fn equipped(
    hands: &Hands<'_>,
    step: StepId,
    change: &Change,
    config: &MachineConfig,
) -> Part<Vec<VolumeId>> {
    let taken = change.taken_volumes();
    freed(hands, taken).await?;
    let made = volumes::make(hands, step, &change.region, change.new_volumes(), config).await?;
    Ok(taken.iter().cloned().chain(made).collect())
}

/// Waits for Machines on their way out that still have these volumes: a run that died destroyed them.
async fn freed(hands: &Hands<'_>, volumes: &[VolumeId]) -> Part {
    let observed = hands.shared.job.observed;
    let wanted = observed.volumes.iter().filter(|v| volumes.contains(&v.id));
    for holder in wanted.filter_map(|volume| volume.attached_to.as_ref()) {
        let on_its_way_out = observed.machines.get(holder);
        if on_its_way_out.is_some_and(|machine| machine.state.is_gone()) {
            leaves(hands, holder, "its volume").await?;
        }
    }
    Ok(())
}

/// Waits until a Machine that is on its way out is gone, and what it holds is free.
async fn leaves(hands: &Hands<'_>, holder: &MachineId, what: &str) -> Part {
    hands.waiting(format!("{holder} to let {what} go"), LEAVES);
    let deadline = Instant::now() + LEAVES;
    hands.wait(holder, WaitUntil::Destroyed, deadline).await?;
    Ok(())
}

/// Makes the Machine of this name, unless it is there.
pub(super) async fn make(hands: &Hands<'_>, name: &MachineName, call: &Call) -> Part<Made> {
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
            Err(Refused::NoRoom(error)) => return Err(full(&error)),
            Err(Refused::Conflict(error)) if error.code == answers::ALREADY_EXISTS.name() => {
                if let Some(machine) = holder(hands, name).await? {
                    if !machine.state.is_gone() {
                        not_of_another_run(hands, &machine)?;
                        return Ok(Made::Found(machine));
                    }
                    // A run that died destroyed what it had made, and the name is taken until that is gone.
                    leaves(hands, &machine.id, "its name").await?;
                }
                // A list that lacks the Machine longer than most is no reason to give up: as long as the name is
                // taken no second one is made.
                if !hands.again(tries, &error).await? {
                    return Err(refused(&error));
                }
                tries += 1;
                continue;
            }
            Err(Refused::Conflict(error)) => {
                if let Some(machine) = by_name(hands, name, Patience::Once).await? {
                    not_of_another_run(hands, &machine)?;
                    return Ok(Made::Found(machine));
                }
                // The platform frees the volume of a Machine that is gone a moment later.
                if !lets_go(hands, call, &error) || !hands.again(tries, &error).await? {
                    return Err(refused(&error));
                }
                tries += 1;
                continue;
            }
            Err(Refused::Unknown(error)) => error,
        };
        if let Some(machine) = by_name(hands, name, Patience::UntilListed).await? {
            not_of_another_run(hands, &machine)?;
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

/// Refuses a Machine of this run's name that was not there when the run looked, where another run made it
/// for something else: two runs that begin together derive the same names, and what one of them wants is
/// not for the other to change (rules 4, 12).
fn not_of_another_run(hands: &Hands<'_>, machine: &Machine) -> Part {
    let (job, stamps) = (&hands.shared.job, &machine.stamps);
    let Some(run) = stamps.run.as_ref().filter(|run| **run != job.run.run) else {
        return Ok(());
    };
    if stamps.desired.is_none() || stamps.desired.as_ref() == Some(&job.plan.desired) {
        return Ok(());
    }
    let by = stamps.by.as_ref().map(|by| format!(" by {by}"));
    let message = format!(
        "run {run}{} made {} ({}) meanwhile, for something else than this run wants",
        by.unwrap_or_default(),
        machine.id,
        machine.name
    );
    hands.shared.halt(Halt::StateBehind(message.clone()));
    Err(End::Failed {
        code: STATE_BEHIND.name().to_owned(),
        message,
        hint: Some(
            "`aeroform plan` shows what that run made; get the state that it writes before you apply again"
                .to_owned(),
        ),
    })
}

/// Whether the volumes of this create are claimed by nobody that stays.
fn lets_go(hands: &Hands<'_>, call: &Call, error: &ProviderError) -> bool {
    let Call::Create(create) = call else {
        return false;
    };
    if error.code != answers::VOLUME_CLAIMED.name() {
        return false;
    }
    let mounts = create.config.mounts.iter().flatten();
    let wanted: Vec<&str> = mounts.filter_map(|mount| mount.volume.as_deref()).collect();
    let all = hands.shared.job.observed.volumes.iter();
    let mine = all.filter(|volume| wanted.contains(&volume.id.as_str()));
    let mut holders = mine.filter_map(|volume| volume.attached_to.as_ref());
    // The id of a holder that is destroyed already is written as NUL characters
    // (docs/platform/machines-api.md 1.7).
    error.message.contains('\0') || holders.any(|holder| error.message.contains(holder.as_str()))
}

fn refused(error: &ProviderError) -> End {
    if error.code == answers::VOLUME_CLAIMED.name() {
        return End::Failed {
            code: error.code.to_owned(),
            message: error.message.clone(),
            hint: Some("run the command again: it takes another volume, or makes one".to_owned()),
        };
    }
    End::of(error)
}

/// No host of the region has room, or the one that a volume is on has none.
pub(super) fn full(error: &ProviderError) -> End {
    End::Failed {
        code: error.code.to_owned(),
        message: error.message.clone(),
        hint: Some("apply again later, or with a smaller size or another region".to_owned()),
    }
}

/// A Machine that bears the name of an intent.
pub(super) struct Found<'a> {
    pub(super) machine: Machine,
    pub(super) launch: &'a LaunchId,
    /// Whether the intent wants it started.
    pub(super) is_to_run: bool,
}

/// Takes a Machine that bears the intent's name: as it is if it is as wanted, else updated.
pub(super) async fn take(
    hands: &Hands<'_>,
    progress: &mut Progress,
    wanted: &Wanted<'_>,
    found: Found<'_>,
) -> Part<Brought> {
    let Found {
        machine,
        launch,
        is_to_run,
    } = found;
    let id = machine.id.clone();
    let terms = Terms {
        pin: None,
        restarts: machine.state == MachineState::Failed,
        anew: false,
        rests: !is_to_run,
        launch: Some(launch),
    };
    let before = Before::on_its_way(&machine);
    progress.machine = Some(machine);
    let mut brought = match bring(hands, progress, &id, wanted, &terms).await? {
        Sent::Brought(brought) => brought,
        Sent::NoRoom(error) => return Err(full(&error)),
    };
    progress.updated = brought.sent;
    if is_to_run && (brought.crashed || !brought.launched) {
        start(hands, progress, &id, wanted).await?;
        if !brought.before.is_of_a_change() {
            brought.before = before;
        }
        brought.launched = true;
    }
    Ok(brought)
}

impl Brought {
    /// The gate that holds: a Machine that was left down only has to settle, and one that had crashed has to
    /// come up (rule 23).
    pub(super) fn gate(&self, planned: GateKind, group: &DesiredGroup) -> GateKind {
        match planned {
            GateKind::Started | GateKind::Healthy if !self.launched => GateKind::Settled,
            GateKind::Settled if self.crashed => crate::core::plan::gate(group),
            GateKind::None
            | GateKind::Settled
            | GateKind::Started
            | GateKind::Healthy
            | GateKind::Gone => planned,
        }
    }
}
