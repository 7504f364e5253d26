//! Why a plan that was shown is not carried out: it is refused, or it is not the plan any more.

use super::codes;
use crate::core::fleet::{MachineId, Release};
use crate::core::plan::codes::{STATE_BEHIND, named};
use crate::core::plan::releases::describe_release as released;
use crate::core::plan::{AdoptedRun, Plan};
use crate::run::Preview;
use crate::ui::Failure;

/// Refusals that no flag lifts end here; those that say that state and world do not belong together
/// end as stale.
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

/// What was reviewed is not what is there now: what differs.
pub(super) fn stale_plan(message: &str, differences: Vec<String>) -> Failure {
    let failure =
        Failure::new(codes::STALE_PLAN, message).hint("run `aeroform plan` and review it again");
    differences.into_iter().fold(failure, Failure::cause)
}

/// The same, with what somebody else has released meanwhile, and what an apply would now take back of it.
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
        let told = release.filter(|release| release.version == revert.release);
        let who = told.map_or_else(String::new, |told| format!(" ({})", released(told)));
        format!("an apply now {}{who}", revert.describe())
    }));
    let failure = stale_plan(message, differences);
    if reverts.is_empty() {
        failure
    } else {
        failure.hint("`aeroform plan` shows what an apply would undo")
    }
}

/// Another run was waited for, and the plan would change what it did to these Machines.
pub(super) fn conflicting_run(taken: &AdoptedRun, machines: &[&MachineId]) -> Failure {
    let (run, by) = (&taken.run, taken.by.as_deref().unwrap_or("somebody else"));
    let ids: Vec<&str> = machines.iter().map(|id| id.as_str()).collect();
    let failure = Failure::new(
        STATE_BEHIND,
        format!("run {run} by {by} was at work on this app when this one began"),
    );
    let cause = format!(
        "this plan would change what it did to {}, and the state does not list it",
        ids.join(" ")
    );
    failure.cause(cause).hint(format!(
        "get the state file that has it (pull), or take over what it did with `--adopt-run {run}`"
    ))
}
