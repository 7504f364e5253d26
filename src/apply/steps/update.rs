//! Update and move: read, check the precondition, merge the config, send (rule 39).

use std::time::Duration;

use super::create::no_capacity_error;
use super::destroy::call_idempotent;
use super::{StepProgress, replace_fallback};
use crate::apply::codes;
use crate::apply::desired_machine::{DesiredMachine, own_launch_id, watched_machines};
use crate::apply::gate::{self, Baseline, CREATED_PATIENCE, Gate};
use crate::apply::platform_additions::SentConfig;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError};
use crate::apply::{conflict, precondition};
use crate::core::fleet::call::UpdateCall;
use crate::core::fleet::{
    Call, LaunchId, Machine, MachineConfig, MachineId, MachineState, Stamps, Strategy,
};
use crate::core::plan::{Action, Change, GateKind, Precondition, Wake};
use crate::provider::ProviderError;

/// How long a Machine may take to settle before it is changed.
pub(super) const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Updates an existing Machine and waits for its gate. A crash or cancel in between leaves the old or the new
/// config, which the next run sees.
pub(super) async fn update<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    change: &'a Change,
) -> PartResult {
    let Some(id) = &change.machine.id else {
        return Err(StepError::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        ));
    };
    let seen = change.precondition.as_ref();
    let standby_for = match &change.action {
        Action::Update { standby_for } | Action::Move { standby_for, .. } => {
            watched_machines(context.shared, standby_for)?
        }
        Action::Create { .. }
        | Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => seen.map(|pin| pin.standby_for.clone()).unwrap_or_default(),
    };
    let volumes = seen.map_or(&[][..], |pin| &pin.volumes);
    let desired = DesiredMachine::new(
        context.shared,
        &change.group,
        Some(id),
        volumes,
        standby_for,
    )?;
    let rests = change.wake.is_none() && change.gate == GateKind::Settled;
    let terms = UpdateTerms {
        precondition: seen,
        must_run: change.changes.is_empty() && matches!(change.action, Action::Update { .. }),
        force_restart: context
            .shared
            .input
            .plan
            .requested
            .restart
            .covers(&change.group),
        at_rest: match change.wake {
            Some(_) => AtRest::Woken,
            None => AtRest::stays_if(rests),
        },
        takes_turn: rests
            && matches!(desired.group.strategy, Strategy::Rolling { .. })
            && !desired.is_standby()
            && !desired.is_scheduled(),
        launch_id: None,
    };
    let updated = match ensure_config(context, progress, id, &desired, &terms).await? {
        UpdateResult::Updated(updated) => updated,
        UpdateResult::NoRoom(error) => {
            return replace_fallback::replace_on_new_host(
                context, progress, change, &desired, error,
            )
            .await;
        }
    };
    if context.has_turn() && updated.launched {
        progress.remarks.push(format!(
            "Machine {id} was stopped when this was planned and had been started since: it was restarted on its own and waited for"
        ));
    }
    if updated.crashed {
        start_crashed(context, progress, id, &desired).await?;
    }
    let rests = !updated.launched;
    let was_woken = updated.crashed && change.wake == Some(Wake::StopAgain);
    let gate = Gate {
        id,
        kind: updated.gate(context.planned_gate(change, desired.group), desired.group),
        at_most: Duration::from_secs(desired.group.wait_timeout_s),
        steady: context.steady(&change.group),
        before: updated.baseline,
    };
    let passed = gate::wait_for_gate(context, progress, gate).await;
    let ended = match passed {
        Ok(()) if change.wake == Some(Wake::StopAgain) => stop_again(context, progress, id).await,
        ended => ended,
    };
    if ended.is_err() && was_woken {
        progress.remarks.push(format!(
            "Machine {id} was stopped before this run, which started it and leaves it running"
        ));
    }
    ended?;
    uncordon_kept(context, id).await?;
    let started = progress.machine.as_ref();
    let started = started.is_some_and(|m| m.state == MachineState::Started);
    if rests && started && !desired.is_standby() {
        progress.remarks.push(format!(
            "Machine {id} was stopped before its update, but the platform started it"
        ));
    }
    Ok(())
}

