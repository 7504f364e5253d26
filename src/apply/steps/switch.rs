//! The switch of a swap: the greens of a group are added to the proxy's load balancing, its blues are marked, and the
//! greens are watched before a blue goes.
//!
//! Its row in the journal comes before its first call: from there on nothing destroys a green. It destroys and cordons
//! nothing itself.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::StepProgress;
use crate::apply::codes;
use crate::apply::desired_machine::watched_machines;
use crate::apply::run_input::Halt;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError};
use crate::core::fleet::{
    Call, CheckState, CheckStatus, Exit, HostStatus, Machine, MachineId, MachineState,
    ProcessEventKind, Stamps,
};
use crate::core::plan::{Action, Change, StandbyTarget, StepId, SwitchedGreen};
use crate::journal::{PendingCall, PendingCallRow};
use crate::provider::codes as answers;
use crate::provider::retry::{self, FailedTry, SWITCH};

/// Pause between two reads of the watched greens.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Switches one group. A crash or cancel in between leaves both sets, of which the next plan goes on with the greens.
pub(super) async fn switch(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    step: StepId,
    change: &Change,
) -> PartResult {
    let (Action::Switch { tag, greens, blues }, Some(swap)) =
        (&change.action, &context.shared.input.plan.swap)
    else {
        let cause = "the step switches no swap";
        return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
    };
    let targets: Vec<StandbyTarget> = greens.iter().map(|green| green.machine.clone()).collect();
    let ids = watched_machines(context.shared, &targets)?;
    let is_new = |green: &SwitchedGreen| matches!(green.machine, StandbyTarget::Step(_));
    let begins = greens.iter().any(is_new);
    if begins {
        read_before(context, progress).await?;
    }
    record_row(context, step, tag, &ids)?;
    if begins {
        unmark_blues(context, progress, blues).await?;
    }
    uncordon(context, change, greens, &ids).await?;
    mark_blues(context, progress, blues).await?;
    watch(context, change, &ids, Duration::from_millis(swap.wait_ms)).await
}

/// A green that has passed, and crashed while it waited for the others, fails as in its gate. The greens of every group
/// are read, so that no group is switched then.
async fn read_before(context: &StepContext<'_>, progress: &mut StepProgress) -> PartResult {
    let mut all: Vec<(MachineId, &Change)> = Vec::new();
    for (_, change) in context.shared.input.plan.changes() {
        let greens = change.greens().iter();
        let targets: Vec<StandbyTarget> = greens.map(|green| green.machine.clone()).collect();
        let ids = watched_machines(context.shared, &targets)?;
        all.extend(ids.into_iter().map(|id| (id, change)));
    }
    let reads = join_all(all.iter().map(|(id, _)| context.get(id))).await;
    for ((id, change), live) in all.iter().zip(reads) {
        let trouble = match live? {
            None => Some("is gone".to_owned()),
            Some(live) => Watched::judge(&mut None, &live),
        };
        if let Some(trouble) = trouble {
            progress.gate_failed = true;
            let message = format!(
                "the new Machine {id} of `{}` {trouble}, before the switch; the old Machines serve",
                change.group
            );
            return Err(StepError::failed(answers::MACHINE_FAILED, message));
        }
    }
    Ok(())
}

/// Nothing is added before the journal knows of it.
fn record_row(
    context: &StepContext<'_>,
    step: StepId,
    tag: &str,
    greens: &[MachineId],
) -> PartResult {
    let job = &context.shared.input;
    let row = PendingCallRow {
        step,
        call: PendingCall::Switch {
            tag: tag.to_owned(),
            greens: greens.to_vec(),
        },
    };
    job.journal.begin_call(&job.run.run, &row).map_err(|error| {
        context.shared.halt(Halt::Journal(error.to_string()));
        StepError::Halted {
            during: "before `uncordon`".to_owned(),
        }
    })
}

/// Adds all greens; where one cannot be added the others still are, and no blue goes.
async fn uncordon(
    context: &StepContext<'_>,
    change: &Change,
    greens: &[SwitchedGreen],
    ids: &[MachineId],
) -> PartResult {
    let added = ids
        .iter()
        .zip(greens)
        .filter(|(_, green)| !green.stays_cordoned);
    let calls = added.map(async |(id, _)| {
        context.acquire_lease(id).await?;
        call_as_flyctl(context, &Call::Uncordon { id: id.clone() }).await
    });
    let mut failed = Vec::new();
    for ended in join_all(calls).await {
        match ended {
            Ok(()) => {}
            Err(StepError::Halted { during }) => return Err(StepError::Halted { during }),
            Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
                failed.push(message);
            }
        }
    }
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let message = format!(
        "{} of {} new Machines of `{}` could not be added to the load balancing: {first}; no old Machine was touched",
        failed.len(),
        ids.len(),
        change.group
    );
    Err(StepError::Failed {
        code: codes::SWITCH_FAILED.name().to_owned(),
        message,
        hint: Some("both sets are there; `aeroform apply` goes on with the switch".to_owned()),
    })
}

/// A call with flyctl's tries; a lease of another client is a failure.
pub(super) async fn call_as_flyctl(context: &StepContext<'_>, call: &Call) -> PartResult {
    let policy = |failed: &PartError| match failed {
        PartError::Again { .. } => context.seeded(Some(SWITCH.retry())),
        PartError::End(_) => None,
    };
    let on_wait = async |failed: FailedTry<PartError>| Ok(context.pause(failed.pause).await?);
    let part = async || match context.call(call).await {
        Ok(_) => Ok(()),
        Err(CallError::NotFound(error) | CallError::Invalid(error)) => {
            Err(PartError::End(StepError::from_provider(&error)))
        }
        Err(CallError::Conflict(error) | CallError::NoRoom(error) | CallError::Unknown(error)) => {
            Err(PartError::refused(error))
        }
        Err(CallError::Step(end)) => Err(end.into()),
    };
    let ended = retry::retry(policy, part, on_wait).await;
    ended.map_err(PartError::into_step_error)
}

