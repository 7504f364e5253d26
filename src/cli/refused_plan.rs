//! The errors for a plan that cannot be applied.

use super::codes;
use crate::core::fleet::MachineId;
use crate::core::plan::codes::{STATE_BEHIND, named};
use crate::core::plan::{AdoptedRun, Plan, unrecorded_run_hint};
use crate::ui::Failure;

/// Fails on refusals; those that say that the state belongs to another app count as stale.
pub(super) fn check_refusals(plan: &Plan) -> Result<(), Failure> {
    let Some(first) = plan.refusals.first() else {
        return Ok(());
    };
    let failure = Failure::new(
        codes::PLAN_REFUSED,
        "the plan is refused; nothing was changed",
    );
    let mut failure = plan
        .refusals
        .iter()
        .fold(failure, |failure, note| failure.cause(&note.message));
    let mut hints: Vec<&str> = Vec::new();
    for hint in plan.refusals.iter().filter_map(|note| note.hint.as_deref()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    failure.hint = (!hints.is_empty()).then(|| hints.join("; "));
    if let Some(code) = named(&first.code) {
        failure.exit = code.exit_class().into();
    }
    Err(failure)
}

/// This run waited for another one, and the plan would change that run's Machines.
pub(super) fn conflicting_run(adopted: &AdoptedRun, machines: &[&MachineId]) -> Failure {
    let (run, by) = (
        &adopted.run,
        adopted.by.as_deref().unwrap_or("an unknown author"),
    );
    let ids: Vec<&str> = machines.iter().map(|id| id.as_str()).collect();
    let failure = Failure::new(
        STATE_BEHIND,
        format!("run {run} by {by} was in progress when this run started"),
    );
    let cause = format!(
        "this plan would undo its changes to {}, which the state does not list",
        ids.join(" ")
    );
    failure.cause(cause).hint(unrecorded_run_hint(run))
}