/// A Machine that a rollback had begun to destroy stays: it gets requests again.
async fn uncordon_kept(context: &StepContext<'_>, id: &MachineId) -> PartResult {
    let seen = context.shared.input.observed.machines.get(id);
    if seen.is_some_and(|seen| seen.cordoned && seen.removal_begun()) {
        call_idempotent(context, &Call::Uncordon { id: id.clone() }).await?;
    }
    Ok(())
}

/// Stops a Machine that was started for its gate alone.
async fn stop_again(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
) -> PartResult {
    call_idempotent(context, &Call::Stop { id: id.clone() }).await?;
    let stopped = context.get(id).await?;
    progress.machine = stopped.or(progress.machine.take());
    Ok(())
}

/// Starts a Machine that had crashed before its update, which the platform leaves stopped. A start sent while
/// it still changes would be lost.
pub(super) async fn start_crashed(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
    desired: &DesiredMachine<'_>,
) -> PartResult {
    let patience = SETTLE_TIMEOUT.max(Duration::from_secs(desired.group.wait_timeout_s));
    context
        .retry(async || {
            let live = context.wait_settled(id, patience).await?;
            let live = live.filter(|live| !live.state.is_gone());
            let live = live.ok_or_else(|| StepError::conflict(format!("{id} is gone")))?;
            let down = !live.state.should_run() && !live.state.is_transient()
                || live.state == MachineState::Created;
            progress.machine = Some(live);
            if !down {
                return Ok(());
            }
            match context.call(&Call::Start { id: id.clone() }).await {
                // Whether it comes up is the gate's question.
                Ok(_) => Ok(()),
                Err(CallError::Conflict(error)) => Err(PartError::conflict(error)),
                Err(CallError::Unknown(error)) => Err(PartError::unknown(error)),
                Err(CallError::NoRoom(error)) => Err(no_capacity_error(&error).into()),
                Err(CallError::NotFound(error) | CallError::Invalid(error)) => {
                    Err(StepError::from_provider(&error).into())
                }
                Err(CallError::Step(end)) => Err(end.into()),
            }
        })
        .await
}

/// The conditions of an update.
pub(super) struct UpdateTerms<'a> {
    /// The precondition.
    pub(super) precondition: Option<&'a Precondition>,
    /// The Machine must run again: an equal config of a failed Machine is not enough.
    pub(super) must_run: bool,
    /// A restart is required: only a call of this run is enough.
    pub(super) force_restart: bool,
    /// What the plan says of a Machine that rests.
    pub(super) at_rest: AtRest,
    /// One that was started since restarts on its turn, and must pass the gate of its group.
    pub(super) takes_turn: bool,
    /// Its intent, if known.
    pub(super) launch_id: Option<&'a LaunchId>,
}

/// What a plan says of a Machine that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtRest {
    /// Nothing: it should run.
    No,
    /// It is stopped and stays so, also one that is `created`.
    Stays,
    /// The change starts it.
    Woken,
}

impl AtRest {
    pub(super) fn stays_if(rests: bool) -> Self {
        if rests { Self::Stays } else { Self::No }
    }
}

/// A Machine with the desired config.
pub(super) struct UpdatedMachine {
    /// The Machine before.
    pub(super) baseline: Baseline,
    /// Whether it should run now.
    pub(super) launched: bool,
    /// It was down after its process exited, or is woken, and this change starts it (rule 23).
    pub(super) crashed: bool,
    /// Whether this run changed it, or may have.
    pub(super) may_have_sent: bool,
}

/// The result of sending a config.
pub(super) enum UpdateResult {
    Updated(UpdatedMachine),
    /// The Machine's host has no capacity; the Machine is unchanged.
    NoRoom(ProviderError),
}

/// Sends the desired config unless the Machine has it, and settles a lost response by reading.
pub(super) async fn ensure_config(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
    desired: &DesiredMachine<'_>,
    terms: &UpdateTerms<'_>,
) -> PartResult<UpdateResult> {
    let patience = SETTLE_TIMEOUT.max(Duration::from_secs(desired.group.wait_timeout_s));
    let created = if terms.at_rest == AtRest::Stays || desired.is_standby() {
        CREATED_PATIENCE
    } else {
        patience
    };
    context.acquire_lease(id).await?;
    let mut update = ConfigUpdate {
        context,
        progress,
        id,
        desired,
        terms,
        patience: (patience, created),
        sent: None,
        lost: Vec::new(),
    };
    let mut live = match update.read_config().await? {
        ConfigState::UpToDate(updated) => return Ok(UpdateResult::Updated(updated)),
        ConfigState::Differs(live) => live,
    };
    context
        .retry(async || {
            let failed = match update.send(&live).await {
                Err(failed @ PartError::Again { .. }) => failed,
                ended => return ended,
            };
            match update.read_config().await? {
                ConfigState::UpToDate(updated) => Ok(UpdateResult::Updated(updated)),
                ConfigState::Differs(now) => {
                    live = now;
                    Err(failed)
                }
            }
        })
        .await
}

