//! Errors for a plan that is not applied: refused, or out of date.

use super::codes;
use crate::core::fleet::{MachineId, Release};
use crate::core::plan::codes::{STATE_BEHIND, named};
use crate::core::plan::releases::describe_release as released;
use crate::core::plan::{AdoptedRun, Plan, unrecorded_run_hint};
use crate::run::Preview;
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

/// The reviewed plan is out of date, with the differences.
pub(super) fn stale_plan(message: &str, differences: Vec<String>) -> Failure {
    let failure = Failure::new(codes::STALE_PLAN, message)
        .hint("run `aeroform plan` and review the new plan");
    differences.into_iter().fold(failure, Failure::cause)
}

/// The same, with a release made since and what an apply would now revert of it.
pub(super) fn stale_plan_since(
    message: &str,
    mut differences: Vec<String>,
    fresh: &Preview,
    shown: Option<&Plan>,
) -> Failure {
    let release = fresh.observed.as_ref().and_then(|o| o.release.as_ref());
    let newer =
        |release: &&Release| shown.is_some_and(|plan| Some(release.version) > plan.newest_release);
    if let Some(release) = release.filter(newer) {
        differences.push(format!("{} is newer than that plan", released(release)));
    }
    let reverts = fresh.plan.reverts();
    differences.extend(reverts.iter().map(|revert| {
        let found = release.filter(|release| release.version == revert.release);
        let who = found.map_or_else(String::new, |found| format!(" ({})", released(found)));
        format!("an apply now {}{who}", revert.describe())
    }));
    let failure = stale_plan(message, differences);
    if reverts.is_empty() {
        failure
    } else {
        failure.hint("`aeroform plan` shows what an apply would revert")
    }
}

/// This run waited for another one, and the plan would change that run's Machines.
pub(super) fn conflicting_run(taken: &AdoptedRun, machines: &[&MachineId]) -> Failure {
    let (run, by) = (
        &taken.run,
        taken.by.as_deref().unwrap_or("an unknown author"),
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
