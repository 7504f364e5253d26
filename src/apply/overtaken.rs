//! Who changed a Machine after this run: another run, by its stamps, or another tool's release (rule 31).

use std::time::Duration;

use tokio::time::timeout;

use super::apply_context::ApplyContext;
use crate::core::fleet::{Machine, Release};

/// How long to wait for the newest release, which only names a user.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The app's newest release, if the platform responds in time.
pub(super) async fn newest_release(shared: &ApplyContext<'_>) -> Option<Release> {
    let job = &shared.input;
    let newest = job.provider.newest_release(&job.plan.app);
    timeout(RELEASE_TIMEOUT, newest).await.ok()?.ok()?
}

/// The message that a Machine changed after this run, and by whom if known.
pub(super) fn describe_overtaken(
    shared: &ApplyContext<'_>,
    live: &Machine,
    newest: Option<&Release>,
) -> String {
    format!(
        "{} was changed after this run changed it, by {}",
        live.id,
        author(shared, live, newest)
    )
}

fn author(shared: &ApplyContext<'_>, live: &Machine, newest: Option<&Release>) -> String {
    let stamps = &live.stamps;
    let other = stamps
        .run
        .as_ref()
        .filter(|run| **run != shared.input.run.run);
    if let Some(run) = other {
        let by = stamps.by.as_ref().map(|by| format!(" by {by}"));
        return format!("run {run}{}", by.unwrap_or_default());
    }
    let release = stamps.release.as_deref();
    let ours = shared.release.borrow();
    let is_ours = |id: &Option<String>, version: u64| {
        let ours = ours.as_ref();
        ours.is_some_and(|ours| ours.version == version && (ours.id.is_none() || ours.id == *id))
    };
    match release.filter(|release| !is_ours(&release.id, release.version)) {
        Some(release) => {
            let newest = newest.filter(|newest| newest.version == release.version);
            let user = newest.and_then(|newest| newest.user.as_ref());
            let by = user.map(|user| format!(" by {user}")).unwrap_or_default();
            format!("release v{}{by}", release.version)
        }
        None => format!("another client (it is at version {})", live.instance),
    }
}
