//! What changed between the plan that was shown and the one that is made again under the lock, and who changed it.

use super::Context;
use super::stale_plan::{stale_plan, stale_plan_since};
use crate::core::fleet::Desired;
use crate::core::plan::{SavedPlan, short_commit};
use crate::run::Preview;
use crate::ui::Failure;

/// The run that came between: who, of which commit, and the page of its job. `None` if the change was not made by a run.
pub(super) fn run_in_between(shown: &Preview, fresh: &Preview) -> Option<String> {
    let describe = |run: &str, by: Option<&str>, commit: Option<&str>, url: Option<&str>| {
        let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
        let commit = commit.map(|commit| format!("commit {}", short_commit(commit)));
        let more: Vec<String> = commit.into_iter().chain(url.map(str::to_owned)).collect();
        match more.as_slice() {
            [] => format!("run {run}{by}"),
            more => format!("run {run}{by} ({})", more.join(", ")),
        }
    };
    let listed = &shown.stored_state.known.runs;
    let recorded = fresh.stored_state.known.runs.iter().rev();
    let mut recorded =
        recorded.filter(|record| listed.iter().all(|before| before.run != record.run));
    if let Some(record) = recorded.next() {
        return Some(describe(
            record.run.as_str(),
            Some(&record.by),
            record.commit.as_deref(),
            record.url.as_deref(),
        ));
    }
    let before = &shown.plan.adopted_runs;
    let mut adopted = fresh.plan.adopted_runs.iter();
    let adopted = adopted.find(|run| before.iter().all(|before| before.run != run.run))?;
    Some(describe(
        adopted.run.as_str(),
        adopted.by.as_deref(),
        adopted.commit.as_deref(),
        None,
    ))
}

/// Whether the fresh plan does nothing that the shown one did not list.
pub(super) fn is_part_of_shown(shown: &Preview, fresh: &Preview, desired: &Desired) -> bool {
    let shown = SavedPlan::of(&shown.plan);
    fresh.plan.refusals.is_empty() && shown.excesses(&fresh.plan, desired).is_empty()
}

/// The error for a plan that would do something else now. It names the run that came between; the differences
/// follow with `-v` and in JSON.
pub(super) fn changed_since_shown(
    context: &Context<'_>,
    differences: Vec<String>,
    (shown, fresh): (&Preview, &Preview),
) -> Failure {
    let message = "the Machines or the state changed since the plan was shown";
    let before = Some(&shown.plan);
    let Some(run) = run_in_between(shown, fresh) else {
        return stale_plan_since(message, differences, fresh, before);
    };
    let cause = format!("{run} came in between");
    if context.global.verbose || context.ui.format().is_for_programs() {
        let causes = std::iter::once(cause).chain(differences).collect();
        return stale_plan_since(message, causes, fresh, before);
    }
    stale_plan(message, vec![cause])
}
