//! The base of a plan: a second checkout, of the branch that this change will be merged into.
//!
//! Reads its manifests and its state and nothing else of it, and starts no process. A base that cannot be read is a
//! warning, never an error of this change. Start at [`Base::read`].

use std::fs;
use std::path::{Path, PathBuf};

use super::Context;
use super::codes;
use super::manifest_pair::{self, ManifestPair};
use super::manifests::{self, ManifestQuery, Manifests, Purpose};
use super::project::{Project, SizeLimit, read_file};
use super::session::{self, GivenState, Session};
use super::state_place;
use crate::core::fleet::Desired;
use crate::core::plan::comparison::{StateCopy, not_compared_note, old_app_note, state_remarks};
use crate::core::plan::{Comparison, Plan, PlanOf, Snapshot};
use crate::run::{Preview, StoredState};
use crate::ui::Failure;

/// The base as read.
pub(super) struct Base {
    /// The folder as typed.
    dir: String,
    /// The resolved top folder.
    root: PathBuf,
    content: BaseContent,
    /// Its state file, by its own `[state]`.
    state: Option<PathBuf>,
}

enum BaseContent {
    /// The app, with valid manifests.
    App(Box<Desired>),
    /// The base does not have the app.
    NoApp,
    /// It cannot be read or parsed.
    Unreadable(String),
}

impl Base {
    /// Reads the base at this path, relative to where the command was started.
    pub(super) async fn read(context: &Context<'_>, dir: &Path, online: bool) -> Self {
        let shown = dir.display().to_string();
        let dir = context.global.from_start(dir);
        let mut base = Self {
            dir: shown,
            root: PathBuf::new(),
            content: BaseContent::NoApp,
            state: None,
        };
        if let Err(why) = base.read_content(context, &dir, online).await {
            base.content = BaseContent::Unreadable(why);
        }
        base
    }

    async fn read_content(
        &mut self,
        context: &Context<'_>,
        dir: &Path,
        online: bool,
    ) -> Result<(), String> {
        self.root = top_folder(dir)?;
        let Some(pair) = self.pair(context, dir)? else {
            return Ok(());
        };
        let query = ManifestQuery {
            base: Some(pair),
            ..ManifestQuery::default()
        };
        let read = match read_manifests(context, query, online).await {
            Ok(read) => read,
            Err(failure) if failure.code == codes::NO_FLY_TOML.name() => return Ok(()),
            Err(failure) => return Err(in_one_line(&failure)),
        };
        // With broken manifests the state is still the base's.
        self.state = state_of(&read);
        let valid = read
            .accept_silently()
            .map_err(|failure| in_one_line(&failure))?;
        self.content = BaseContent::App(Box::new(valid.desired));
        Ok(())
    }

    /// The manifests at the same path from the top of the work tree; `None` if their folder does not exist.
    fn pair(&self, context: &Context<'_>, dir: &Path) -> Result<Option<ManifestPair>, String> {
        let config = context.global.config.as_deref();
        let (folder, file) = match config {
            Some(file) if !file.is_dir() => {
                (file.parent().unwrap_or(Path::new("")), file.file_name())
            }
            Some(folder) => (folder, None),
            None => (Path::new(""), None),
        };
        let here = Project::open(Path::new("")).map_err(|failure| in_one_line(&failure))?;
        let own = Project::open(folder).map_err(|failure| in_one_line(&failure))?;
        let mirrored = |own: &Project| {
            let path = own.folder().strip_prefix(here.root());
            path.ok().map(|path| dir.join(path))
        };
        let Some(folder) = mirrored(&own) else {
            return Err(format!(
                "`{}` is not in the same work tree as the current folder",
                own.folder().display()
            ));
        };
        if !folder.is_dir() {
            return Ok(None);
        }
        self.check_inside(&folder)?;
        let here = mirrored(&here).unwrap_or_else(|| folder.clone());
        let config = file.map_or_else(|| folder.clone(), |file| folder.join(file));
        if file.is_some() && !config.exists() {
            return Ok(None);
        }
        let pair = manifest_pair::find_pair_in(&here, Some(&config));
        let pair = pair.map_err(|failure| in_one_line(&failure))?;
        self.check_inside(pair.project.folder())?;
        Ok(Some(ManifestPair {
            // The flag names a file of this checkout; in the base its links must not leave the base.
            by_flag: false,
            ..pair
        }))
    }

    fn check_inside(&self, folder: &Path) -> Result<(), String> {
        let resolved = fs::canonicalize(folder);
        if resolved.is_ok_and(|folder| folder.starts_with(&self.root)) {
            return Ok(());
        }
        Err(format!("`{}` is outside the base", folder.display()))
    }

