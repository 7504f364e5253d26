//! Update and move: read, check the pin, lay ours over what is there, send (rule 39).

use std::time::Duration;

use super::create::full;
use super::{Progress, instead};
use crate::apply::codes;
use crate::apply::echo::Written;
use crate::apply::ends::{End, Part, Refused};
use crate::apply::gate::{self, Before, Gate, STAYS_CREATED};
use crate::apply::hands::Hands;
use crate::apply::wanted::{Wanted, own_launch, watched};
use crate::apply::{others, pin};
use crate::core::fleet::call::UpdateCall;
use crate::core::fleet::{Call, LaunchId, Machine, MachineConfig, MachineId, MachineState};
use crate::core::plan::{Action, Change, GateKind, Precondition};
use crate::provider::ProviderError;

/// How long a Machine may take to settle before it is touched.
pub(super) const SETTLE: Duration = Duration::from_secs(60);

/// Brings an existing Machine to what is wanted and waits for its gate. A crash or cancel in between
/// leaves the old config or the new one, which the next run sees.
pub(super) async fn update<'a>(
    hands: &Hands<'a>,
    progress: &mut Progress,
    change: &'a Change,
) -> Part {
    let Some(id) = &change.machine.id else {
        return Err(End::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        ));
    };
    let seen = change.precondition.as_ref();
    let standby_for = match &change.action {
        Action::Update { standby_for } | Action::Move { standby_for, .. } => {
            watched(hands.shared, standby_for)?
        }
        Action::Create { .. }
        | Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget => seen.map(|pin| pin.standby_for.clone()).unwrap_or_default(),
    };
    let volumes = seen.map_or(&[][..], |pin| &pin.volumes);
    let wanted = Wanted::of(hands.shared, &change.group, Some(id), volumes, standby_for)?;
    let terms = Terms {
        pin: seen,
        restarts: change.changes.is_empty() && matches!(change.action, Action::Update { .. }),
        anew: hands
            .shared
            .job
            .plan
            .requested
            .restart
            .covers(&change.group),
        rests: change.gate == GateKind::Settled,
        launch: None,
    };
    let brought = match bring(hands, progress, id, &wanted, &terms).await? {
        Sent::Brought(brought) => brought,
        Sent::NoRoom(error) => {
            return instead::replace(hands, progress, change, &wanted, error).await;
        }
    };
    if brought.crashed {
        start(hands, progress, id, &wanted).await?;
    }
    let rests = !brought.launched;
    let gate = Gate {
        id,
        kind: brought.gate(change.gate, wanted.group),
        at_most: Duration::from_secs(wanted.group.wait_timeout_s),
        steady: hands.steady(&change.group),
        before: brought.before,
    };
    gate::pass(hands, progress, gate).await?;
    let started = progress.machine.as_ref();
    let started = started.is_some_and(|m| m.state == MachineState::Started);
    if rests && started && !wanted.is_standby() {
        progress.remarks.push(format!(
            "Machine {id} was stopped when it was updated, and the platform has started it"
        ));
    }
    Ok(())
}

/// Starts a Machine that had crashed before its update: the platform leaves stopped what was stopped. A start
/// that is sent while it still changes would be lost.
pub(super) async fn start(
    hands: &Hands<'_>,
    progress: &mut Progress,
    id: &MachineId,
    wanted: &Wanted<'_>,
) -> Part {
    let patience = SETTLE.max(Duration::from_secs(wanted.group.wait_timeout_s));
    let mut tries = 0;
    loop {
        let live = hands.settled(id, patience).await?;
        let live = live.filter(|live| !live.state.is_gone());
        let live = live.ok_or_else(|| End::conflict(format!("{id} is gone")))?;
        let down = !live.state.should_run() && !live.state.is_transient()
            || live.state == MachineState::Created;
        progress.machine = Some(live);
        if !down {
            return Ok(());
        }
        let (lost, error) = match hands.call(&Call::Start { id: id.clone() }).await {
            // Whether it comes up is the gate's question.
            Ok(_) => return Ok(()),
            Err(Refused::Conflict(error)) => (Lost::No, error),
            Err(Refused::Unknown(error)) => (Lost::Maybe, error),
            Err(Refused::NoRoom(error)) => return Err(full(&error)),
            Err(Refused::NotFound(error) | Refused::Invalid(error)) => return Err(End::of(&error)),
            Err(Refused::End(end)) => return Err(end),
        };
        if !hands.again(tries, &error).await? {
            return Err(lost.end(error));
        }
        tries += 1;
    }
}

/// On which terms a Machine may be touched.
pub(super) struct Terms<'a> {
    /// What must still be true of it.
    pub(super) pin: Option<&'a Precondition>,
    /// The point is that it runs again: an equal config of a failed Machine is not enough.
    pub(super) restarts: bool,
    /// It is to start anew whatever it has: only a call of this run is enough.
    pub(super) anew: bool,
    /// It is at rest by the plan, and one that is `created` may be so for good.
    pub(super) rests: bool,
    /// The intent that it answers, where the caller knows.
    pub(super) launch: Option<&'a LaunchId>,
}

/// A Machine that has the wanted config.
pub(super) struct Brought {
    /// What it showed before.
    pub(super) before: Before,
    /// Whether it is meant to run now.
    pub(super) launched: bool,
    /// It was down since its process had ended by itself, and is started by this change (rule 23).
    pub(super) crashed: bool,
    /// Whether this run sent it something, or may have.
    pub(super) sent: bool,
}

/// What sending a config came to.
pub(super) enum Sent {
    Brought(Brought),
    /// The Machine's host has no room for it; the Machine is as it was.
    NoRoom(ProviderError),
}

