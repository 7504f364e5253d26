//! The inputs of a run, and a preview: known state, observed Machines, and the plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::commit_history::CommitHistory;
use crate::core::fleet::{
    AppName, Description, Desired, Known, Machine, Observed, Release, ReleaseStatus, RunId,
};
use crate::core::plan::hold::held_desired;
use crate::core::plan::{
    CommitRelations, Finding, Options, Plan, SavedPlan, check, commits_to_compare, plan,
};
use crate::core::state::{self, StateError};
use crate::env::Env;
use crate::journal::{Journal, JournalError, OpenRun, RunStatus};
use crate::observe::{ObserveError, observe_for, read_held_configs};
use crate::provider::Provider;
use crate::store::{StateStore, StoreError, Version};

/// Everything a run needs.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The desired state.
    pub desired: &'a Desired,
    /// The provider.
    pub provider: &'a dyn Provider,
    /// The state store.
    pub store: &'a dyn StateStore,
    /// The journal.
    pub journal: &'a dyn Journal,
    /// Clock and user.
    pub env: &'a Env,
    /// The commit of the manifests.
    pub commits: &'a dyn CommitHistory,
}

/// The state as read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    /// Its content.
    pub known: Known,
    /// The version that the next write expects.
    pub version: Version,
    /// Digest of the text; `None` if there is no state yet.
    pub digest: Option<String>,
}

/// A preview: known state, observed Machines, and the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The state.
    pub stored_state: StoredState,
    /// The observed Machines; `None` offline.
    pub observed: Option<Observed>,
    /// The plan.
    pub plan: Plan,
    /// Runs in the journal that are not in the state: in progress, crashed, or not published.
    pub open_runs: Vec<OpenRun>,
    /// Releases registered by runs of this host, closed runs included.
    pub registered_releases: BTreeMap<String, RunId>,
    /// The reviewed saved plan, if one is applied.
    pub reviewed_plan: Option<SavedPlan>,
    /// The manifests' commit as compared with those of other runs.
    pub commits: CommitRelations,
}

/// A release that one of our runs left in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnfinishedRelease<'a> {
    /// The release.
    pub release: &'a Release,
    /// The outcome of that run.
    pub status: ReleaseStatus,
    /// Whether that run has certainly ended; otherwise only the holder of the app's lease knows.
    pub is_over: bool,
}

/// Why there is no preview or run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state's text is invalid; it was not changed.
    #[error("{error}")]
    State {
        /// The error.
        error: StateError,
        /// Its location.
        place: String,
    },
    /// The store could not be read, written or locked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider could not be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The journal could not be read or written before the first call.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The plan violates its own check: a bug; nothing was changed.
    #[error("the plan does not pass its own check")]
    InvalidPlan(Vec<Finding>),
    /// The plan was made offline and cannot be applied.
    #[error("a plan made without the provider cannot be applied")]
    Offline,
}

impl StoredState {
    /// Reads the state; a missing file is the empty state.
    pub async fn read(
        store: &dyn StateStore,
        app: &AppName,
        provider: &str,
    ) -> Result<Self, RunError> {
        let stored = store.read().await?;
        let known = match &stored.text {
            Some(text) => state::read(text, app).map_err(|error| RunError::State {
                error,
                place: store.location(),
            })?,
            None => Known::empty(app.clone(), provider),
        };
        Ok(Self {
            known,
            version: stored.version,
            digest: stored.text.as_deref().map(state::digest),
        })
    }
}

