//! Takes one snapshot of an app; planning makes no further calls.
//!
//! An empty list does not prove that the app is empty (rule 8). The provider's own count must agree, and
//! every known Machine that the list lacks is read by its id. If a list has fewer Machines than the count, or
//! lacks one that exists, it gets time to catch up. This module only reads, so it can be cancelled at any
//! moment.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};

use crate::core::fleet::{
    AppName, Description, Desired, Known, Machine, MachineId, MachineState, Observed, OnceKind,
    Release,
};
use crate::core::plan::codes::FLEET_VANISHED;
use crate::core::plan::hold;
use crate::provider::codes::TIMED_OUT;
use crate::provider::retry::{self, LIST_LAG, READ_DEADLINE, SNAPSHOT};
use crate::provider::{ErrorClass, Listing, MachineVersion, Provider, ProviderError};

/// Concurrent reads.
const MAX_CONCURRENT_READS: usize = 16;

/// Why a snapshot failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The provider reports a count of Machines but lists none.
    #[error("the provider reports {count} Machines of `{app}`, but its list is empty")]
    FleetVanished {
        /// The app.
        app: AppName,
        /// The provider's count.
        count: u64,
    },
    /// The app does not exist, but the state has Machines of it.
    #[error("there is no app `{app}`, but the state has {known} Machines of it")]
    AppGone {
        /// The app.
        app: AppName,
        /// The number of Machines in the state.
        known: usize,
    },
    /// A provider call failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl ObserveError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FleetVanished { .. } | Self::AppGone { .. } => FLEET_VANISHED.name(),
            Self::Provider(error) => error.code,
        }
    }
}

/// Takes the snapshot. A known Machine that the list lacks but a read by id finds is included, and is marked
/// as lagging after the list had time to catch up.
///
/// # Errors
/// The app or all its Machines seem to have vanished, or a provider call failed.
pub async fn observe(
    provider: &dyn Provider,
    app: &AppName,
    known: &Known,
) -> Result<Observed, ObserveError> {
    let deadline = Instant::now() + LIST_LAG;
    // An error without a cause: the list lags.
    let read = async || try_observe(provider, app, known, Instant::now() < deadline).await;
    let policy = |error: &Option<ObserveError>| error.is_none().then(|| SNAPSHOT.retry());
    let observed = retry::retry(policy, read, retry::sleep_between).await;
    observed.map_err(|error| error.expect("a list that lags is read again until it is accepted"))
}

/// The same for a plan of these manifests: under `[hold]` it also reads the versions of Machines that may have values
/// which the state has only as hashes, and for a release command the Machines that ran it.
///
/// # Errors
/// As [`observe`].
pub async fn observe_for(
    provider: &dyn Provider,
    desired: &Desired,
    known: &Known,
) -> Result<Observed, ObserveError> {
    let mut observed = observe(provider, &desired.app, known).await?;
    read_held_configs(provider, desired, known, &mut observed).await?;
    add_once(provider, desired, &mut observed).await?;
    Ok(observed)
}

/// Adds what other manifests need of the same snapshot, as [`observe_for`].
///
/// # Errors
/// A provider call failed.
pub async fn read_held_configs(
    provider: &dyn Provider,
    desired: &Desired,
    known: &Known,
    observed: &mut Observed,
) -> Result<(), ObserveError> {
    let Some(hold) = &desired.hold else {
        return Ok(());
    };
    observed.held_configs.clear();
    Ok(read_versions(provider, desired, known, hold.release, observed).await?)
}

/// Reads versions, a few Machines at a time, until every value of a group is known or all its Machines are read.
async fn read_versions(
    provider: &dyn Provider,
    desired: &Desired,
    known: &Known,
    release: u64,
    observed: &mut Observed,
) -> Result<(), ProviderError> {
    let app = &desired.app;
    let mut read: BTreeSet<MachineId> = BTreeSet::new();
    loop {
        let lacking = hold::machines_with_hidden_values(desired, known, observed);
        let next = lacking.into_values().flat_map(|machines| {
            let unread = machines.into_iter().filter(|id| !read.contains(id));
            unread.take(MAX_CONCURRENT_READS).collect::<Vec<_>>()
        });
        let next: Vec<MachineId> = next.collect();
        if next.is_empty() {
            return Ok(());
        }
        let versions: Vec<Vec<MachineVersion>> = stream::iter(&next)
            .map(|id| async move {
                match read_with_retry(|| provider.versions(app, id)).await {
                    Err(error) if error.class == ErrorClass::NotFound => Ok(Vec::new()),
                    versions => versions,
                }
            })
            .buffered(MAX_CONCURRENT_READS)
            .try_collect()
            .await?;
        let of_release = versions.into_iter().flatten();
        let of_release = of_release.filter(|version| version.release == Some(release));
        let configs = of_release.map(|version| version.config);
        observed.held_configs.extend(configs);
        read.extend(next);
    }
}

/// One try; `None` if the list lags and another try may find it up to date (`patient`).
async fn try_observe(
    provider: &dyn Provider,
    app: &AppName,
    known: &Known,
    patient: bool,
) -> Result<Observed, Option<ObserveError>> {
    let (description, listing) = match read_app(provider, app).await {
        Err(error) if error.class == ErrorClass::NotFound && !known.machines.is_empty() => {
            return Err(Some(ObserveError::AppGone {
                app: app.clone(),
                known: known.machines.len(),
            }));
        }
        looked => looked.map_err(ObserveError::from)?,
    };
    let count = description.machine_count.unwrap_or(0);
    let vanished = listing.machines.is_empty() && count > 0;
    if vanished && !patient {
        let app = app.clone();
        return Err(Some(ObserveError::FleetVanished { app, count }));
    }
    // A Machine that is not known yet can only be missed by count.
    if patient && (listing.machines.len() as u64) < count {
        return Err(None);
    }
    let found = read_missing(provider, app, known, description, listing);
    let snapshot = Box::pin(found).await.map_err(ObserveError::from)?;
    if patient && !snapshot.lagging.is_empty() {
        return Err(None);
    }
    Ok(snapshot)
}

