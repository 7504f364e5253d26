//! Create: exactly one Machine per intent; its volumes first.

use std::time::Duration;

use tokio::time::Instant;

use super::StepProgress;
use super::destroy::call_idempotent;
use super::update::{
    AtRest, SETTLE_TIMEOUT, UpdateResult, UpdateTerms, UpdatedMachine, ensure_config, start_crashed,
};
use super::volumes;
use crate::apply::codes;
use crate::apply::desired_machine::{DesiredMachine, watched_machines};
use crate::apply::gate::{self, Baseline, Gate};
use crate::apply::lost_create::{ListPatience, find_created, holder};
use crate::apply::platform_additions::SentConfig;
use crate::apply::run_input::Halt;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::schema::Service;
use crate::core::fleet::{
    Call, DesiredGroup, HostStatus, LaunchId, Machine, MachineConfig, MachineId, MachineName,
    MachineState, Region, Stamps, VolumeId, WaitUntil,
};
use crate::core::plan::codes::STATE_BEHIND;
use crate::core::plan::{Action, Change, GateKind, StepId};
use crate::provider::ProviderError;
use crate::provider::codes as answers;

/// How long a Machine being destroyed may keep its volume and name.
const VOLUME_PATIENCE: Duration = Duration::from_secs(60);

/// Creates the Machine, or uses the one that an earlier run created for the same intent, and waits for its
/// gate. A crash or cancel in between leaves a Machine with an identifying name.
pub(super) async fn create<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    step: StepId,
    change: &'a Change,
) -> PartResult {
    let Action::Create {
        launch,
        port,
        standby_for,
        replaces,
        volumes: _,
        new_volumes: _,
        inherits,
        green,
    } = &change.action
    else {
        let cause = "the step is no create";
        return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
    };
    let standby_for = watched_machines(context.shared, standby_for)?;
    let observed = &context.shared.input.observed.machines;
    let model = change.config_source();
    let old = model.and_then(|old| observed.get(old));
    let base = inherits.base(old);
    let wanting = |volumes: &[VolumeId]| {
        let standby_for = standby_for.clone();
        DesiredMachine::new(context.shared, &change.group, model, volumes, standby_for)
    };
    let without_volumes = wanting(&[])?;
    let inherited =
        InheritedState::of_replaced(context, replaces.as_ref(), &without_volumes).await?;
    let standing = find_existing(context, change).await?;
    let volumes = if let Some(machine) = &standing {
        existing_volumes(machine, change)
    } else {
        let config = without_volumes.config_over(Some(&base));
        resolve_volumes(context, step, change, &config).await?
    };
    let mut desired = wanting(&volumes)?;
    let must_run = green.as_ref().is_some_and(|green| green.must_run);
    let is_to_run = (inherited.runs || must_run) && !desired.is_standby();
    let config = desired.config_over(Some(&base));
    let replaced = replaces.as_ref().and_then(|old| observed.get(old));
    let written = desired.sent_config(&config, replaced);
    let call = Call::Create(Box::new(CreateCall {
        name: change.machine.name.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        config,
        stamps: Stamps {
            swap: green.as_ref().map(|green| green.tag.clone()),
            ..desired.stamps(Some(launch.as_str()))
        },
        skip_launch: !is_to_run,
        // A standby serves nothing, and no switch adds it.
        cordoned: green.is_some() && standby_for.is_empty(),
        without_lease: false,
        port: *port,
    }));
    let result = match standing {
        Some(machine) => CreateResult::Existing(machine),
        None => create_once(context, &change.machine.name, &call).await?,
    };
    result.record_additions(context, &written);
    if let CreateResult::Existing(machine) = &result {
        desired = wanting(&existing_volumes(machine, change))?;
    }
    let (volumes, created_volumes) = (desired.volumes(), &context.shared.created_volumes);
    created_volumes.borrow_mut().insert(step, volumes.to_vec());
    let updated = take_result(context, progress, &desired, result, (launch, is_to_run)).await?;
    progress.sent_config = Some(desired.stored_config());
    let Some(id) = progress.machine.as_ref().map(|machine| machine.id.clone()) else {
        let cause = "the Machine no longer exists";
        return Err(StepError::failed(answers::MACHINE_FAILED, cause));
    };
    check_region(progress, &change.region)?;
    context.shared.created.borrow_mut().insert(step, id.clone());
    let is_cordoned = progress
        .machine
        .as_ref()
        .is_some_and(|machine| machine.cordoned);
    if green.is_some() && is_cordoned {
        check_cordon(context, &id).await?;
    }
    // The switch of its group decides about a green.
    let cordoned = inherited.cordoned && green.is_none();
    wait_for_created(
        context,
        progress,
        change,
        desired.group,
        &id,
        updated,
        cordoned,
    )
    .await?;
    match &progress.machine {
        Some(green_now) if green.is_some() && is_to_run => check_green(green_now, desired.group),
        Some(_) | None => Ok(()),
    }
}

