//! The fixed sequences of calls, one file per action and one for the fallback of an update, and the mapping of
//! errors to outcomes.

mod adopt;
mod canary;
mod create;
mod destroy;
mod once;
mod once_signs;
mod replace_fallback;
mod start;
mod switch;
pub(super) mod undo;
mod update;
pub(super) mod volumes;

use super::apply_context::ApplyContext;
use super::codes;
use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use crate::core::code::Code;
use crate::core::fleet::{Machine, MachineId, OnFailure, StoredConfig};
use crate::core::plan::way_back::Undone;
use crate::core::plan::{Action, Change, Outcome, ReplaceFallback, StepId, StepResult};
use crate::provider::codes as answers;

/// How a gate fails.
const GATE_FAILURES: [Code; 4] = [
    codes::GATE_TIMEOUT,
    codes::REVERTED,
    answers::MACHINE_FAILED,
    answers::MACHINE_KEEPS_ENDING,
];

/// Progress of a step, kept however it ends.
#[derive(Default)]
pub(super) struct StepProgress {
    /// The Machine as last seen.
    pub(super) machine: Option<Machine>,
    /// The accepted config, as the state records it.
    pub(super) sent_config: Option<StoredConfig>,
    /// A create changed the existing Machine.
    pub(super) updated: bool,
    /// The chosen branch.
    pub(super) replace_fallback: Option<ReplaceFallback>,
    /// A note about a completed step, as text.
    pub(super) remarks: Vec<String>,
    /// The Machine did not pass its gate. Such a failure is what `on_failure = "rollback"` undoes the run for.
    pub(super) gate_failed: bool,
    /// The platform has accepted its destroy (rule 31).
    pub(super) destroy_accepted: bool,
    /// What a rollback made of the Machine.
    pub(super) undone: Vec<Undone>,
}

impl StepProgress {
    /// Records the Machine. As long as its config is unknown, it watches and mounts what it did before (rule
    /// 9).
    pub(super) fn record_seen(&mut self, mut machine: Machine) -> &Machine {
        let before = self.machine.take();
        if let Some(before) = before.filter(|before| before.id == machine.id)
            && machine.config.is_none()
        {
            if machine.standby_for.is_empty() {
                machine.standby_for = before.standby_for;
            }
            if machine.volumes.is_empty() {
                machine.volumes = before.volumes;
            }
        }
        self.machine.insert(machine)
    }
}

/// Executes one step. Never fails: an error is an outcome.
pub(super) async fn run_step<'a>(
    shared: &'a ApplyContext<'a>,
    step: StepId,
    change: &'a Change,
) -> (StepId, StepResult) {
    let context = StepContext::new(shared, step);
    let mut progress = StepProgress::default();
    let end = tokio::select! {
        biased;
        end = Box::pin(run_action(&context, &mut progress, step, change)) => end,
        never = context.refresh_leases() => match never {},
    };
    context.release_leases().await;
    // A rollback undoes the change of a Machine that fails, so it blocks nothing.
    let stays = shared.input.plan.on_failure != OnFailure::Rollback;
    let end = end.map_err(|end| {
        let swap = shared.input.plan.swap.as_ref();
        let is_swapped = swap.is_some_and(|swap| swap.groups.contains(&change.group));
        match &progress.machine {
            Some(machine) if is_green(change) => point_to_kept_logs(end, shared, &machine.id),
            Some(_) | None if stays && !is_swapped => add_gate_hints(end, change),
            Some(_) | None => end,
        }
    });
    let outcome = to_outcome(&context, end);
    context.end_turn(outcome == Outcome::Done);
    undo::record(&context, &mut progress, (step, change), &outcome);
    let result = StepResult {
        machine: progress.machine,
        sent: progress.sent_config,
        updated: progress.updated,
        replace_fallback: progress.replace_fallback.map(Box::new),
        remarks: progress.remarks,
        gate_failed: progress.gate_failed,
        undone: progress.undone,
        ..StepResult::of(outcome)
    };
    (step, result)
}

async fn run_action<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    step: StepId,
    change: &'a Change,
) -> PartResult {
    if let Some(rollback) = &context.shared.rollback {
        return undo::undo(context, progress, (step, change), rollback).await;
    }
    match &change.action {
        Action::Create { .. } => create::create(context, progress, step, change).await,
        Action::Update { .. } | Action::Move { .. } => {
            update::update(context, progress, change).await
        }
        Action::Destroy { .. } => destroy::destroy(context, progress, change).await,
        Action::Adopt => adopt::adopt(context, progress, change),
        Action::Wait => adopt::wait(context, progress, change).await,
        Action::Start => start::start(context, progress, change).await,
        Action::Forget => Ok(()),
        Action::Canary { .. } => canary::canary(context, progress, change).await,
        Action::Once { .. } => once::run_once(context, progress, step, change).await,
        Action::Switch { .. } => switch::switch(context, progress, step, change).await,
    }
}

fn is_green(change: &Change) -> bool {
    matches!(change.action, Action::Create { green: Some(_), .. })
}

/// A green that fails is destroyed at the end of the run; only the platform keeps its output.
fn point_to_kept_logs(end: StepError, shared: &ApplyContext<'_>, id: &MachineId) -> StepError {
    let StepError::Failed {
        code,
        message,
        hint,
    } = end
    else {
        return end;
    };
    let ours = format!("`aeroform logs {id}`");
    let kept = shared.input.desired.profile().deployed_by_flyctl;
    let hint = hint.and_then(|hint| match (hint.contains(&ours), kept) {
        (false, _) => Some(hint),
        (true, true) => Some(hint.replace(&ours, &format!("`fly logs --machine {id}`"))),
        (true, false) => None,
    });
    StepError::Failed {
        code,
        message,
        hint,
    }
}

/// A Machine that fails its gate blocks its group: names what the user can do.
fn add_gate_hints(end: StepError, change: &Change) -> StepError {
    let waits = matches!(
        change.action,
        Action::Update { .. } | Action::Move { .. } | Action::Adopt | Action::Wait | Action::Start
    );
    let Some(id) = change.machine.id.as_ref().filter(|_| waits) else {
        return end;
    };
    let StepError::Failed {
        code,
        message,
        hint,
    } = end
    else {
        return end;
    };
    let hint = if GATE_FAILURES.iter().any(|gate| gate.name() == code) {
        let ways = format!(
            "until it passes, no other Machine of its group is stopped; replace it (`aeroform machine replace {id}`), destroy it (`aeroform machine destroy {id} --force`) or skip it (`--exclude-machines {id}`)"
        );
        Some(hint.map_or_else(|| ways.clone(), |hint| format!("{hint}; {ways}")))
    } else {
        hint
    };
    StepError::Failed {
        code,
        message,
        hint,
    }
}

fn to_outcome(context: &StepContext<'_>, end: PartResult) -> Outcome {
    match end {
        Ok(()) => Outcome::Done,
        Err(StepError::Failed {
            code,
            message,
            hint,
        }) => Outcome::Failed {
            code,
            message,
            hint,
        },
        Err(StepError::Unknown { message }) => Outcome::Unknown { message },
        // A step that changed something may be half done; the next run checks.
        Err(StepError::Halted { during }) if context.has_touched() => Outcome::Unknown {
            message: format!("stopped {during}"),
        },
        Err(StepError::Halted { .. }) => Outcome::NotStarted,
    }
}