/// The result of reading the Machine.
enum ConfigState {
    /// It has the wanted config.
    UpToDate(UpdatedMachine),
    /// It has another one.
    Differs(Box<Machine>),
}

/// Sending a config, with what earlier tries have sent.
struct ConfigUpdate<'u, 'a> {
    context: &'u StepContext<'a>,
    progress: &'u mut StepProgress,
    id: &'u MachineId,
    desired: &'u DesiredMachine<'a>,
    terms: &'u UpdateTerms<'u>,
    /// The timeout for settling, and the one for the state `created`.
    patience: (Duration, Duration),
    /// The last call whose answer was lost.
    sent: Option<UpdatedMachine>,
    /// What the calls had sent whose answers were lost.
    lost: Vec<SentConfig>,
}

impl ConfigUpdate<'_, '_> {
    /// Reads the Machine once it has settled, and takes its turn if it was planned as stopped and runs.
    async fn read_config(&mut self) -> PartResult<ConfigState> {
        let (context, terms) = (self.context, self.terms);
        let differs = match self.read_settled().await? {
            ConfigState::Differs(live)
                if terms.takes_turn && live.state.should_run() && !context.has_turn() =>
            {
                live
            }
            read => return Ok(read),
        };
        let group = differs.group.as_ref().unwrap_or(self.desired.name());
        let at_most = Duration::from_secs(self.desired.group.wait_timeout_s);
        context.take_turn(group, at_most).await?;
        let read = self.read_settled().await?;
        if !matches!(&read, ConfigState::Differs(live) if live.state.should_run()) {
            context.return_turn();
        }
        Ok(read)
    }

    /// Reads the Machine once it has settled.
    async fn read_settled(&mut self) -> PartResult<ConfigState> {
        let (context, id, desired) = (self.context, self.id, self.desired);
        let shared = context.shared;
        let live = context.wait_settled_or_created(id, self.patience).await?;
        let live = live.filter(|live| !live.state.is_gone());
        let live = live.ok_or_else(|| StepError::conflict(format!("{id} is gone")))?;
        self.progress.machine = Some(live.clone());
        for written in &self.lost {
            let run = &shared.input.run.run;
            shared
                .additions
                .record_lost_answer(written, &live, run, shared.lineage());
        }
        if is_up_to_date(context, desired, self.terms, &live, self.sent.is_some()) {
            self.progress.sent_config = Some(desired.stored_config());
            let sent = self.sent.take();
            let unchanged = || UpdatedMachine::unchanged(desired, self.terms, &live);
            let updated = sent.unwrap_or_else(unchanged);
            return Ok(ConfigState::UpToDate(updated));
        }
        check_precondition(context, self.terms, &live).await?;
        Ok(ConfigState::Differs(Box::new(live)))
    }

    /// Makes the call.
    async fn send(&mut self, live: &Machine) -> Result<UpdateResult, PartError> {
        let (context, id, desired) = (self.context, self.id, self.desired);
        context.record_body(live);
        let attempt = UpdatedMachine::to_update(desired, live).woken(self.terms, live);
        let config = desired.config_over(desired.existing_config(live).as_deref());
        let written = desired.sent_config(&config, Some(live));
        let call = update_call(
            (context, desired),
            self.terms,
            live,
            config,
            attempt.launched,
        );
        match context.call(&call).await {
            Ok(receipt) => {
                if let Some(answer) = &receipt.machine {
                    let additions = &context.shared.additions;
                    additions.record_answer(&written, answer, context.shared.lineage());
                }
                self.progress.sent_config = Some(desired.stored_config());
                let answered = receipt.machine;
                let answered = answered.map(|machine| desired.complete_answer(machine));
                self.progress.machine = Some(answered.unwrap_or_else(|| live.clone()));
                Ok(UpdateResult::Updated(attempt))
            }
            Err(CallError::Step(end)) => Err(end.into()),
            Err(CallError::NotFound(_)) => Err(StepError::conflict(format!("{id} is gone")).into()),
            Err(CallError::NoRoom(error)) => Ok(UpdateResult::NoRoom(error)),
            Err(CallError::Invalid(error)) => Err(StepError::from_provider(&error).into()),
            Err(CallError::Conflict(error)) => Err(PartError::conflict(error)),
            Err(CallError::Unknown(error)) => {
                self.sent = Some(attempt);
                self.lost.push(written);
                Err(PartError::unknown(error))
            }
        }
    }
}

