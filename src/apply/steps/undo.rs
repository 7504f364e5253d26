//! Undoing a change in a rollback: a Machine gets its previous body back, a replaced one a successor with its
//! previous body, and a created one is destroyed.
//!
//! A Machine that another client has changed since is left alone. A crash or cancel in between leaves each
//! Machine with one of its two bodies, which the next run sees.

use std::time::Duration;

use super::StepProgress;
use super::create::{create_once, no_capacity_error, take_result, wait_for_created};
use super::destroy::{call_idempotent, remove_machine};
use super::update::{
    AtRest, SETTLE_TIMEOUT, UpdateResult, UpdateTerms, ensure_config, start_crashed,
};
use crate::apply::apply_context::{ApplyContext, RollbackContext};
use crate::apply::codes;
use crate::apply::desired_machine::{DesiredMachine, watched_machines};
use crate::apply::gate::{self, Gate};
use crate::apply::overtaken;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{PartResult, StepError};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{
    Call, LaunchId, Machine, MachineId, MachineState, RunRecord, Stamps, StoredConfig,
};
use crate::core::plan::way_back::{Undoing, Undone};
use crate::core::plan::{Change, GateKind, MachineRef, Outcome, StepId, Work};

/// Undoes the change of one Machine.
pub(super) async fn undo<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    (step, change): (StepId, &'a Change),
    rollback: &'a RollbackContext<'a>,
) -> PartResult {
    match undoing_of(rollback, step) {
        Some(Undoing::PutBack { before, seen, .. }) => {
            let run = PutBack {
                before,
                seen: seen.as_deref(),
                rollback,
            };
            put_back(context, progress, change, &run).await
        }
        Some(Undoing::Restore {
            before,
            launch,
            replacement,
            ..
        }) => {
            if let Some(new) = replacement.as_deref()
                && let Some(live) = context.get(&new.id).await?
                && !live.state.is_gone()
                && !is_ours(context, rollback, &live, Some(new))
            {
                // Its own step names it.
                return Ok(());
            }
            restore(context, progress, change, (before, launch)).await?;
            if let Some(Undone::Restored {
                replacement: of, ..
            }) = progress.undone.last_mut()
            {
                *of = replacement.as_ref().map(|new| new.id.clone());
            }
            Ok(())
        }
        Some(Undoing::Remove { seen, .. }) => {
            remove(context, progress, change, (seen, rollback)).await
        }
        None => Err(StepError::failed(
            codes::PLAN_MISMATCH,
            "the step undoes nothing",
        )),
    }
}

fn undoing_of<'a>(rollback: &'a RollbackContext<'a>, step: StepId) -> Option<&'a Undoing> {
    rollback.way.undoes.get(step.0 as usize)?.as_ref()
}

/// Records what became of the Machine if the step has not: it failed, or did not start.
pub(super) fn record(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    (step, change): (StepId, &Change),
    outcome: &Outcome,
) {
    let rollback = context.shared.rollback.as_ref();
    let Some(undoing) = rollback.and_then(|rollback| undoing_of(rollback, step)) else {
        return;
    };
    if *outcome == Outcome::Done || !progress.undone.is_empty() {
        return;
    }
    let machine = progress.machine.clone().map(Box::new);
    let sent = progress.sent_config.is_some();
    progress.undone.push(match (undoing, machine) {
        (Undoing::PutBack { .. }, Some(machine)) if sent => Undone::PutBack {
            machine,
            works: false,
        },
        (
            Undoing::Restore {
                before,
                launch,
                replacement,
                ..
            },
            Some(machine),
        ) if sent => Undone::Restored {
            old: before.id.clone(),
            replacement: replacement.as_ref().map(|new| new.id.clone()),
            launch: launch.clone(),
            machine,
            works: false,
        },
        (Undoing::Remove { seen, .. }, _) if progress.destroy_accepted => removed(change, seen),
        (Undoing::PutBack { .. } | Undoing::Restore { .. } | Undoing::Remove { .. }, _) => {
            Undone::Remains {
                machine: change.machine.clone(),
                outcome: outcome.clone(),
            }
        }
    });
}

/// What is recorded for a step that did not begin.
pub(in crate::apply) fn not_begun(
    shared: &ApplyContext<'_>,
    work: &Work,
    outcome: &Outcome,
) -> Vec<Undone> {
    match work {
        Work::Change(change) if shared.rollback.is_some() => vec![Undone::Remains {
            machine: change.machine.clone(),
            outcome: outcome.clone(),
        }],
        Work::Change(_) | Work::Barrier { .. } => Vec::new(),
    }
}

/// Whether the Machine is as this run left it.
fn is_ours(
    context: &StepContext<'_>,
    rollback: &RollbackContext<'_>,
    live: &Machine,
    seen: Option<&Machine>,
) -> bool {
    let made = rollback.instances.get(&live.id);
    if made.is_some_and(|instance| *instance == live.instance) {
        return true;
    }
    let Some(seen) = seen else {
        return false;
    };
    let lineage = context.shared.lineage();
    let digest = |machine: &Machine| {
        let config = machine.config.as_deref()?;
        Some(StoredConfig::from_config(config, lineage).digest())
    };
    digest(seen).is_some()
        && digest(seen) == digest(live)
        && (&seen.group, &seen.volumes, &seen.stamps.run)
            == (&live.group, &live.volumes, &live.stamps.run)
        && seen.standby_for == live.standby_for
}

fn leave_alone(progress: &mut StepProgress, change: &Change, why: String) {
    progress.undone.push(Undone::LeftAlone {
        machine: change.machine.clone(),
        why,
    });
}