/// The mark that flyctl sets on Machines that it is about to destroy: later runs see by it that all greens were added.
async fn mark_blues(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    blues: &[MachineId],
) -> PartResult {
    let mark = Some(Stamps::SAFE_TO_DESTROY.to_owned());
    stamp_blues(context, progress, (blues.iter(), mark)).await
}

/// Takes away the marks that another tool's incomplete release has left.
async fn unmark_blues(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    blues: &[MachineId],
) -> PartResult {
    let observed = &context.shared.input.observed.machines;
    let is_marked = |id: &&MachineId| {
        let mark = observed
            .get(*id)
            .and_then(|seen| seen.stamps.swap.as_deref());
        mark == Some(Stamps::SAFE_TO_DESTROY)
    };
    stamp_blues(context, progress, (blues.iter().filter(is_marked), None)).await
}

/// Writes the mark of each of these; one that cannot be written is a remark.
async fn stamp_blues(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    (blues, mark): (impl Iterator<Item = &MachineId>, Option<String>),
) -> PartResult {
    let marks = blues.map(async |id| {
        let Some(live) = context.get(id).await? else {
            return Ok(None);
        };
        if live.state.is_gone() || live.host != HostStatus::Ok {
            return Ok(None);
        }
        let stamps = Stamps {
            swap: mark.clone(),
            ..live.stamps
        };
        let call = Call::Stamp {
            id: id.clone(),
            stamps,
        };
        match call_as_flyctl(context, &call).await {
            Ok(()) => Ok(None),
            Err(StepError::Halted { during }) => Err(StepError::Halted { during }),
            Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => Ok(Some(
                format!("{id} could not be marked as safe to destroy: {message}"),
            )),
        }
    });
    for marked in join_all(marks).await {
        progress.remarks.extend(marked?);
    }
    Ok(())
}

/// Watches the greens; one that crashes or fails a check stops the swap, also one that did so while others had not
/// passed yet. Each is read once at least.
async fn watch(
    context: &StepContext<'_>,
    change: &Change,
    ids: &[MachineId],
    window: Duration,
) -> PartResult {
    if !window.is_zero() {
        context.report_waiting("the new Machines to serve well", window);
    }
    let deadline = Instant::now() + window;
    let mut before: Vec<Option<Watched>> = vec![None; ids.len()];
    loop {
        let reads = join_all(ids.iter().map(|id| context.get(id))).await;
        for ((id, live), seen) in ids.iter().zip(reads).zip(&mut before) {
            let trouble = match live? {
                None => Some("is gone".to_owned()),
                Some(live) => Watched::judge(seen, &live),
            };
            if let Some(trouble) = trouble {
                return Err(stopped(change, id, &trouble));
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        context.pause(WATCH_INTERVAL.min(left)).await?;
    }
}

fn stopped(change: &Change, id: &MachineId, trouble: &str) -> StepError {
    StepError::Failed {
        code: codes::GREEN_FAILED.name().to_owned(),
        message: format!(
            "the new Machine {id} of `{}` {trouble} after the switch; no old Machine was removed, and both sets serve",
            change.group
        ),
        hint: Some(format!(
            "check its logs: `aeroform logs {id}`; the next apply waits for it and goes on"
        )),
    }
}

/// A green at the begin of the watch.
#[derive(Debug, Clone)]
struct Watched {
    events: BTreeSet<u64>,
    ran: bool,
}

impl Watched {
    /// What is wrong with it, compared with the first read.
    fn judge(first: &mut Option<Self>, live: &Machine) -> Option<String> {
        let Some(first) = first else {
            *first = Some(Self {
                events: live.events.iter().map(|event| event.id).collect(),
                ran: live.state.should_run(),
            });
            return Self::ended_before(live).or_else(|| Self::failing_check(live));
        };
        if live.state.is_gone() {
            return Some(format!("is {}", live.state.as_str()));
        }
        let new = live
            .events
            .iter()
            .filter(|event| !first.events.contains(&event.id));
        let crash = new
            .filter_map(|event| match event.kind {
                ProcessEventKind::Exited(exit) => Some(exit),
                ProcessEventKind::Changed
                | ProcessEventKind::Started
                | ProcessEventKind::StopRequested
                | ProcessEventKind::Other => None,
            })
            .find(Exit::is_crash);
        if let Some(exit) = crash {
            return Some(format!("has crashed: {exit}"));
        }
        if first.ran && live.has_crashed() {
            return Some(format!("is {}", live.state.as_str()));
        }
        Self::failing_check(live)
    }

    /// It has passed its gate, and has crashed while it waited for the switch.
    fn ended_before(live: &Machine) -> Option<String> {
        let exit = live.last_exit().filter(|_| live.has_crashed());
        let exit = exit.map(|exit| format!("has crashed: {exit}"));
        let is_lost = live.state.is_gone() || live.state == MachineState::Failed;
        exit.or_else(|| is_lost.then(|| format!("is {}", live.state.as_str())))
    }

    fn failing_check(live: &Machine) -> Option<String> {
        let critical = |check: &&CheckStatus| check.status == CheckState::Critical;
        let check = live.checks.iter().find(critical)?;
        live.state
            .should_run()
            .then(|| format!("fails its check {}", check.name))
    }
}
