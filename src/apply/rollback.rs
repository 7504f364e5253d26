//! The rollback of a run: its second pass, over a plan of its own.
//!
//! The steps are derived in [`crate::core::plan::way_back`], and run by the same dispatcher under the same
//! limits. Its steps are numbered after those of the plan, for events and the journal.

use super::apply_context::ApplyContext;
use super::step_context::StepContext;
use super::step_error::StepError;
use crate::core::fleet::{Machine, MachineId};
use crate::core::plan::way_back::{RunSoFar, UndoScope, Undone, WayBack, derive};
use crate::core::plan::{Action, Event, Outcome, StepId, StepResult, Work};
use crate::journal::PendingCall;

/// The plan that undoes the run.
pub(super) fn way_back(
    shared: &ApplyContext<'_>,
    results: &[StepResult],
    (ended, scope): (&[StepId], UndoScope),
) -> Option<WayBack> {
    let job = &shared.input;
    let run = RunSoFar {
        plan: job.plan,
        desired: job.desired,
        known: job.known,
        observed: job.observed,
        results,
        bodies: &shared.bodies.borrow(),
        ended,
    };
    derive(run, scope)
}

/// The number of the first step of a rollback.
pub(super) fn first_step(shared: &ApplyContext<'_>) -> StepId {
    let steps = shared.input.plan.steps.len();
    StepId(u32::try_from(steps).expect("fewer than four billion steps"))
}

/// What the journal has to know before the first call.
pub(super) fn intent(way: &WayBack) -> PendingCall {
    let (mut put_back, mut create, mut destroy) = (Vec::new(), Vec::new(), Vec::new());
    for (_, change) in way.plan.changes() {
        match (&change.action, &change.machine.id) {
            (Action::Create { .. }, _) => create.push(change.machine.name.clone()),
            (Action::Destroy { .. }, Some(id)) => destroy.push(id.clone()),
            (_, Some(id)) => put_back.push(id.clone()),
            (_, None) => {}
        }
    }
    PendingCall::Rollback {
        put_back,
        create,
        destroy,
    }
}

/// The event that says that the rollback begins.
pub(super) fn begin_event(way: &WayBack, results: &[StepResult], because: &[StepId]) -> Event {
    let first = because
        .first()
        .and_then(|step| results.get(step.0 as usize));
    let cause = match first.map(|result| &result.outcome) {
        Some(Outcome::Failed { message, .. } | Outcome::Unknown { message }) => message.clone(),
        Some(Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted) | None => String::new(),
    };
    Event::RollingBack {
        to: way.to,
        steps: way.plan.changes().count(),
        cause,
    }
}

/// An event of a step of the rollback as reporters get it.
pub(super) fn undo_event(event: &Event, way: &WayBack, first: StepId) -> Event {
    let Event::Step { step, what } = event else {
        return event.clone();
    };
    match way.plan.steps.get(step.0 as usize).map(|step| &step.work) {
        Some(Work::Change(change)) => Event::Undo {
            step: StepId(first.0 + step.0),
            change: change.clone(),
            what: what.clone(),
        },
        Some(Work::Barrier { .. }) | None => event.clone(),
    }
}

/// Reads every Machine again that the rollback has changed; what is not as before, as text.
pub(super) async fn verify(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<String> {
    let mut found = Vec::new();
    for (step, result) in (0..).map(StepId).zip(results) {
        for undone in result.undone.iter().filter(|undone| undone.is_undone()) {
            found.extend(verify_one(shared, step, undone).await);
        }
    }
    found
}

async fn verify_one(shared: &ApplyContext<'_>, step: StepId, undone: &Undone) -> Option<String> {
    let context = StepContext::new(shared, step);
    let read = async |id: &MachineId| match context.get(id).await {
        Ok(live) => Ok(live.filter(|live| !live.state.is_gone())),
        Err(StepError::Halted { .. }) => Err(None),
        Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
            Err(Some(format!("{id} could not be verified: {message}")))
        }
    };
    match undone {
        Undone::Removed { machine, .. } => match read(machine.id.as_ref()?).await {
            Ok(None) => None,
            Ok(Some(live)) => {
                let state = live.state.as_str();
                Some(format!("{} was destroyed and is {state}", live.id))
            }
            Err(why) => why,
        },
        Undone::PutBack { machine, .. } | Undone::Restored { machine, .. } => {
            match read(&machine.id).await {
                Ok(Some(live)) => difference(machine, &live),
                Ok(None) => Some(format!(
                    "{} was rolled back and no longer exists",
                    machine.id
                )),
                Err(why) => why,
            }
        }
        Undone::LeftAlone { .. } | Undone::Remains { .. } => None,
    }
}

/// How a Machine differs from how its gate left it.
fn difference(seen: &Machine, live: &Machine) -> Option<String> {
    let id = &live.id;
    if seen.config.is_some() && live.config != seen.config {
        return Some(format!("{id} was rolled back and has another config since"));
    }
    let is_down = seen.state.should_run() && !live.state.should_run();
    is_down.then(|| format!("{id} was rolled back and is {}", live.state.as_str()))
}