/// The Machine under its lease; none, with the reason recorded, if it no longer exists.
async fn leased_machine(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    id: &MachineId,
) -> PartResult<Option<Machine>> {
    context.acquire_lease(id).await?;
    let live = context
        .wait_settled_or_created(id, (SETTLE_TIMEOUT, Duration::ZERO))
        .await?;
    let live = live.filter(|live| !live.state.is_gone());
    progress.machine.clone_from(&live);
    Ok(live)
}

/// A Machine that gets its body back.
struct PutBack<'a> {
    before: &'a Machine,
    seen: Option<&'a Machine>,
    rollback: &'a RollbackContext<'a>,
}

async fn put_back<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    change: &'a Change,
    run: &PutBack<'a>,
) -> PartResult {
    let (before, id) = (run.before, &run.before.id);
    let Some(live) = leased_machine(context, progress, id).await? else {
        let why = "another client destroyed it".to_owned();
        leave_alone(progress, change, why);
        return Ok(());
    };
    let watched = watched_machines(context.shared, change.standby_for())?;
    let desired = DesiredMachine::restored(context.shared, &change.group, before, watched)?;
    if !desired.matches(&live) && !is_ours(context, run.rollback, &live, run.seen) {
        let why = overtaken::describe_overtaken(context.shared, &live, None);
        leave_alone(progress, change, why);
        return Ok(());
    }
    let terms = UpdateTerms {
        precondition: None,
        must_run: before.ran(),
        force_restart: false,
        at_rest: AtRest::stays_if(!before.ran()),
        takes_turn: false,
        launch_id: None,
    };
    let updated = match ensure_config(context, progress, id, &desired, &terms).await? {
        UpdateResult::Updated(updated) => updated,
        UpdateResult::NoRoom(error) => return Err(no_capacity_error(&error)),
    };
    if updated.crashed {
        start_crashed(context, progress, id, &desired).await?;
    }
    if live.cordoned && !before.cordoned {
        call_idempotent(context, &Call::Uncordon { id: id.clone() }).await?;
    }
    let gate = Gate {
        id,
        kind: change.gate,
        at_most: Duration::from_secs(desired.group.wait_timeout_s),
        steady: context.steady(&change.group),
        before: updated.baseline,
    };
    gate::wait_for_gate(context, progress, gate).await?;
    if change.gate == GateKind::None {
        // It had failed before and may do so again, which the next run must see.
        progress.machine = context.wait_settled(id, SETTLE_TIMEOUT).await?;
    }
    if let Some(machine) = progress.machine.clone() {
        progress.undone.push(Undone::PutBack {
            machine: Box::new(machine),
            works: true,
        });
    }
    Ok(())
}

/// A new Machine with the body of a replaced one that is gone.
async fn restore<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    change: &'a Change,
    (before, launch): (&'a Machine, &'a LaunchId),
) -> PartResult {
    let watched = watched_machines(context.shared, change.standby_for())?;
    let desired = DesiredMachine::restored(context.shared, &change.group, before, watched)?;
    let (is_to_run, shared) = (before.ran(), context.shared);
    let call = Call::Create(Box::new(CreateCall {
        name: change.machine.name.clone(),
        group: desired.name().clone(),
        region: change.region.clone(),
        config: desired.config_over(None),
        stamps: Stamps {
            lineage: Some(shared.lineage().clone()),
            serial: Some(shared.input.serial),
            run: Some(shared.input.run.run.clone()),
            by: Some(shared.input.run.by.clone()),
            ..desired.stamps(Some(launch.as_str()))
        },
        skip_launch: !is_to_run,
        cordoned: false,
        without_lease: false,
        port: before.port,
    }));
    let result = create_once(context, &change.machine.name, &call).await?;
    let updated = take_result(context, progress, &desired, result, (launch, is_to_run)).await?;
    progress.sent_config = Some(desired.stored_config());
    let Some(id) = progress.machine.as_ref().map(|machine| machine.id.clone()) else {
        return Err(StepError::conflict(format!(
            "{} is gone",
            change.machine.name
        )));
    };
    context.shared.record_replacement(&before.id, id.clone());
    let cordoned = before.cordoned;
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
    if let Some(machine) = progress.machine.clone() {
        progress.undone.push(Undone::Restored {
            old: before.id.clone(),
            replacement: None,
            machine: Box::new(machine),
            launch: launch.clone(),
            works: true,
        });
    }
    Ok(())
}

/// Destroys a Machine that the run created.
async fn remove(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    (seen, rollback): (&Machine, &RollbackContext<'_>),
) -> PartResult {
    if let Some(live) = leased_machine(context, progress, &seen.id).await? {
        if !is_ours(context, rollback, &live, Some(seen)) {
            let why = overtaken::describe_overtaken(context.shared, &live, None);
            leave_alone(progress, change, why);
            return Ok(());
        }
        if live.state.should_run() && live.state != MachineState::Failed {
            // A rollback that ends between the stop and the destroy leaves a Machine that the next run may want:
            // nobody else has stopped it.
            let stamps = Stamps {
                desired: Some(RunRecord::NOTHING.to_owned()),
                ..live.stamps
            };
            let id = seen.id.clone();
            call_idempotent(context, &Call::Stamp { id, stamps }).await?;
        }
        remove_machine(context, progress, &seen.id, None).await?;
    }
    progress.undone.push(removed(change, seen));
    Ok(())
}

fn removed(change: &Change, seen: &Machine) -> Undone {
    Undone::Removed {
        machine: MachineRef {
            id: Some(seen.id.clone()),
            name: seen.name.clone(),
        },
        left_volumes: change.left_volumes().to_vec(),
    }
}
