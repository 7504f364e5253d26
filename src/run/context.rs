//! What a run stands on, and one look at it: what is remembered, what is there, and what follows.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::{
    AppName, Description, Desired, Known, Machine, Observed, Release, ReleaseStatus, RunId,
};
use crate::core::plan::{Finding, Options, Plan, SavedPlan, check, plan};
use crate::core::state::{self, StateError};
use crate::env::Env;
use crate::journal::{Journal, JournalError, OpenRun, RunStatus};
use crate::observe::{ObserveError, observe};
use crate::provider::Provider;
use crate::store::{StateStore, StoreError, Version};

/// Everything that a run stands on.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// Who carries out calls.
    pub provider: &'a dyn Provider,
    /// Where the state is kept.
    pub store: &'a dyn StateStore,
    /// Where a run is kept until its state is written.
    pub journal: &'a dyn Journal,
    /// Clock, user, commit.
    pub env: &'a Env,
}

/// The state as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredState {
    /// What it says.
    pub known: Known,
    /// To be named by the next write.
    pub version: Version,
    /// Digest of the text; none when there is no state yet.
    pub digest: Option<String>,
}

/// One look: what is remembered, what is there, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The state.
    pub stored_state: StoredState,
    /// The world; none when it was not asked.
    pub observed: Option<Observed>,
    /// What follows.
    pub plan: Plan,
    /// Runs that the journal has and the state does not: under way, died, or not published.
    pub open_runs: Vec<OpenRun>,
    /// The releases that runs of this host have registered, closed runs included, each with its run.
    pub registered_releases: BTreeMap<String, RunId>,
    /// The saved plan that was reviewed instead of this look's own, where there is one; it is spent by
    /// being carried out.
    pub reviewed_plan: Option<SavedPlan>,
}

/// A release that a run of ours left behind as one in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnfinishedRelease<'a> {
    /// Which.
    pub release: &'a Release,
    /// How that run ended.
    pub status: ReleaseStatus,
    /// Whether that run is over for certain; else only who holds the app's lease knows it.
    pub is_over: bool,
}

/// Why there is nothing to stand on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state's text could not be understood; it was left as it is.
    #[error("{error}")]
    State {
        /// What is wrong with it.
        error: StateError,
        /// Where it is.
        place: String,
    },
    /// The store could not be read, written or locked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The world could not be seen.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The journal could not be read or written before the first call.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The plan does not pass its own check: a bug of ours, and nothing was changed.
    #[error("the plan does not pass its own check")]
    InvalidPlan(Vec<Finding>),
    /// The plan was made without asking the provider and cannot be carried out.
    #[error("a plan that was made offline cannot be carried out")]
    Offline,
}

impl StoredState {
    /// Reads the state; no text is the state of an app that was never applied.
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
    /// The runs that are not closed: those of this project folder where Machines belong to one, and those
    /// of a version that did not tell folders apart.
    pub(super) fn open_runs(&self, described: &Description) -> Result<Vec<OpenRun>, JournalError> {
        let own = described.journal_lineage();
        let mut runs = self.journal.open_runs(&described.scope)?;
        if own != described.scope {
            runs.extend(self.journal.open_runs(&own)?);
        }
        Ok(runs)
    }

    /// Reads the state, looks at the world once, and plans. Runs that this host's journal has a record
    /// of are taken over without being asked (rule 12).
    pub async fn preview(&self, wishes: &Options) -> Result<Preview, RunError> {
        let app = &self.desired.app;
        let remembered = StoredState::read(self.store, app, &self.desired.provider).await?;
        let observed = observe(self.provider, app, &remembered.known).await?;
        let mut open_runs = self.open_runs(&observed.description)?;
        let registered = self.journal.releases(&observed.description.scope)?;
        let mut options = wishes.clone();
        options.now = Some(self.env.unix_now());
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
        })
    }

    /// The same look with other wishes for the same world: nobody is asked again.
    pub fn replan(&self, at: &Preview, wishes: &Options) -> Result<Preview, RunError> {
        let mut options = wishes.clone();
        options.now = Some(self.env.unix_now());
        if let Some(observed) = &at.observed {
            let open = self.open_runs(&observed.description)?;
            adopt_own_runs(&mut options, &open, &at.registered_releases);
        }
        let known = &at.stored_state.known;
        Ok(Preview {
            plan: plan(self.desired, known, at.observed.as_ref(), &options),
            ..at.clone()
        })
    }

    /// Under the lock: what differs between a look that was shown and a fresh one, for people.
    pub fn differences(shown: &Preview, fresh: &Preview) -> Vec<String> {
        SavedPlan::of(&shown.plan).differences(&fresh.plan)
    }

    /// Under the lock: reads the plan a second time, and closes runs that the state has since passed, or
    /// of which nothing is left to do, unread.
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

/// What this host's journal has a record of (rule 12).
fn adopt_own_runs(options: &mut Options, open: &[OpenRun], registered: &BTreeMap<String, RunId>) {
    let runs = open.iter().map(|open| open.row.run.clone());
    options.own_runs.extend(runs);
    options.own_releases.extend(registered.keys().cloned());
}

impl Preview {
    /// The releases that runs of this host have registered.
    pub fn own_releases(&self) -> BTreeSet<String> {
        self.registered_releases.keys().cloned().collect()
    }

    /// The newest release where a run of ours registered it and did not mark it as ended, and how that run
    /// ended as far as the state tells. The journal of this host knows it, or a Machine bears its stamp.
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
            observed.machines.values().find(ours)?.stamps.run.as_ref()
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

    /// Reads the state and plans from it alone.
    pub async fn offline(
        desired: &Desired,
        store: &dyn StateStore,
        wishes: &Options,
    ) -> Result<Self, RunError> {
        let remembered = StoredState::read(store, &desired.app, &desired.provider).await?;
        let plan = plan(desired, &remembered.known, None, wishes);
        Ok(Self {
            stored_state: remembered,
            observed: None,
            plan,
            open_runs: Vec::new(),
            registered_releases: BTreeMap::new(),
            reviewed_plan: None,
        })
    }
}
