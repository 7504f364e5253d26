//! What most verbs start with: manifests, state, provider and a preview.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Context;
use super::args::{PlanOptions, RecoveryFlags, parse_steady};
use super::codes;
use super::fallback_manifests::{self, ManifestProblem};
use super::git_history::GitHistory;
use super::lock::holder_name;
use super::manifests::{self, ManifestQuery, Manifests, Purpose, ValidManifests, Warnings};
use super::project::Project;
use super::state_place::{StatePlace, state_store, store_at};
use crate::core::escape;
use crate::core::fleet::profile::ProviderKind;
use crate::core::fleet::{Desired, Known};
use crate::core::manifest::did_you_mean;
use crate::core::plan::{CommitRelations, Options, PlanMode, Requested};
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, RunStatus};
use crate::provider::Provider;
use crate::provider::fly::{Access, AccessError, FlyProvider, HttpTransport};
use crate::provider::local::{LocalConfig, LocalProvider};
use crate::run::{Preview, RunContext, StoredState};
use crate::store::{EmptyStore, LockStatus, StateStore};
use crate::ui::{Failure, Ui};

/// The state to plan from, if it is not that of `[state]`.
#[derive(Debug, Clone, Copy)]
pub(super) enum GivenState<'a> {
    /// That of `[state]`.
    None,
    /// There is none yet: `--state none`.
    Empty,
    /// The file of `--state`.
    ByFlag(&'a Path),
    /// The state of the base.
    OfBase(&'a Path),
}

impl<'a> GivenState<'a> {
    fn file(self) -> Option<&'a Path> {
        match self {
            Self::None | Self::Empty => None,
            Self::ByFlag(file) | Self::OfBase(file) => Some(file),
        }
    }
}

/// Everything a verb works with.
pub(super) struct Session {
    pub(super) desired: Desired,
    pub(super) store: Box<dyn StateStore>,
    /// The folder of the state file, or of the manifests: for unpublished copies.
    pub(super) state_folder: PathBuf,
    /// The state, if it is a file.
    state_file: Option<PathBuf>,
    /// The state that `[state]` names, if it is a file.
    own_state: Option<PathBuf>,
    project: Project,
    provider_named: bool,
    has_image: bool,
    /// The settings file, if any.
    settings_file: Option<PathBuf>,
    /// Whether the manifests are valid.
    has_manifests: bool,
    /// The commit of the manifests.
    history: GitHistory,
}

impl Session {
    /// Reads the manifests and locates the state. The provider can confirm regions that are not in the built-in
    /// list.
    pub(super) async fn open_online(
        context: &Context<'_>,
        warnings: Warnings,
    ) -> Result<Self, Failure> {
        let manifests = read_online(context, Purpose::Run, ManifestQuery::default()).await?;
        Self::from_manifests(context, manifests, warnings)
    }

    /// The same for a plan, offline as well.
    pub(super) async fn for_plan(
        context: &Context<'_>,
        warnings: Warnings,
        online: bool,
        state: GivenState<'_>,
    ) -> Result<Self, Failure> {
        let query = ManifestQuery {
            state: state.file().map(Path::to_owned),
            ..ManifestQuery::default()
        };
        let manifests = if online {
            read_online(context, Purpose::Plan, query).await?
        } else {
            manifests::read_pair(context, Purpose::Plan, query)?
        };
        let accepted = manifests.accept(context.ui, warnings)?;
        let session = Self::with_state(context, accepted, state)?;
        if !online && session.state_file.is_none() && !matches!(state, GivenState::Empty) {
            let place = session.store.location();
            return Err(Failure::new(
                codes::STATE_NOT_HERE,
                format!("the state is at `{place}`, and an offline plan does not use the network"),
            )
            .hint(
                "check the branch of the state out into a folder and name the file: `--state FILE`; before the \
                 first apply `--state none`",
            ));
        }
        Ok(session)
    }

    /// How long to wait for the state's lock: as long as the flag says, else as long as a dead holder's lock of
    /// this store can stay.
    pub(super) fn lock_patience(&self, flag: Option<Duration>) -> Duration {
        flag.unwrap_or_else(|| self.store.default_lock_patience())
    }

    /// The path of the state that `[state]` names, if it is a file.
    pub(super) fn own_state(&self) -> Option<&Path> {
        self.own_state.as_deref()
    }

    /// The state, if it is a file.
    pub(super) fn state_file(&self) -> Option<&Path> {
        self.state_file.as_deref()
    }

    /// The commit of the manifests, and its history.
    pub(super) fn history(&self) -> &GitHistory {
        &self.history
    }

    /// The project of the manifests.
    pub(super) fn project(&self) -> &Project {
        &self.project
    }