    /// The state to plan from; a flag comes before the base.
    pub(super) fn given_state<'a>(
        base: Option<&'a Self>,
        flag: Option<&'a Path>,
    ) -> GivenState<'a> {
        let of_base = base.and_then(|base| base.state.as_deref());
        match (flag, of_base) {
            (Some(file), _) if file == Path::new(NO_STATE) => GivenState::Empty,
            (Some(file), _) => GivenState::ByFlag(file),
            (None, Some(file)) => GivenState::OfBase(file),
            (None, None) => GivenState::None,
        }
    }

    /// Ignores the base's state if it belongs to another app or cannot be read.
    pub(super) async fn check_state(
        &mut self,
        context: &Context<'_>,
        session: &mut Session,
        flag: Option<&Path>,
    ) {
        let Some(path) = self.state.clone() else {
            return;
        };
        let desired = &session.desired;
        let is_other = match &self.content {
            BaseContent::App(base) => !is_same_app(base, desired),
            BaseContent::NoApp | BaseContent::Unreadable(_) => false,
        };
        let store = state_place::state_store(context, &path);
        let read = StoredState::read(&store, &desired.app, &desired.provider).await;
        match read {
            Ok(_) if !is_other => return,
            Ok(_) => {}
            Err(_) if is_other => {}
            Err(_) if flag.is_some() => return,
            Err(error) => {
                self.content = BaseContent::Unreadable(in_one_line(&Failure::from(error)));
            }
        }
        self.state = None;
        if flag.is_none()
            && let Some(own) = session.own_state().map(Path::to_owned)
        {
            session.use_state(context, own);
        }
    }

    /// The manifests of the base, if this app is there.
    pub(super) fn desired_of(&self, desired: &Desired) -> Option<&Desired> {
        match &self.content {
            BaseContent::App(base) => Some(&**base).filter(|base| is_same_app(base, desired)),
            BaseContent::NoApp | BaseContent::Unreadable(_) => None,
        }
    }

    /// Compares the plan with that of the base, which is made from the same state and Machines.
    pub(super) fn compare(
        &self,
        session: &Session,
        preview: &Preview,
        of_base: Option<&Plan>,
    ) -> Comparison {
        let desired = &session.desired;
        let mut comparison = match (&self.content, of_base) {
            (BaseContent::App(base), Some(plan)) => Comparison::of(
                PlanOf {
                    plan: &preview.plan,
                    desired,
                },
                PlanOf {
                    plan,
                    desired: base,
                },
                Snapshot {
                    known: &preview.stored_state.known,
                    observed: preview.observed.as_ref(),
                },
            ),
            (BaseContent::App(base), None) => {
                let mut new = Comparison::new_app(format!(
                    "the base has `{}` on `{}` here",
                    base.app, base.provider
                ));
                new.remarks.push(old_app_note(&base.app, &base.provider));
                new
            }
            (BaseContent::NoApp, _) => {
                Comparison::new_app(format!("the base does not have `{}`", desired.app))
            }
            (BaseContent::Unreadable(why), _) => {
                let mut without = Comparison::not_compared(why.clone());
                without.remarks.push(not_compared_note(&self.dir, why));
                without
            }
        };
        let mut remarks = self.state_remarks(session);
        remarks.append(&mut comparison.remarks);
        comparison.remarks = remarks;
        comparison
    }

    /// How the state file of this checkout differs from the base's.
    fn state_remarks(&self, session: &Session) -> Vec<crate::core::plan::Note> {
        if matches!(self.content, BaseContent::Unreadable(_)) && self.state.is_none() {
            return Vec::new();
        }
        let Some(own) = session.own_state() else {
            return Vec::new();
        };
        let text = |bytes: Option<Vec<u8>>| {
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        // One that cannot be read is not the base's.
        let own_text = match session.project().read_data(own) {
            Ok(bytes) => text(bytes),
            Err(failure) => Some(failure.message),
        };
        let base_text = self
            .state
            .as_deref()
            .and_then(|path| text(read_file(path, SizeLimit::Data).ok().flatten()));
        let own_path = path_in(session.project().root(), own);
        let base_path = self.state.as_deref().map(|path| path_in(&self.root, path));
        state_remarks(
            StateCopy {
                path: &own_path,
                text: own_text.as_deref(),
            },
            StateCopy {
                path: base_path.as_deref().unwrap_or(&own_path),
                text: base_text.as_deref(),
            },
            &session.desired.app,
        )
    }
}

/// `--state none`: there is no state yet. A file of that name is `./none`.
pub(super) const NO_STATE: &str = "none";

async fn read_manifests(
    context: &Context<'_>,
    query: ManifestQuery,
    online: bool,
) -> Result<Manifests, Failure> {
    let read = manifests::read_pair(context, Purpose::Plan, query.clone())?;
    if !online || !manifests::has_unknown_region(&read.loaded.diagnostics) {
        return Ok(read);
    }
    session::read_online(context, Purpose::Plan, query).await
}

/// The resolved folder, if it is the top of a work tree, or in none.
fn top_folder(dir: &Path) -> Result<PathBuf, String> {
    let root = fs::canonicalize(dir).map_err(|error| error.to_string())?;
    if !root.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    let mut above = root.ancestors().skip(1);
    let top = above.find(|folder| folder.join(".git").exists());
    match top {
        Some(top) if !root.join(".git").exists() => Err(format!(
            "it is not the top folder of a checkout, but a folder of `{}`",
            top.display()
        )),
        Some(_) | None => Ok(root),
    }
}

fn is_same_app(base: &Desired, desired: &Desired) -> bool {
    base.app == desired.app && base.provider == desired.provider
}

/// A path from the top of its work tree.
fn path_in(root: &Path, path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The file and its folder may be missing.
    let inside = absolute.ancestors().skip(1).find_map(|folder| {
        let resolved = fs::canonicalize(folder).ok()?;
        let rest = absolute.strip_prefix(folder).ok()?;
        Some(resolved.strip_prefix(root).ok()?.join(rest))
    });
    let shown = inside.unwrap_or_else(|| path.to_owned());
    shown.display().to_string()
}

fn in_one_line(failure: &Failure) -> String {
    let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
    format!("{}{}", failure.message, causes.collect::<String>())
}

/// The state file that the manifests name.
fn state_of(read: &Manifests) -> Option<PathBuf> {
    let app = &read.loaded.desired.as_ref()?.app;
    state_place::state_path(&read.project, app, &read.loaded.settings).ok()?
}
