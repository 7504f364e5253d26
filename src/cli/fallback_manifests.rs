//! The fallback of read-only verbs for missing or broken manifests: app name, provider and state are enough.
//!
//! The name comes from `--app` or `FLY_APP`, then from the readable part of fly.toml, then from the only state
//! file of the folder; the provider from `--provider`, the settings, or the state. Start at
//! [`fallback_manifests`].

use std::fs;
use std::path::{Path, PathBuf};

use super::args::GlobalFlags;
use super::codes;
use super::manifest_pair::{self, ManifestPair, SettingsFile};
use super::manifests::{self, ValidManifests};
use super::project::{Project, SizeLimit, read_file};
use crate::core::fleet::profile::LOCAL;
use crate::core::fleet::{AppName, AppNameSource, Desired};
use crate::core::manifest::{
    self, Diagnostics, Overrides, PROVIDERS, Settings, Severity, SourceFile, StateLocation,
};
use crate::core::state::{self, StateOwner};
use crate::ui::{Failure, Ui};

/// Builds the fallback, and prints one warning about the manifests.
///
/// # Errors
/// `problem`, if the app is unknown or the error is about a flag, or if the settings may name a provider that
/// cannot be read.
pub(super) fn fallback_manifests(
    global: &GlobalFlags,
    ui: &Ui,
    problem: ManifestProblem,
) -> Result<ValidManifests, Failure> {
    let about_a_flag = [
        codes::UNKNOWN_PROVIDER,
        codes::SETTINGS_NAMED,
        codes::NO_FOLDER,
    ];
    if about_a_flag
        .iter()
        .any(|code| code.name() == problem.failure.code)
    {
        return Err(problem.failure);
    }
    let left = PartialManifests::read(global)?;
    let (app, named_by) = match left.app(global) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(no_app_error(global, problem.failure)),
        Err(several) => return Err(several.cause(problem.failure.message)),
    };
    let location = match left.settings.state_location(&app) {
        StateLocation::Path(path) => left.project.path(&path),
        StateLocation::Url(_) => PathBuf::new(),
    };
    let remembered = left.owner_of(&location).filter(|whose| whose.app == app);
    let written = Some(&left.settings.provider);
    let written = written
        .filter(|name| left.settings.is_provider_explicit && PROVIDERS.contains(&name.as_str()));
    let provider = global.provider.as_ref().or(written).cloned();
    let provider = provider.or_else(|| Some(remembered?.provider));
    if provider.is_none() && left.may_name_a_provider {
        return Err(left.no_provider(global, ui, problem.failure));
    }
    // Without any manifest, a missing fly.toml needs no warning.
    let is_expected =
        left.settings_file.is_some() || global.config.is_some() || global.app.is_none();
    let is_missing = problem.failure.code == codes::NO_FLY_TOML.name();
    if is_expected || !is_missing {
        let mut text = problem.text();
        if !left.state_known {
            let location = location.display();
            text = format!("{text}; using the state `{location}`");
        }
        ui.warn(&text);
    }
    let provider_named = provider.is_some();
    let provider = provider.unwrap_or_else(|| LOCAL.name.to_owned());
    Ok(ValidManifests {
        desired: Desired::empty(app, named_by, &provider),
        project: left.project,
        settings: Settings {
            provider,
            ..left.settings
        },
        provider_named,
        has_image: problem.has_image,
        files: left.settings_file.iter().cloned().collect(),
        settings_file: left.settings_file,
    })
}

/// Why the manifests are not usable.
pub(super) struct ManifestProblem {
    /// The error of verbs that need them.
    pub(super) failure: Failure,
    /// Whether an image or `[build]` is set, as far as readable.
    pub(super) has_image: bool,
}

impl ManifestProblem {
    /// The failure with its first diagnostic.
    fn text(&self) -> String {
        let failure = &self.failure;
        let mut errors = failure
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error);
        let Some(first) = errors.next() else {
            let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
            return format!("{}{}", failure.message, causes.collect::<String>());
        };
        let location = first
            .location
            .as_ref()
            .map_or_else(String::new, |location| {
                format!("{}:{}:{}: ", location.file, location.line, location.column)
            });
        let more = match errors.count() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let (message, what) = (&failure.message, &first.message);
        format!("{message}: {location}{what}{more}; `aeroform validate` shows it")
    }
}

/// The readable facts about the project.
struct PartialManifests {
    project: Project,
    /// The app in fly.toml, and the path of fly.toml to show.
    named: Option<(String, AppName)>,
    settings: Settings,
    /// The settings file, if any.
    settings_file: Option<PathBuf>,
    /// Errors in the settings.
    found: Diagnostics,
    /// Whether the settings may name a provider that cannot be read.
    may_name_a_provider: bool,
    /// Whether the settings could set the state's path.
    state_known: bool,
    /// Whether a state file of the folder may name the app.
    may_search: bool,
}