/// Whether nothing is left to send: this run sent it, or an earlier one wanted the same and did.
fn is_up_to_date(
    context: &StepContext<'_>,
    desired: &DesiredMachine<'_>,
    terms: &UpdateTerms<'_>,
    live: &Machine,
    called: bool,
) -> bool {
    if !desired.matches(live) {
        return false;
    }
    let job = &context.shared.input;
    let by_us = called && live.stamps.run.as_ref() == Some(&job.run.run);
    let down = terms.must_run && live.state == MachineState::Failed;
    if terms.force_restart {
        return by_us;
    }
    let same_wish = live.stamps.desired.as_ref() == Some(&job.plan.desired);
    by_us || !down && (terms.must_run || terms.precondition.is_none() || same_wish)
}

async fn check_precondition(
    context: &StepContext<'_>,
    terms: &UpdateTerms<'_>,
    live: &Machine,
) -> PartResult {
    if live.config.is_none() {
        let message = format!(
            "the host of {} is unreachable, so its config cannot be read",
            live.id
        );
        return Err(StepError::failed(codes::HOST_SILENT, message));
    }
    let lineage = &context.shared.input.observed.description.scope;
    match terms
        .precondition
        .and_then(|pin| precondition::mismatch(pin, live, lineage))
    {
        Some(message) => Err(conflict::conflict_error(context.shared, live, message).await),
        None => Ok(()),
    }
}

impl UpdatedMachine {
    /// A Machine that needs no change, or only a start.
    fn unchanged(desired: &DesiredMachine<'_>, terms: &UpdateTerms<'_>, live: &Machine) -> Self {
        let updated = Self::to_update(desired, live).woken(terms, live);
        let before = if updated.crashed {
            Baseline::before_start(live)
        } else {
            Baseline::of_unchanged(live)
        };
        Self {
            baseline: before,
            may_have_sent: false,
            ..updated
        }
    }

    /// The same, for a Machine that rests and that the change starts.
    fn woken(self, terms: &UpdateTerms<'_>, live: &Machine) -> Self {
        let starts = terms.at_rest == AtRest::Woken && live.state.is_inactive();
        Self {
            launched: self.launched || starts,
            crashed: self.crashed || starts,
            ..self
        }
    }

    /// The result of a change, decided from the Machine under the lease.
    pub(super) fn to_update(desired: &DesiredMachine<'_>, live: &Machine) -> Self {
        let is_down = matches!(live.state, MachineState::Stopped | MachineState::Stopping)
            || desired.ran_before() == Some(true) && live.state.is_inactive();
        let crashed = is_down
            && (live.has_crashed() && desired.ran_before() != Some(false)
                || desired.must_come_up(live))
            && !desired.is_standby()
            && !desired.is_scheduled();
        Self {
            baseline: Baseline::new(live),
            launched: live.state.should_run() || crashed,
            crashed,
            may_have_sent: true,
        }
    }
}

fn update_call(
    (context, desired): (&StepContext<'_>, &DesiredMachine<'_>),
    terms: &UpdateTerms<'_>,
    live: &Machine,
    config: MachineConfig,
    launches: bool,
) -> Call {
    let launch = terms
        .launch_id
        .map(LaunchId::as_str)
        .or(own_launch_id(live));
    Call::Update(Box::new(UpdateCall {
        id: live.id.clone(),
        group: desired.name().clone(),
        config,
        stamps: Stamps {
            swap: context.open_swap(live),
            ..desired.stamps(launch)
        },
        skip_launch: !launches,
        instance: live.instance.clone(),
    }))
}