/// A green that somebody has stopped is none that serves. The proxy starts again what it stops.
fn check_green(machine: &Machine, group: &DesiredGroup) -> PartResult {
    let mut services = group.template.services.iter().flatten();
    if machine.state.is_inactive()
        && machine.last_exit().is_some_and(|exit| exit.requested)
        && !services.any(Service::has_autostop)
    {
        let cause = format!("the new Machine {} was stopped by somebody", machine.id);
        return Err(StepError::failed(answers::MACHINE_FAILED, cause));
    }
    Ok(())
}

/// The switch must not be where it is found out that the token may not cordon: the first green is cordoned already, so
/// cordoning it again shows that at no cost.
async fn check_cordon(context: &StepContext<'_>, id: &MachineId) -> PartResult {
    if context.shared.may_cordon.get() {
        return Ok(());
    }
    match context
        .call_if_allowed(&Call::Cordon { id: id.clone() })
        .await
    {
        Err(CallError::Invalid(error)) => Err(StepError::from_provider(&error)),
        Err(CallError::Step(end)) => Err(end),
        // The gate and the switch meet everything else.
        Ok(_)
        | Err(
            CallError::Conflict(_)
            | CallError::NotFound(_)
            | CallError::NoRoom(_)
            | CallError::Unknown(_),
        ) => {
            context.shared.may_cordon.set(true);
            Ok(())
        }
    }
}

/// Takes the Machine of a create: a new one as it is, one that existed with the desired config.
pub(super) async fn take_result<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    desired: &DesiredMachine<'a>,
    result: CreateResult,
    (launch, is_to_run): (&'a LaunchId, bool),
) -> PartResult<UpdatedMachine> {
    match result {
        CreateResult::New(machine) => {
            context.add_lease(&machine.id);
            context.report_created(&machine.id);
            progress.machine = Some(desired.complete_answer(machine));
            Ok(UpdatedMachine {
                baseline: Baseline::default(),
                launched: is_to_run,
                crashed: false,
                may_have_sent: false,
            })
        }
        CreateResult::Existing(machine) => {
            context.report_created(&machine.id);
            let found = ExistingMachine {
                machine,
                launch,
                is_to_run,
            };
            take_existing(context, progress, desired, found).await
        }
    }
}

/// Cordons a new Machine if the replaced one was, and waits for its gate.
pub(super) async fn wait_for_created(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    group: &DesiredGroup,
    id: &MachineId,
    updated: UpdatedMachine,
    cordoned: bool,
) -> PartResult {
    if cordoned {
        call_idempotent(context, &Call::Cordon { id: id.clone() }).await?;
    }
    let gate = Gate {
        id,
        kind: updated.gate(context.planned_gate(change, group), group),
        at_most: Duration::from_secs(group.wait_timeout_s),
        steady: context.steady(&change.group),
        before: updated.baseline,
    };
    gate::wait_for_gate(context, progress, gate).await
}

/// A Machine in another region than requested fails the step; the state records it there.
pub(super) fn check_region(progress: &StepProgress, region: &Region) -> PartResult {
    let machine = progress.machine.as_ref();
    let Some(machine) = machine.filter(|machine| machine.region != *region) else {
        return Ok(());
    };
    let (id, found) = (&machine.id, &machine.region);
    Err(StepError::Failed {
        code: codes::WRONG_REGION.name().to_owned(),
        message: format!("Machine {id} is in {found}, not {region}"),
        hint: Some(format!(
            "the platform chose this region; destroy it with `aeroform machine destroy {id} --force`, or run `aeroform plan`"
        )),
    })
}

