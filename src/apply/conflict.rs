//! The error for a Machine that changed since the plan, with the other client's release.

use std::time::Duration;

use tokio::time::timeout;

use super::apply_context::ApplyContext;
use super::step_error::StepError;
use crate::core::fleet::{Machine, Release};
use crate::core::plan::releases;
use crate::provider::codes;

/// How long to wait for a release that is only named in a hint.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The error of a step whose Machine changed since the plan.
pub(super) async fn conflict_error(
    shared: &ApplyContext<'_>,
    live: &Machine,
    message: String,
) -> StepError {
    let job = &shared.input;
    let newer = |version: u64| job.plan.newest_release.is_none_or(|seen| version > seen);
    let stamp = live.stamps.release.as_ref();
    let ours = live.stamps.run.as_ref() == Some(&job.run.run);
    let Some(stamp) = stamp.filter(|stamp| !ours && newer(stamp.version)) else {
        return StepError::conflict(message);
    };
    let newest = shared
        .newest_release
        .get_or_init(|| cached_newest_release(shared))
        .await;
    let release = newest
        .as_ref()
        .filter(|release| release.version == stamp.version);
    let release = release.map_or_else(
        || format!("release v{}", stamp.version),
        releases::describe_release,
    );
    StepError::Failed {
        code: codes::CONFLICT.name().to_owned(),
        message,
        hint: Some(format!(
            "{release}, has changed it: `aeroform plan` shows what an apply would revert"
        )),
    }
}

async fn cached_newest_release(shared: &ApplyContext<'_>) -> Option<Release> {
    let job = &shared.input;
    if !job.observed.description.capabilities.releases {
        return None;
    }
    let newest = job.provider.newest_release(&job.plan.app);
    timeout(RELEASE_TIMEOUT, newest).await.ok()?.ok()?
}