    /// Uses this state file instead.
    pub(super) fn use_state(&mut self, context: &Context<'_>, path: PathBuf) {
        self.store = Box::new(state_store(context, &path));
        self.state_folder = path.parent().map(PathBuf::from).unwrap_or_default();
        self.state_file = Some(path);
    }

    /// For read-only verbs and `destroy`: with missing or broken manifests, app name, provider and state are
    /// enough, and one warning says so.
    pub(super) fn open_lenient(context: &Context<'_>) -> Result<Self, Failure> {
        Self::open_lenient_with(context, GivenState::None)
    }

    /// The same with another state.
    pub(super) fn open_lenient_with(
        context: &Context<'_>,
        state: GivenState<'_>,
    ) -> Result<Self, Failure> {
        let query = ManifestQuery {
            state: state.file().map(Path::to_owned),
            ..ManifestQuery::default()
        };
        let read = manifests::read_pair(context, Purpose::Inspect, query);
        Self::lenient(context, read, state)
    }

    /// The same, online.
    pub(super) async fn open_lenient_online(context: &Context<'_>) -> Result<Self, Failure> {
        let read = match manifests::read(context, Purpose::Inspect) {
            Ok(read) if manifests::has_unknown_region(&read.loaded.diagnostics) => {
                // Without the provider's regions the verb continues.
                let named = match fly_provider(context) {
                    Ok(fly) => fly.regions().await.unwrap_or_default(),
                    Err(_) => BTreeSet::new(),
                };
                manifests::read_with_regions(context, Purpose::Inspect, named)
            }
            read => read,
        };
        Self::lenient(context, read, GivenState::None)
    }

    fn lenient(
        context: &Context<'_>,
        read: Result<Manifests, Failure>,
        state: GivenState<'_>,
    ) -> Result<Self, Failure> {
        let problem = match read {
            Ok(read) => match read.problem() {
                None => {
                    let accepted = read.accept(context.ui, Warnings::Hidden)?;
                    return Self::with_state(context, accepted, state);
                }
                Some(problem) => problem,
            },
            Err(failure) => ManifestProblem {
                failure,
                has_image: false,
            },
        };
        let left = fallback_manifests::fallback_manifests(context.global, context.ui, problem)?;
        Ok(Self {
            has_manifests: false,
            ..Self::with_state(context, left, state)?
        })
    }

    /// The desired state, if the manifests are valid.
    pub(super) fn desired_if_valid(&self) -> Option<&Desired> {
        Some(&self.desired).filter(|_| self.has_manifests)
    }

    /// Reads the state; an unreadable state is only a warning.
    pub(super) async fn load_state_or_warn(&self, ui: &Ui) -> Option<Known> {
        match self.load_state().await {
            Ok(remembered) => Some(remembered.known),
            Err(failure) => {
                let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
                let causes: String = causes.collect();
                let text = format!("{}{causes}; continuing without the state", failure.message);
                ui.warn(&text);
                None
            }
        }
    }

    /// The empty state of this app.
    pub(super) fn empty_state(&self) -> Known {
        Known::empty(self.desired.app.clone(), &self.desired.provider)
    }

    /// The session of parsed manifests.
    pub(super) fn from_manifests(
        context: &Context<'_>,
        manifests: Manifests,
        warnings: Warnings,
    ) -> Result<Self, Failure> {
        Self::from_valid(context, manifests.accept(context.ui, warnings)?)
    }

    /// The same before an edit; warnings are shown after it.
    pub(super) fn from_manifests_before_edit(
        context: &Context<'_>,
        manifests: Manifests,
    ) -> Result<Self, Failure> {
        manifests.desired(context.ui)?;
        Self::from_valid(context, manifests.accept_silently()?)
    }

    fn from_valid(context: &Context<'_>, accepted: ValidManifests) -> Result<Self, Failure> {
        Self::with_state(context, accepted, GivenState::None)
    }

    fn with_state(
        context: &Context<'_>,
        accepted: ValidManifests,
        given: GivenState<'_>,
    ) -> Result<Self, Failure> {
        let ValidManifests {
            project,
            desired,
            settings,
            provider_named,
            has_image,
            settings_file,
            files,
        } = accepted;
        let own = StatePlace::of(&project, &desired.app, &settings);
        let (place, own) = match given {
            GivenState::Empty => (None, own.ok()),
            GivenState::ByFlag(file) => (Some(StatePlace::File(file.to_owned())), own.ok()),
            GivenState::OfBase(file) => (Some(StatePlace::File(file.to_owned())), Some(own?)),
            GivenState::None => {
                let own = own?;
                (Some(own.clone()), Some(own))
            }
        };
        let history = GitHistory::new(
            context.env,
            project.folder(),
            files,
            own.iter().chain(&place).map(|place| match place {
                StatePlace::File(path) => path.clone(),
                StatePlace::Git(address) => project.root().join(&address.path),
            }),
        );
        let store: Box<dyn StateStore> = match &place {
            None => Box::new(EmptyStore),
            Some(place) => store_at(context, &project, &desired.app, place)?,
        };
        let file = |place: Option<StatePlace>| match place {
            Some(StatePlace::File(path)) => Some(path),
            Some(StatePlace::Git(_)) | None => None,
        };
        let state_file = file(place);
        let state_folder = match state_file.as_deref().and_then(Path::parent) {
            Some(folder) => folder.to_owned(),
            None => project.folder().to_owned(),
        };
        Ok(Self {
            history,
            desired,
            store,
            own_state: file(own),
            state_file,
            state_folder,
            project,
            provider_named,
            has_image,
            settings_file,
            has_manifests: true,
        })
    }