/// The initial state of a new Machine: a stopped or cordoned one is replaced by one like it. A Machine that is
/// destroyed first may have been stopped by a crashed run, so its successor runs.
#[derive(Clone, Copy)]
struct InheritedState {
    runs: bool,
    cordoned: bool,
}

impl InheritedState {
    /// That of the replaced Machine, as an update would leave it (rule 23).
    async fn of_replaced(
        context: &StepContext<'_>,
        replaces: Option<&MachineId>,
        desired: &DesiredMachine<'_>,
    ) -> PartResult<Self> {
        let live = match replaces {
            Some(old) => context.get(old).await?,
            None => None,
        };
        // The last state on an unreachable host does not decide.
        let is_present = |old: &Machine| !old.state.is_gone() && old.host == HostStatus::Ok;
        let Some(mut live) = live.filter(is_present) else {
            return Ok(Self {
                runs: true,
                cordoned: false,
            });
        };
        // Whether it was stopped from outside is known only after it stopped.
        if matches!(
            live.state,
            MachineState::Stopping | MachineState::Suspending
        ) && let Some(settled) = context.wait_settled(&live.id, SETTLE_TIMEOUT).await?
        {
            live = settled;
        }
        Ok(Self {
            runs: match live.state {
                // Created without a start, or before its first start.
                MachineState::Created => !desired.is_settled(&live),
                state => !state.is_inactive() || UpdatedMachine::to_update(desired, &live).launched,
            },
            cordoned: live.cordoned,
        })
    }
}

pub(super) enum CreateResult {
    /// Created by this run.
    New(Machine),
    /// It existed, or was created by a call without a response.
    Existing(Machine),
}

impl CreateResult {
    /// Records the platform's additions to the sent config.
    pub(super) fn record_additions(&self, context: &StepContext<'_>, written: &SentConfig) {
        let (echo, lineage) = (&context.shared.additions, context.shared.lineage());
        match self {
            Self::New(machine) => echo.record_answer(written, machine, lineage),
            Self::Existing(machine) => {
                let run = &context.shared.input.run.run;
                echo.record_lost_answer(written, machine, run, lineage);
            }
        }
    }
}

/// The Machine of the intent, if the snapshot has it.
async fn find_existing(context: &StepContext<'_>, change: &Change) -> PartResult<Option<Machine>> {
    let Some(id) = context.observed_id(&change.machine.name) else {
        return Ok(None);
    };
    let machine = context.get(id).await?;
    Ok(machine.filter(|machine| !machine.state.is_gone()))
}

/// Keeps the volumes of an existing Machine: an update neither attaches nor detaches volumes.
fn existing_volumes(machine: &Machine, change: &Change) -> Vec<VolumeId> {
    if machine.volumes.is_empty() {
        return change.taken_volumes().to_vec();
    }
    machine.volumes.clone()
}

/// The volumes of the Machine: reused ones, once free, and created ones.
async fn resolve_volumes(
    context: &StepContext<'_>,
    step: StepId,
    change: &Change,
    config: &MachineConfig,
) -> PartResult<Vec<VolumeId>> {
    let reused = change.taken_volumes();
    wait_volumes_free(context, reused).await?;
    let result =
        volumes::create_volumes(context, step, &change.region, change.new_volumes(), config)
            .await?;
    Ok(reused.iter().cloned().chain(result).collect())
}

/// Waits for Machines being destroyed that still have these volumes: a crashed run destroyed them.
async fn wait_volumes_free(context: &StepContext<'_>, volumes: &[VolumeId]) -> PartResult {
    let observed = context.shared.input.observed;
    let needed = observed.volumes.iter().filter(|v| volumes.contains(&v.id));
    for holder in needed.filter_map(|volume| volume.attached_to.as_ref()) {
        let on_its_way_out = observed.machines.get(holder);
        if on_its_way_out.is_some_and(|machine| machine.state.is_gone()) {
            leaves(context, holder, "its volume").await?;
        }
    }
    Ok(())
}

