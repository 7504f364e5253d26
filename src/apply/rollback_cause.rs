//! Whether a run rolls back: only for a failure of its own release, and never against somebody else.

use super::apply_context::ApplyContext;
use super::codes;
use crate::core::code::Code;
use crate::core::fleet::OnFailure;
use crate::core::plan::way_back::has_switched;
use crate::core::plan::{Outcome, PlanMode, StepId, StepResult};
use crate::provider::codes as answers;

/// Failures beside the cause that do not forbid a rollback: the platform has answered, and nobody else is at
/// work. A conflict, a lease of another client or a lost answer forbids it.
const HARMLESS: [Code; 9] = [
    answers::FAILED_PRECONDITION,
    answers::IMAGE_NOT_FOUND,
    answers::NO_ROOM,
    answers::QUOTA,
    answers::REFUSED,
    codes::DESTROY_TIMEOUT,
    codes::GATE_TIMEOUT,
    codes::STOP_TIMEOUT,
    codes::WRONG_REGION,
];

/// The steps whose failure the run is rolled back for; none if it is not. A step names itself as a cause by
/// [`StepResult::gate_failed`], whatever its gate is.
pub(super) fn rollback_cause(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<StepId> {
    let plan = shared.input.plan;
    let applies = plan.on_failure == OnFailure::Rollback && plan.mode == PlanMode::Normal;
    let stopped = shared.is_halted() || shared.halt.borrow().is_some();
    if !applies || stopped || !shared.input.lock.is_held() {
        return Vec::new();
    }
    let forbids = |result: &StepResult| match &result.outcome {
        Outcome::Unknown { .. } => true,
        Outcome::Failed { code, .. } => {
            !result.gate_failed && HARMLESS.iter().all(|harmless| harmless.name() != code)
        }
        Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted => false,
    };
    if results.iter().any(forbids) {
        return Vec::new();
    }
    let causes = plan.changes().filter(|(step, _)| {
        let result = results.get(step.0 as usize);
        result.is_some_and(|result| result.gate_failed)
    });
    causes.map(|(step, _)| step).collect()
}

/// The steps whose failure kept a swap from its switch, so that its greens are destroyed; none if there is no such swap.
/// After a signal the greens stay for the next run.
pub(super) fn unswitched_cause(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<StepId> {
    let plan = shared.input.plan;
    let stopped = shared.is_halted() || shared.halt.borrow().is_some();
    let held = shared.input.lock.is_held();
    if plan.swap.is_none() || stopped || !held || has_switched(plan, results) {
        return Vec::new();
    }
    let failed = plan.changes().filter(|(step, _)| {
        let result = results.get(step.0 as usize).map(|result| &result.outcome);
        result.is_some_and(|outcome| match outcome {
            Outcome::Failed { .. } | Outcome::Unknown { .. } => true,
            Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted => false,
        })
    });
    failed.map(|(step, _)| step).collect()
}