async fn read_app(
    provider: &dyn Provider,
    app: &AppName,
) -> Result<(Description, Listing), ProviderError> {
    let description = read_with_retry(|| provider.describe(app));
    // If the app does not exist, the description reports it better.
    let listing = async {
        match read_with_retry(|| provider.list(app)).await {
            Err(error) if error.class == ErrorClass::NotFound => Ok(Err(error)),
            listing => listing.map(Ok),
        }
    };
    let (description, listing) = try_join(description, listing).await?;
    Ok((description, listing?))
}

/// The newest releases of an app, at most `limit`, newest first; `None` if they cannot be read with this access.
///
/// # Errors
/// The provider call failed, also after retries.
pub async fn releases(
    provider: &dyn Provider,
    app: &AppName,
    limit: usize,
) -> Result<Option<Vec<Release>>, ProviderError> {
    read_with_retry(|| provider.releases(app, limit)).await
}

/// Adds the Machines of the release command, if the manifests have one.
async fn add_once(
    provider: &dyn Provider,
    desired: &Desired,
    observed: &mut Observed,
) -> Result<(), ProviderError> {
    if desired.rollout.release_command.is_none() {
        return Ok(());
    }
    let group = OnceKind::ReleaseCommand.group();
    let machines = read_with_retry(|| provider.list_with_destroyed(&observed.app, &group)).await?;
    let description = &observed.description;
    let ours = machines.into_iter();
    observed.once = ours
        .filter(|machine| !description.belongs_to_other_project(machine))
        .collect();
    Ok(())
}

async fn read_missing(
    provider: &dyn Provider,
    app: &AppName,
    known: &Known,
    mut description: Description,
    listing: Listing,
) -> Result<Observed, ProviderError> {
    // Without a reported id, the app is identified by the state's lineage.
    if let (true, Some(lineage)) = (description.scope_is_derived, &known.lineage) {
        description.scope = lineage.clone();
    }
    let (release, release_unknown) = match newest_release(provider, app).await {
        Ok(release) => (release, None),
        Err(error) => (None, Some(error.message)),
    };
    let mut observed = Observed {
        app: app.clone(),
        description,
        machines: BTreeMap::new(),
        other_projects: BTreeMap::new(),
        once: Vec::new(),
        gone: Vec::new(),
        lagging: Vec::new(),
        volumes: listing.volumes,
        release,
        release_unknown,
        unreadable: listing.unreadable,
        held_configs: Vec::new(),
    };
    let alive = |machine: &Machine| machine.state != MachineState::Destroyed;
    for machine in listing.machines.into_iter().filter(alive) {
        let is_other = observed.description.belongs_to_other_project(&machine)
            && !known.machines.contains_key(&machine.id);
        let place = if is_other {
            &mut observed.other_projects
        } else {
            &mut observed.machines
        };
        place.insert(machine.id.clone(), machine);
    }
    let unlisted = |id: &&MachineId| !observed.machines.contains_key(*id);
    let missing: Vec<&MachineId> = known.machines.keys().filter(unlisted).collect();
    let answers: Vec<(&MachineId, Option<Machine>)> = stream::iter(missing)
        .map(|id| async move {
            let machine = match read_with_retry(|| provider.get(app, id)).await {
                Ok(machine) if machine.state == MachineState::Destroyed => None,
                Ok(machine) => Some(machine),
                Err(error) if error.class == ErrorClass::NotFound => None,
                Err(error) => return Err(error),
            };
            Ok((id, machine))
        })
        .buffered(MAX_CONCURRENT_READS)
        .try_collect()
        .await?;
    for (id, machine) in answers {
        match machine {
            Some(machine) => {
                observed.machines.insert(id.clone(), machine);
                observed.lagging.push(id.clone());
            }
            None => observed.gone.push(id.clone()),
        }
    }
    Ok(observed)
}

/// Releases are bookkeeping on another host; a read that fails is not retried.
async fn newest_release(
    provider: &dyn Provider,
    app: &AppName,
) -> Result<Option<Release>, ProviderError> {
    retry::retry(
        retry::of_rate_limited_read,
        async || provider.newest_release(app).await,
        retry::sleep_between,
    )
    .await
}

/// Retries a read after an error that may pass; reads are safe to repeat.
pub(crate) async fn read_with_retry<T, F>(read: impl Fn() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    let deadline = Instant::now() + READ_DEADLINE;
    let mut last = None;
    let read = async || match timeout_at(deadline, read()).await {
        Ok(answer) => answer.inspect_err(|error| last = Some(error.clone())),
        Err(_) => Err(last.take().unwrap_or_else(timeout_error)),
    };
    retry::retry(retry::of_read, read, retry::sleep_between).await
}

/// The provider did not respond in time, and no try finished.
fn timeout_error() -> ProviderError {
    let message = format!(
        "the provider did not respond within {} s",
        READ_DEADLINE.as_secs()
    );
    ProviderError::new(ErrorClass::Transient, TIMED_OUT, message)
        .hint("nothing was changed; run the command again, or check the provider's status page")
}