/// Waits until a Machine being destroyed is gone and its volume and name are free.
async fn leaves(context: &StepContext<'_>, holder: &MachineId, what: &str) -> PartResult {
    context.report_waiting(format!("{holder} to let {what} go"), VOLUME_PATIENCE);
    let deadline = Instant::now() + VOLUME_PATIENCE;
    context.wait(holder, WaitUntil::Destroyed, deadline).await?;
    Ok(())
}

/// Creates the Machine with this name, unless it exists.
pub(super) async fn create_once(
    context: &StepContext<'_>,
    name: &MachineName,
    call: &Call,
) -> PartResult<CreateResult> {
    if let Some(id) = context.observed_id(name)
        && let Some(machine) = context.get(id).await?
        && !machine.state.is_gone()
    {
        return Ok(CreateResult::Existing(machine));
    }
    context
        .retry(async || create_unless_there(context, name, call).await)
        .await
}

/// Makes one create, and finds out what became of it where its answer does not say that.
async fn create_unless_there(
    context: &StepContext<'_>,
    name: &MachineName,
    call: &Call,
) -> Result<CreateResult, PartError> {
    let error = match context.call(call).await {
        Ok(receipt) => {
            if let Some(machine) = receipt.machine {
                return Ok(CreateResult::New(machine));
            }
            let found = find_created(context, name, ListPatience::UntilListed).await?;
            let found = found.map(CreateResult::Existing);
            return Ok(found.ok_or_else(|| StepError::Unknown {
                message: format!("{name} was reported as created, but it is not listed"),
            })?);
        }
        Err(CallError::Step(end)) => return Err(end.into()),
        Err(CallError::NotFound(error) | CallError::Invalid(error)) => {
            return Err(StepError::from_provider(&error).into());
        }
        Err(CallError::NoRoom(error)) => return Err(no_capacity_error(&error).into()),
        Err(CallError::Conflict(error)) if error.code == answers::ALREADY_EXISTS.name() => {
            if let Some(machine) = holder(context, name).await? {
                if !machine.state.is_gone() {
                    refuse_other_run(context, &machine)?;
                    return Ok(CreateResult::Existing(machine));
                }
                // A crashed run destroyed its Machine; the name is taken until that is gone.
                leaves(context, &machine.id, "its name").await?;
            }
            // A list that lacks the Machine longer than most is no reason to give up: as long as the name is
            // taken no second one is made.
            let otherwise = create_error(&error);
            return Err(PartError::Again { error, otherwise });
        }
        Err(CallError::Conflict(error)) => {
            if let Some(machine) = find_created(context, name, ListPatience::Once).await? {
                refuse_other_run(context, &machine)?;
                return Ok(CreateResult::Existing(machine));
            }
            // The platform frees the volume of a Machine that is gone a moment later.
            let otherwise = create_error(&error);
            return Err(if volumes_become_free(context, call, &error) {
                PartError::Again { error, otherwise }
            } else {
                otherwise.into()
            });
        }
        Err(CallError::Unknown(error)) => error,
    };
    if let Some(machine) = find_created(context, name, ListPatience::UntilListed).await? {
        refuse_other_run(context, &machine)?;
        return Ok(CreateResult::Existing(machine));
    }
    Err(PartError::unknown(error))
}

/// Refuses a Machine with this run's name that did not exist in the snapshot and that another run created for
/// another purpose: two runs that start together derive equal names, and must not change each other's Machines
/// (rules 4, 12).
fn refuse_other_run(context: &StepContext<'_>, machine: &Machine) -> PartResult {
    let (job, stamps) = (&context.shared.input, &machine.stamps);
    let Some(run) = stamps.run.as_ref().filter(|run| **run != job.run.run) else {
        return Ok(());
    };
    if stamps.desired.is_none() || stamps.desired.as_ref() == Some(&job.plan.desired) {
        return Ok(());
    }
    let by = stamps.by.as_ref().map(|by| format!(" by {by}"));
    let message = format!(
        "run {run}{} made {} ({}) meanwhile, for another purpose than this run",
        by.unwrap_or_default(),
        machine.id,
        machine.name
    );
    context.shared.halt(Halt::StateBehind(message.clone()));
    Err(StepError::Failed {
        code: STATE_BEHIND.name().to_owned(),
        message,
        hint: Some(
            "`aeroform plan` shows the Machines of that run; get the state that it writes before you apply again"
                .to_owned(),
        ),
    })
}