impl PartialManifests {
    fn read(global: &GlobalFlags) -> Result<Self, Failure> {
        let config = global.config.as_deref();
        let pair = manifest_pair::find_pair(config);
        let pair_known = pair.is_ok();
        let pair = match pair {
            Ok(pair) => pair,
            Err(_) => unpaired(config)?,
        };
        let fly = if pair.by_flag {
            read_file(&pair.fly, SizeLimit::Manifest)
        } else {
            pair.project.read(&pair.fly)
        };
        let shown = pair.fly.display().to_string();
        let named = fly.ok().flatten().and_then(|bytes| {
            let file = SourceFile {
                path: &shown,
                bytes: &bytes,
            };
            Some((shown.clone(), manifest::find_app_name(file)?))
        });
        let ours = match &pair.settings {
            SettingsFile::Found(location) => Some(location),
            SettingsFile::Missing(_) | SettingsFile::Unmatched(_) => None,
        };
        let bytes = ours.map(|location| pair.project.read(location).ok().flatten());
        let path = ours.map_or_else(String::new, |location| location.display().to_string());
        let file = bytes
            .as_ref()
            .and_then(Option::as_ref)
            .map(|bytes| SourceFile { path: &path, bytes });
        let (settings, found) = manifest::settings(file, &Overrides::default());
        let is_read = ours.is_none() || file.is_some();
        Ok(Self {
            state_known: pair_known && is_read && (settings.state.is_some() || !found.has_errors()),
            may_search: !pair.by_flag,
            project: pair.project,
            named,
            settings,
            settings_file: ours.cloned(),
            may_name_a_provider: !pair_known || !is_read || found.has_errors(),
            found,
        })
    }

    /// The error that no provider is known.
    fn no_provider(&self, global: &GlobalFlags, ui: &Ui, problem: Failure) -> Failure {
        let program = global.program();
        let way = format!(
            "correct it, or name the provider: `{program} --provider fly …`, `{program} --provider local …`"
        );
        if !self.found.has_errors() {
            return problem.hint(way);
        }
        manifests::show_diagnostics(&self.found, ui);
        manifests::invalid_manifests_error(&self.found).hint(way)
    }

    /// The app and the source of its name, if known.
    fn app(
        &self,
        global: &GlobalFlags,
    ) -> Result<Option<(AppName, Option<AppNameSource>)>, Failure> {
        if let Some(app) = &global.app {
            let other = self.named.clone().filter(|(_, other)| other != app);
            let by = global.app_source().to_owned();
            return Ok(Some((
                app.clone(),
                Some(AppNameSource {
                    source: by,
                    file: other,
                }),
            )));
        }
        if let Some((_, app)) = &self.named {
            return Ok(Some((app.clone(), None)));
        }
        // A file named by a flag belongs to its own app only.
        if !self.may_search {
            return Ok(None);
        }
        let mut states = self.folder_states();
        match (states.pop(), states.is_empty()) {
            (None, _) => Ok(None),
            (Some((path, whose)), true) => {
                let by = path.display().to_string();
                Ok(Some((
                    whose.app,
                    Some(AppNameSource {
                        source: by,
                        file: None,
                    }),
                )))
            }
            (Some(last), false) => {
                states.push(last);
                let message = "several apps have a state here, and fly.toml does not name the app";
                let failure = Failure::new(codes::SEVERAL_APPS, message);
                let failure = states.iter().fold(failure, |failure, (path, whose)| {
                    failure.cause(format!("`{}` is of `{}`", path.display(), whose.app))
                });
                let program = global.program();
                Err(failure.hint(format!("name the app: `{program} -a NAME …`")))
            }
        }
    }

    /// State files in the default folder.
    fn folder_states(&self) -> Vec<(PathBuf, StateOwner)> {
        let mut paths = match &self.settings.state {
            Some(StateLocation::Path(path)) => vec![self.project.path(path)],
            Some(StateLocation::Url(_)) => Vec::new(),
            None => {
                let entries = fs::read_dir(self.project.folder().join("state"));
                let names = entries.into_iter().flatten().flatten();
                names
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .filter(|name| {
                        let is_json = Path::new(name).extension().is_some_and(|ext| ext == "json");
                        is_json && !name.contains(".unpublished")
                    })
                    .map(|name| self.project.path(&format!("state/{name}")))
                    .collect()
            }
        };
        paths.sort();
        let found = paths.into_iter();
        found
            .filter_map(|path| Some((path.clone(), self.owner_of(&path)?)))
            .collect()
    }

    /// The owner of a state file, from its first line.
    fn owner_of(&self, path: &Path) -> Option<StateOwner> {
        let bytes = self.project.read_data(path).ok()??;
        state::read_owner(&String::from_utf8_lossy(&bytes))
    }
}

/// A fly.toml whose settings file is unknown.
fn unpaired(config: Option<&Path>) -> Result<ManifestPair, Failure> {
    let (fly, by_flag) = match config {
        Some(file) if !file.is_dir() => (file.to_owned(), true),
        folder => (folder.unwrap_or(Path::new("")).join("fly.toml"), false),
    };
    let folder = fly.parent().unwrap_or(Path::new(""));
    Ok(ManifestPair {
        project: Project::open(folder)?,
        settings: SettingsFile::Missing(PathBuf::new()),
        fly,
        by_flag,
    })
}

fn no_app_error(global: &GlobalFlags, problem: Failure) -> Failure {
    let program = global.program();
    let provider = if global.provider.is_some() {
        ""
    } else {
        " --provider fly"
    };
    let way = format!("or name the app: `{program} -a NAME{provider} …`");
    let hint = problem.hint.clone();
    let hint = hint.map_or_else(|| way.clone(), |hint| format!("{hint}; {way}"));
    problem.hint(hint)
}