    /// Suggests a similar app name, for offline verbs: if the app named by flag or variable has no state here
    /// and a similar one has.
    pub(super) fn say_other_state(&self, context: &Context<'_>) {
        let app = self.desired.app.as_str();
        let is_there = self.state_file.as_ref().is_none_or(|file| file.exists());
        if context.global.app.is_none() || is_there {
            return;
        }
        let there = std::fs::read_dir(&self.state_folder);
        let names = there.into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut apps: Vec<String> = names
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        apps.sort();
        if let Some(meant) = did_you_mean(app, apps.iter().map(String::as_str)) {
            context
                .ui
                .warn(&format!("app `{app}` has no state here; {meant}"));
        }
    }

    /// Reads the state.
    pub(super) async fn load_state(&self) -> Result<StoredState, Failure> {
        Ok(StoredState::read(&*self.store, &self.desired.app, &self.desired.provider).await?)
    }

    /// Warns about unfinished runs in the journal, which may explain an unexpected plan. Only the holder of the
    /// lock closes them.
    pub(super) async fn report_open_runs(&self, ui: &Ui, preview: &Preview) -> Result<(), Failure> {
        self.history.report_if_read(ui).await;
        let Some(last) = preview.open_runs.last() else {
            return Ok(());
        };
        if let LockStatus::Held(holder) = self.store.holder().await? {
            let who = holder.map_or_else(
                || "another process".to_owned(),
                |holder| holder_name(&holder),
            );
            ui.warn(&format!(
                "{who} is changing `{}`: this is only a snapshot",
                preview.plan.app
            ));
            return Ok(());
        }
        let row = &last.row;
        let what = match last.status {
            RunStatus::Unpublished => "changed Machines but could not write the state",
            RunStatus::Running | RunStatus::Closed if last.was_rolling_back() => {
                "did not finish its rollback"
            }
            RunStatus::Running | RunStatus::Closed => "did not finish",
        };
        ui.warn(&format!(
            "run {} (`aeroform {}` by {}, {}) {what}; the next apply adopts its changes",
            row.run, row.command, row.by, row.at
        ));
        Ok(())
    }

    /// The context of a run of this session.
    pub(super) fn run_context<'a>(
        &'a self,
        context: &'a Context<'_>,
        provider: &'a dyn Provider,
        journal: &'a dyn Journal,
    ) -> RunContext<'a> {
        RunContext {
            desired: &self.desired,
            provider,
            store: &*self.store,
            journal,
            env: context.env,
            commits: &self.history,
        }
    }

    fn local_provider(&self, context: &Context<'_>) -> Result<LocalProvider, Failure> {
        let provider = LocalProvider::new(LocalConfig {
            dir: state_dir(context)?.join("local"),
            project: self.project.folder().to_owned(),
            program: context.env.program().map_err(|error| {
                Failure::new(codes::NO_PROGRAM, "cannot find the path of this executable")
                    .cause(error)
            })?,
        });
        let Some(text) = context.env.var("AEROFORM_LOCAL_PORTS") else {
            return Ok(provider);
        };
        let port = text
            .parse()
            .ok()
            .filter(|port| (1024..=60_000).contains(port));
        let port = port.ok_or_else(|| {
            Failure::new(
                codes::BAD_PORT,
                format!("`AEROFORM_LOCAL_PORTS` is `{text}`, which is not a valid first port"),
            )
            .hint("set it to a number from 1024 to 60000, or unset it")
        })?;
        Ok(provider.first_port(port))
    }

    /// Refuses to guess the provider of an app that may be on Fly.
    pub(super) fn check_provider_named(&self, context: &Context<'_>) -> Result<(), Failure> {
        let written = match &self.settings_file {
            Some(file) => format!(", or write `provider = \"…\"` in `{}`", file.display()),
            None if self.has_manifests => {
                format!(", or run `{} init`", context.global.program())
            }
            None => String::new(),
        };
        check_provider_named(context, self.provider_named, self.has_image, &written)
    }

    /// The configured provider.
    pub(super) fn provider(&self, context: &Context<'_>) -> Result<Box<dyn Provider>, Failure> {
        self.check_provider_named(context)?;
        match self.desired.profile().kind {
            ProviderKind::Local => Ok(Box::new(self.local_provider(context)?)),
            ProviderKind::Fly => Ok(Box::new(fly_provider(context)?)),
            ProviderKind::Other => Err(manifests::unknown_provider_error(&self.desired.provider)),
        }
    }
}