/// Whether no remaining Machine claims these volumes.
fn volumes_become_free(context: &StepContext<'_>, call: &Call, error: &ProviderError) -> bool {
    let Call::Create(create) = call else {
        return false;
    };
    if error.code != answers::VOLUME_CLAIMED.name() {
        return false;
    }
    let mounts = create.config.mounts.iter().flatten();
    let mounted: Vec<&str> = mounts.filter_map(|mount| mount.volume.as_deref()).collect();
    let all = context.shared.input.observed.volumes.iter();
    let mine = all.filter(|volume| mounted.contains(&volume.id.as_str()));
    let mut holders = mine.filter_map(|volume| volume.attached_to.as_ref());
    // The id of a destroyed holder is written as NUL characters (docs/platform/machines-api.md 1.7).
    error.message.contains('\0') || holders.any(|holder| error.message.contains(holder.as_str()))
}

fn create_error(error: &ProviderError) -> StepError {
    if error.code == answers::VOLUME_CLAIMED.name() {
        return StepError::Failed {
            code: error.code.to_owned(),
            message: error.message.clone(),
            hint: Some(
                "run the command again, which uses another volume or creates one".to_owned(),
            ),
        };
    }
    StepError::from_provider(error)
}

/// No capacity in the region, or on the volume's host.
pub(super) fn no_capacity_error(error: &ProviderError) -> StepError {
    StepError::Failed {
        code: error.code.to_owned(),
        message: error.message.clone(),
        hint: Some("apply again later, or with a smaller size or another region".to_owned()),
    }
}

/// A Machine with the name of an intent.
pub(super) struct ExistingMachine<'a> {
    pub(super) machine: Machine,
    pub(super) launch: &'a LaunchId,
    /// Whether the intent starts it.
    pub(super) is_to_run: bool,
}

/// Uses a Machine with the intent's name: unchanged if it is up to date, otherwise updated.
pub(super) async fn take_existing(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    desired: &DesiredMachine<'_>,
    found: ExistingMachine<'_>,
) -> PartResult<UpdatedMachine> {
    let ExistingMachine {
        machine,
        launch,
        is_to_run,
    } = found;
    let id = machine.id.clone();
    let terms = UpdateTerms {
        precondition: None,
        must_run: machine.state == MachineState::Failed,
        force_restart: false,
        at_rest: AtRest::stays_if(!is_to_run),
        takes_turn: false,
        launch_id: Some(launch),
    };
    let before = Baseline::before_start(&machine);
    progress.machine = Some(machine);
    let mut updated = match ensure_config(context, progress, &id, desired, &terms).await? {
        UpdateResult::Updated(updated) => updated,
        UpdateResult::NoRoom(error) => return Err(no_capacity_error(&error)),
    };
    progress.updated = updated.may_have_sent;
    if is_to_run && (updated.crashed || !updated.launched) {
        start_crashed(context, progress, &id, desired).await?;
        if !updated.baseline.is_new_instance() {
            updated.baseline = before;
        }
        updated.launched = true;
    }
    Ok(updated)
}

impl UpdatedMachine {
    /// Its gate: a Machine that stays stopped only has to settle, a crashed one has to start (rule 23).
    pub(super) fn gate(&self, planned: GateKind, group: &DesiredGroup) -> GateKind {
        match planned {
            GateKind::Started | GateKind::Healthy if !self.launched => GateKind::Settled,
            GateKind::Settled if self.crashed => crate::core::plan::gate(group),
            GateKind::None
            | GateKind::Settled
            | GateKind::Started
            | GateKind::Healthy
            | GateKind::Gone
            | GateKind::Ended => planned,
        }
    }
}