impl RunContext<'_> {
    /// Open runs of this project folder, if Machines belong to folders; also those of versions that did not
    /// record the folder.
    pub(super) fn open_runs(&self, described: &Description) -> Result<Vec<OpenRun>, JournalError> {
        let own = described.journal_lineage();
        let mut runs = self.journal.open_runs(&described.scope)?;
        if own != described.scope {
            runs.extend(self.journal.open_runs(&own)?);
        }
        Ok(runs)
    }

    /// Reads the state, observes once, and plans. Runs in this host's journal are adopted without a flag (rule
    /// 12).
    pub async fn preview(&self, options: &Options) -> Result<Preview, RunError> {
        let app = &self.desired.app;
        let remembered = StoredState::read(self.store, app, &self.desired.provider).await?;
        let observed =
            Box::pin(observe_for(self.provider, self.desired, &remembered.known)).await?;
        let mut open_runs = self.open_runs(&observed.description)?;
        let registered = self.journal.releases(&observed.description.scope)?;
        let mut options = options.clone();
        options.now = Some(self.env.unix_now());
        let others = commits_to_compare(&remembered.known, &observed);
        options.commits = self.commits.relations(&others).await;
        adopt_own_runs(&mut options, &open_runs, &registered);
        open_runs.retain(|open| open.row.serial >= remembered.known.serial);
        let plan = plan(self.desired, &remembered.known, Some(&observed), &options);
        Ok(Preview {
            stored_state: remembered,
            observed: Some(observed),
            plan,
            open_runs,
            registered_releases: registered,
            reviewed_plan: None,
            commits: options.commits,
        })
    }

    /// A new plan of other manifests or options for the same observation.
    pub async fn replan(&self, at: &Preview, options: &Options) -> Result<Preview, RunError> {
        let mut at = at.clone();
        let known = &at.stored_state.known;
        if let Some(observed) = &mut at.observed {
            Box::pin(read_held_configs(
                self.provider,
                self.desired,
                known,
                observed,
            ))
            .await?;
        }
        let mut options = options.clone();
        options.now = Some(self.env.unix_now());
        options.commits = at.commits.clone();
        if let Some(observed) = &at.observed {
            let open = self.open_runs(&observed.description)?;
            adopt_own_runs(&mut options, &open, &at.registered_releases);
        }
        Ok(Preview {
            plan: plan(self.desired, known, at.observed.as_ref(), &options),
            ..at
        })
    }

    /// The plan of other manifests for the same state and observation.
    pub async fn plan_of(
        &self,
        desired: &Desired,
        at: &Preview,
        options: &Options,
    ) -> Result<Plan, RunError> {
        let context = RunContext { desired, ..*self };
        Ok(context.replan(at, options).await?.plan)
    }

    /// Under the lock: differences between a reviewed and a fresh preview.
    pub fn differences(shown: &Preview, fresh: &Preview) -> Vec<String> {
        SavedPlan::of(&shown.plan).differences(&fresh.plan)
    }

    /// Under the lock: checks the plan, and closes runs that are recorded in the state or have nothing left to
    /// do.
    pub fn check_and_close_runs(&self, fresh: &Preview) -> Result<(), RunError> {
        let (known, observed) = (&fresh.stored_state.known, fresh.observed.as_ref());
        let findings = check(&fresh.plan, self.desired, known, observed);
        if !findings.is_empty() {
            return Err(RunError::InvalidPlan(findings));
        }
        let Some(observed) = observed else {
            return Ok(());
        };
        for open in self.open_runs(&observed.description)? {
            if open.row.serial < known.serial || fresh.plan.is_empty() {
                self.journal.mark_run(&open.row.run, RunStatus::Closed)?;
            }
        }
        Ok(())
    }
}

/// What this host's journal records (rule 12).
fn adopt_own_runs(options: &mut Options, open: &[OpenRun], registered: &BTreeMap<String, RunId>) {
    let runs = open.iter().map(|open| open.row.run.clone());
    options.own_runs.extend(runs);
    options.own_releases.extend(registered.keys().cloned());
    for open in open {
        let (ended, started) = open.once();
        options.ended_once.extend(ended);
        options.started_once.extend(started);
        options
            .switched_swaps
            .extend(open.switched().map(str::to_owned));
    }
}

impl Preview {
    /// The desired fleet that the plan applies, with the settings chosen for this run; under `[hold]` its configs are
    /// those of an earlier release.
    pub fn desired<'d>(&self, manifests: &'d Desired) -> Cow<'d, Desired> {
        let held = held_desired(manifests, &self.stored_state.known, self.observed.as_ref());
        self.plan.requested.override_desired(held)
    }

    /// Releases registered by runs of this host.
    pub fn own_releases(&self) -> BTreeSet<String> {
        self.registered_releases.keys().cloned().collect()
    }

    /// The newest release, if one of our runs registered it, did not mark it as finished, and ended according
    /// to state or journal.
    pub fn unfinished_release(&self) -> Option<UnfinishedRelease<'_>> {
        let observed = self.observed.as_ref()?;
        let release = observed
            .release
            .as_ref()
            .filter(|release| release.in_progress)?;
        let stamped = || {
            let ours = |machine: &&Machine| {
                let stamp = machine.stamps.release.as_deref();
                stamp.is_some_and(|stamp| {
                    stamp.registered_by_us && stamp.id.as_ref() == Some(&release.id)
                })
            };
            let mut machines = observed.machines.values().chain(&observed.once);
            machines.find(ours)?.stamps.run.as_ref()
        };
        let run = self.registered_releases.get(&release.id).or_else(stamped)?;
        let listed = self
            .stored_state
            .known
            .runs
            .iter()
            .find(|record| record.run == *run);
        let open = self.open_runs.iter().any(|open| open.row.run == *run);
        let closed = self.registered_releases.contains_key(&release.id) && !open;
        Some(UnfinishedRelease {
            release,
            status: match listed.map(|record| record.outcome.as_str()) {
                Some("complete") => ReleaseStatus::Complete,
                Some("failed" | "overtaken") => ReleaseStatus::Failed,
                Some(_) | None => ReleaseStatus::Interrupted,
            },
            is_over: listed.is_some() || closed,
        })
    }

    /// The plan of other manifests for the same state, if no provider was read.
    pub fn offline_plan_of(&self, desired: &Desired, options: &Options) -> Plan {
        plan(desired, &self.stored_state.known, None, options)
    }

    /// Plans from the state only.
    pub async fn offline(
        desired: &Desired,
        store: &dyn StateStore,
        options: &Options,
    ) -> Result<Self, RunError> {
        let remembered = StoredState::read(store, &desired.app, &desired.provider).await?;
        let plan = plan(desired, &remembered.known, None, options);
        Ok(Self {
            stored_state: remembered,
            observed: None,
            plan,
            open_runs: Vec::new(),
            registered_releases: BTreeMap::new(),
            reviewed_plan: None,
            commits: CommitRelations::default(),
        })
    }
}
