//! The errors for a reviewed or saved plan that no longer matches. `apply_flow` compares the plans and refuses with
//! these.

use super::codes;
use crate::core::fleet::Release;
use crate::core::plan::Plan;
use crate::core::plan::releases::describe_release as released;
use crate::run::Preview;
use crate::ui::Failure;

/// The reviewed plan is out of date, with the differences.
pub(super) fn stale_plan(message: &str, differences: Vec<String>) -> Failure {
    let failure = Failure::new(codes::STALE_PLAN, message)
        .hint("run `aeroform plan` and review the new plan");
    differences.into_iter().fold(failure, Failure::cause)
}

/// The same, with a newer release and the changes of it that an apply would now revert.
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
