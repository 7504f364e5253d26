//! Waits for another client's release in progress before an apply, so that two do not change the same Machines
//! at once. Another apply is blocked by leases instead, and a crashed one is not waited for: its release is
//! marked as finished.
//!
//! The wait polls in its own loop: nothing fails meanwhile, and its end follows from the release's age.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::context::{Preview, RunContext};
use crate::core::fleet::{MachineId, Release, RunId, release::MAX_IN_PROGRESS_S};
use crate::core::plan::releases::{release_in_progress, release_name};
use crate::core::plan::{Action, AdoptedRun};
use crate::env::Env;
use crate::provider::Provider;

/// Polling interval.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// How long marking a release as finished may take.
const MARK_TIMEOUT: Duration = Duration::from_secs(2);

/// A release to wait for.
#[derive(Debug)]
pub struct ReleaseWait<'a> {
    /// The release.
    pub release: &'a Release,
    /// Maximum wait.
    pub at_most: Duration,
    /// When it no longer counts as in progress, RFC 3339.
    pub presumed_over_at: String,
}

/// Waits until no other client's release is in progress, and calls `waiting` for each. Returns whether there
/// was one, which makes earlier observations stale. Read-only.
pub async fn wait_for_releases(
    provider: &dyn Provider,
    preview: &Preview,
    env: &Env,
    waiting: &mut (dyn FnMut(&ReleaseWait<'_>) + Send),
) -> bool {
    let Some(observed) = &preview.observed else {
        return false;
    };
    if !observed.description.capabilities.releases {
        return false;
    }
    let (app, own) = (&observed.app, preview.own_releases());
    let mut reported: Option<(String, Instant)> = None;
    loop {
        let now = env.unix_now();
        match provider.newest_release(app).await {
            Ok(newest) => {
                let machines = observed.machines.values();
                let newest = newest.as_ref();
                let Some((release, left)) = release_in_progress(newest, &own, machines, Some(now))
                else {
                    return reported.is_some();
                };
                if reported.as_ref().is_none_or(|(id, _)| *id != release.id) {
                    let at_most = Duration::from_secs(left.unsigned_abs());
                    waiting(&ReleaseWait {
                        release,
                        at_most,
                        presumed_over_at: presumed_over_at(release, now),
                    });
                    reported = Some((release.id.clone(), Instant::now() + at_most));
                }
            }
            // An error does not block an apply.
            Err(_) if reported.is_none() => return false,
            Err(_) => {}
        }
        let deadline = reported.as_ref().map(|(_, deadline)| *deadline);
        let left = deadline.map_or(Duration::ZERO, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return true;
        }
        sleep(RELEASE_POLL_INTERVAL.min(left)).await;
    }
}

impl RunContext<'_> {
    /// Under the lock: marks the newest release as finished if one of our runs registered it and did not;
    /// returns why this failed. With `anchored` a release of an unrecorded run counts as finished too.
    pub async fn end_unfinished_release(
        &self,
        preview: &Preview,
        anchored: bool,
    ) -> Option<String> {
        let left = preview
            .unfinished_release()
            .filter(|left| anchored || left.is_over)?;
        let app = &preview.plan.app;
        let marked = self
            .provider
            .set_release_status(app, &left.release.id, left.status);
        let why = match timeout(MARK_TIMEOUT, marked).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.message,
            Err(_) => "the platform did not answer".to_owned(),
        };
        Some(format!(
            "{} could not be marked as finished: {why}",
            release_name(left.release)
        ))
    }
}

impl Preview {
    /// Another client's run that the state does not list, with its Machines that this plan would change or
    /// destroy. Runs with the same desired state, runs of our commit or its ancestors, and runs in `adopted`, are
    /// ignored.
    pub fn conflicting_run(&self, adopted: &[RunId]) -> Option<(&AdoptedRun, Vec<&MachineId>)> {
        let observed = self.observed.as_ref()?;
        let own = |run: &RunId| self.open_runs.iter().any(|open| open.row.run == *run);
        let mut others = self.plan.adopted_runs.iter();
        others.find_map(|adopted_run| {
            let changed = self.plan.changes().filter_map(|(_, change)| {
                let changes = match change.action {
                    Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } => true,
                    Action::Create { .. }
                    | Action::Wait
                    | Action::Start
                    | Action::Adopt
                    | Action::Forget
                    | Action::Once { .. }
                    | Action::Switch { .. }
                    | Action::Canary { .. } => false,
                };
                let machine = observed.machines.get(change.machine.id.as_ref()?)?;
                let stamps = &machine.stamps;
                let theirs = stamps.run.as_ref() == Some(&adopted_run.run)
                    && stamps.desired.as_ref() != Some(&self.plan.desired);
                (changes && theirs).then_some(&machine.id)
            });
            let changed: Vec<&MachineId> = changed.collect();
            // A descendant of its commit does not undo it.
            let undone = !changed.is_empty()
                && !adopted_run.is_ancestor
                && !own(&adopted_run.run)
                && !adopted.contains(&adopted_run.run);
            undone.then_some((adopted_run, changed))
        })
    }
}

fn presumed_over_at(release: &Release, now: i64) -> String {
    let end = release.created_at.unwrap_or(now) + MAX_IN_PROGRESS_S;
    jiff::Timestamp::from_second(end).map_or_else(|_| String::new(), |end| end.to_string())
}