/// Refuses to guess the provider: with a token or an image an app is more likely on Fly than on this computer.
/// `written` names the file for the provider.
pub(super) fn check_provider_named(
    context: &Context<'_>,
    is_named: bool,
    has_image: bool,
    written: &str,
) -> Result<(), Failure> {
    let reason = match Access::token_variable(|name| context.env.var(name)) {
        _ if is_named => return Ok(()),
        Some(variable) => format!("`{variable}` is set"),
        None if has_image => "an image or `[build]` is set".to_owned(),
        None => return Ok(()),
    };
    Err(Failure::new(
        codes::NO_PROVIDER_NAMED,
        "no provider is configured",
    )
    .cause(format!(
        "no flag, aeroform.toml or state names a provider, and {reason}"
    ))
    .hint(format!(
        "use `--provider fly` for Fly or `--provider local` for processes on this computer{written}"
    )))
}

/// Reads the manifests for a verb that reads the provider.
pub(super) async fn read_online(
    context: &Context<'_>,
    purpose: Purpose,
    query: ManifestQuery,
) -> Result<Manifests, Failure> {
    let read = manifests::read_pair(context, purpose, query.clone())?;
    if read.loaded.diagnostics.errors() > 0
        || !manifests::has_unknown_region(&read.loaded.diagnostics)
    {
        return Ok(read);
    }
    let regions = fly_provider(context)?.regions().await?;
    manifests::read_pair(context, purpose, ManifestQuery { regions, ..query })
}

/// Fly, or another server with its API. Address and token never come from a manifest (rule 38).
pub(super) fn fly_provider(context: &Context<'_>) -> Result<FlyProvider<HttpTransport>, Failure> {
    let refused = |error: AccessError| Failure::new(error.code, error.message).hint(error.hint);
    let access = Access::from_vars(|name| context.env.var(name)).map_err(refused)?;
    let transport = HttpTransport::new(&access).map_err(refused)?;
    let provider = FlyProvider::new(transport, access).with_progress(context.ui.progress_writer());
    Ok(match context.global.max_rps {
        Some(most) => provider.with_max_rps(most),
        None => provider,
    })
}

/// Planner options from recovery flags.
pub(super) fn planner_options(
    flags: &RecoveryFlags,
    mode: PlanMode,
    requested: Requested,
) -> Options {
    Options {
        mode,
        requested,
        commits: CommitRelations::default(),
        allow_older: flags.allow_older,
        accept_missing: flags.accept_missing,
        accept_unknown: flags.accept_unknown,
        take_over: flags.take_over,
        adopt_runs: flags.adopt_run.iter().cloned().collect(),
        own_runs: BTreeSet::new(),
        own_releases: BTreeSet::new(),
        switched_swaps: BTreeSet::new(),
        ended_once: BTreeSet::new(),
        started_once: BTreeSet::new(),
        now: None,
        parallelism: None,
    }
}

/// Adds plan options from flags and variables to a request.
pub(super) fn with_plan_options(
    context: &Context<'_>,
    options: &PlanOptions,
    requested: Requested,
) -> Result<Requested, Failure> {
    let mut requested = options.merge_into(requested, context.global.image.as_ref());
    if let (None, Some(text)) = (requested.steady_ms, context.env.var("AEROFORM_STEADY")) {
        let bad = |rule| {
            let message = format!(
                "`AEROFORM_STEADY` is `{}`, which is not a duration",
                escape::safe(text)
            );
            Failure::new(codes::BAD_STEADY, message).hint(rule)
        };
        requested.steady_ms = Some(parse_steady(text).map_err(bad)?);
    }
    Ok(requested)
}

/// The journal of this user on this host.
pub(super) fn journal(context: &Context<'_>) -> Result<SqliteJournal, Failure> {
    Ok(SqliteJournal::open(&state_dir(context)?)?)
}

pub(super) fn state_dir(context: &Context<'_>) -> Result<PathBuf, Failure> {
    context.env.state_dir().ok_or_else(|| {
        Failure::new(
            codes::NO_HOME,
            "cannot find a folder for the state of this user",
        )
        .cause("neither `AEROFORM_STATE_DIR`, `XDG_STATE_HOME` nor `HOME` is set")
        .hint("set one of them")
    })
}