/// Sends the wanted config unless the Machine has it, and settles a lost answer by reading.
pub(super) async fn bring(
    hands: &Hands<'_>,
    progress: &mut Progress,
    id: &MachineId,
    wanted: &Wanted<'_>,
    terms: &Terms<'_>,
) -> Part<Sent> {
    let patience = SETTLE.max(Duration::from_secs(wanted.group.wait_timeout_s));
    let created = if terms.rests || wanted.is_standby() {
        STAYS_CREATED
    } else {
        patience
    };
    hands.lease(id).await?;
    let mut sent: Option<Brought> = None;
    let mut open: Option<(Lost, ProviderError)> = None;
    let mut lost: Vec<Written> = Vec::new();
    let (shared, lineage) = (hands.shared, hands.shared.lineage());
    let mut tries = 0;
    loop {
        let live = hands.settled_or_created(id, (patience, created)).await?;
        let live = live.filter(|live| !live.state.is_gone());
        let live = live.ok_or_else(|| End::conflict(format!("{id} is gone")))?;
        progress.machine = Some(live.clone());
        for written in &lost {
            let run = &shared.job.run.run;
            shared.echo.settle(written, &live, run, lineage);
        }
        if is_brought(hands, wanted, terms, &live, sent.is_some()) {
            progress.sent = Some(wanted.remembered());
            return Ok(Sent::Brought(
                sent.unwrap_or_else(|| Brought::already(wanted, &live)),
            ));
        }
        check(hands, terms, &live).await?;
        if let Some((lost, error)) = open.take() {
            if !hands.again(tries, &error).await? {
                return Err(lost.end(error));
            }
            tries += 1;
        }
        let attempt = Brought::of(wanted, &live);
        let config = wanted.over(wanted.there(&live).as_deref());
        let written = wanted.written(&config, Some(&live));
        let call = call(wanted, terms, &live, config, attempt.launched);
        match hands.call(&call).await {
            Ok(receipt) => {
                if let Some(answer) = &receipt.machine {
                    shared.echo.wrote(&written, answer, lineage);
                }
                progress.sent = Some(wanted.remembered());
                let answered = receipt.machine.map(|machine| wanted.answered(machine));
                progress.machine = Some(answered.unwrap_or(live));
                return Ok(Sent::Brought(attempt));
            }
            Err(Refused::End(end)) => return Err(end),
            Err(Refused::NotFound(_)) => return Err(End::conflict(format!("{id} is gone"))),
            Err(Refused::NoRoom(error)) => return Ok(Sent::NoRoom(error)),
            Err(Refused::Invalid(error)) => return Err(End::of(&error)),
            Err(Refused::Conflict(error)) => open = Some((Lost::No, error)),
            Err(Refused::Unknown(error)) => {
                open = Some((Lost::Maybe, error));
                sent = Some(attempt);
                lost.push(written);
            }
        }
    }
}

/// Whether a call that did not succeed may have done its work.
enum Lost {
    No,
    Maybe,
}

impl Lost {
    fn end(self, error: ProviderError) -> End {
        match self {
            Self::No => End::conflict(error.message),
            Self::Maybe => End::Unknown {
                message: error.message,
            },
        }
    }
}

/// Whether nothing is left to send: this run sent it, or an earlier one wanted the same and did.
fn is_brought(
    hands: &Hands<'_>,
    wanted: &Wanted<'_>,
    terms: &Terms<'_>,
    live: &Machine,
    called: bool,
) -> bool {
    if !wanted.is_so(live) {
        return false;
    }
    let job = &hands.shared.job;
    let by_us = called && live.stamps.run.as_ref() == Some(&job.run.run);
    let down = terms.restarts && live.state == MachineState::Failed;
    if terms.anew {
        return by_us;
    }
    let same_wish = live.stamps.desired.as_ref() == Some(&job.plan.desired);
    by_us || !down && (terms.restarts || terms.pin.is_none() || same_wish)
}

async fn check(hands: &Hands<'_>, terms: &Terms<'_>, live: &Machine) -> Part {
    if live.config.is_none() {
        let message = format!(
            "the host of {} does not answer, its config cannot be read",
            live.id
        );
        return Err(End::failed(codes::HOST_SILENT, message));
    }
    let lineage = &hands.shared.job.observed.description.scope;
    match terms.pin.and_then(|pin| pin::mismatch(pin, live, lineage)) {
        Some(message) => Err(others::conflict(hands.shared, live, message).await),
        None => Ok(()),
    }
}

impl Brought {
    /// A Machine that needs no change, or only a start.
    fn already(wanted: &Wanted<'_>, live: &Machine) -> Self {
        let brought = Self::of(wanted, live);
        let before = if brought.crashed {
            Before::on_its_way(live)
        } else {
            Before::untouched(live)
        };
        Self {
            before,
            sent: false,
            ..brought
        }
    }

    /// What becomes of a Machine that is changed now: decided from what it is under the lease.
    pub(super) fn of(wanted: &Wanted<'_>, live: &Machine) -> Self {
        let crashed = live.state == MachineState::Stopped
            && (live.has_crashed() || wanted.is_to_come_up(live))
            && !wanted.is_standby()
            && !wanted.is_scheduled();
        Self {
            before: Before::of(live),
            launched: live.state.should_run() || crashed,
            crashed,
            sent: true,
        }
    }
}

fn call(
    wanted: &Wanted<'_>,
    terms: &Terms<'_>,
    live: &Machine,
    config: MachineConfig,
    launches: bool,
) -> Call {
    let launch = terms.launch.map(LaunchId::as_str).or(own_launch(live));
    Call::Update(Box::new(UpdateCall {
        id: live.id.clone(),
        group: wanted.name().clone(),
        config,
        stamps: wanted.stamps(launch),
        skip_launch: !launches,
        instance: live.instance.clone(),
    }))
}
