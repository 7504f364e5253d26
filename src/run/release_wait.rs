//! A release that somebody else has begun and not ended: an apply lets it come to its end first, so that
//! two do not change the same Machines at once. Another apply is met at its leases instead, and one that has
//! died is not waited for: its release is ended for it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::context::{Preview, RunContext};
use crate::core::fleet::{MachineId, Release, RunId, release::MAX_IN_PROGRESS_S};
use crate::core::plan::releases::{release_in_progress, release_name};
use crate::core::plan::{Action, AdoptedRun};
use crate::env::Env;
use crate::provider::Provider;

/// How often is looked whether it is over.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// How long saying that a release is over may take.
const MARK_TIMEOUT: Duration = Duration::from_secs(2);

/// A release that is waited for.
#[derive(Debug)]
pub struct ReleaseWait<'a> {
    /// Which.
    pub release: &'a Release,
    /// For how long at most.
    pub at_most: Duration,
    /// When it is no longer believed to be under way, RFC 3339.
    pub presumed_over_at: String,
}

/// Waits until nobody else's release is under way, and tells of each that is waited for. Gives whether
/// there was one, so that what was seen before it may be otherwise now. Reads only.
pub async fn wait_for_releases(
    provider: &dyn Provider,
    look: &Preview,
    env: &Env,
    waiting: &mut (dyn FnMut(&ReleaseWait<'_>) + Send),
) -> bool {
    let Some(observed) = &look.observed else {
        return false;
    };
    if !observed.description.capabilities.releases {
        return false;
    }
    let (app, own) = (&observed.app, look.own_releases());
    let mut told: Option<(String, Instant)> = None;
    loop {
        let now = env.unix_now();
        match provider.newest_release(app).await {
            Ok(newest) => {
                let machines = observed.machines.values();
                let newest = newest.as_ref();
                let Some((release, left)) = release_in_progress(newest, &own, machines, Some(now))
                else {
                    return told.is_some();
                };
                if told.as_ref().is_none_or(|(id, _)| *id != release.id) {
                    let at_most = Duration::from_secs(left.unsigned_abs());
                    waiting(&ReleaseWait {
                        release,
                        at_most,
                        presumed_over_at: presumed_over_at(release, now),
                    });
                    told = Some((release.id.clone(), Instant::now() + at_most));
                }
            }
            // Whoever cannot tell keeps nobody from an apply.
            Err(_) if told.is_none() => return false,
            Err(_) => {}
        }
        let deadline = told.as_ref().map(|(_, deadline)| *deadline);
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
    /// Under the lock: says of the newest release, if a run of ours registered it and did not mark it as ended,
    /// that it is over; gives why that could not be said. `anchored` says that no other run is at work, so that
    /// a release whose run nobody has recorded is over, too.
    pub async fn end_unfinished_release(&self, look: &Preview, anchored: bool) -> Option<String> {
        let left = look
            .unfinished_release()
            .filter(|left| anchored || left.is_over)?;
        let app = &look.plan.app;
        let marked = self
            .provider
            .set_release_status(app, &left.release.id, left.status);
        let why = match timeout(MARK_TIMEOUT, marked).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.message,
            Err(_) => "the platform did not answer".to_owned(),
        };
        Some(format!(
            "{} could not be marked as ended: {why}",
            release_name(left.release)
        ))
    }
}

impl Preview {
    /// A run of somebody else that the state does not list, with those of its Machines that this plan would make
    /// otherwise or destroy. A run that wanted the same, and one that is to be adopted, is none.
    pub fn conflicting_run(&self, adopted: &[RunId]) -> Option<(&AdoptedRun, Vec<&MachineId>)> {
        let observed = self.observed.as_ref()?;
        let own = |run: &RunId| self.open_runs.iter().any(|open| open.row.run == *run);
        let mut others = self.plan.adopted_runs.iter();
        others.find_map(|taken| {
            let changed = self.plan.changes().filter_map(|(_, change)| {
                let changes = match change.action {
                    Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } => true,
                    Action::Create { .. }
                    | Action::Wait
                    | Action::Start
                    | Action::Adopt
                    | Action::Forget => false,
                };
                let machine = observed.machines.get(change.machine.id.as_ref()?)?;
                let stamps = &machine.stamps;
                let theirs = stamps.run.as_ref() == Some(&taken.run)
                    && stamps.desired.as_ref() != Some(&self.plan.desired);
                (changes && theirs).then_some(&machine.id)
            });
            let changed: Vec<&MachineId> = changed.collect();
            let undone = !changed.is_empty() && !own(&taken.run) && !adopted.contains(&taken.run);
            undone.then_some((taken, changed))
        })
    }
}

fn presumed_over_at(release: &Release, now: i64) -> String {
    let end = release.created_at.unwrap_or(now) + MAX_IN_PROGRESS_S;
    jiff::Timestamp::from_second(end).map_or_else(|_| String::new(), |end| end.to_string())
}
