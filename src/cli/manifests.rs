//! Reads fly.toml and aeroform.toml and reports their errors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Context;
use super::args::GlobalFlags;
use super::codes;
use super::fallback_manifests::ManifestProblem;
use super::file_edits::FileEdits;
use super::formats;
use super::local_files::load_local_files;
use super::manifest_pair::{self, ManifestPair, SettingsFile};
use super::missing_fly_toml;
use super::project::{Project, SizeLimit, read_file};
use crate::core::code::Code;
use crate::core::fleet::profile::FLY;
use crate::core::fleet::{Desired, GroupName, Region};
use crate::core::manifest::codes::UNKNOWN_REGION;
use crate::core::manifest::edit::{self, Edit, EditError};
use crate::core::manifest::{
    self, Diagnostics, Loaded, Overrides, PROVIDERS, Settings, Severity, SourceFile,
    SourceLocation, StateLocation,
};
use crate::core::state;
use crate::core::view::diagnostics;
use crate::core::view::phrases::count_noun;
use crate::provider::fly::Access;
use crate::ui::{Failure, Ui};

/// Parsed manifests with their diagnostics.
#[derive(Clone)]
pub(super) struct Manifests {
    pub(super) project: Project,
    /// Path of fly.toml to show.
    pub(super) fly_path: PathBuf,
    pub(super) loaded: Loaded,
    /// Whether a flag, aeroform.toml or the state names the provider.
    provider_named: bool,
    /// The warning that no settings file belongs to this fly.toml.
    without_settings: Option<String>,
    texts: ManifestTexts,
}

/// Manifests without errors.
pub(super) struct ValidManifests {
    pub(super) project: Project,
    pub(super) desired: Desired,
    pub(super) settings: Settings,
    /// Whether a flag, aeroform.toml or the state names the provider.
    pub(super) provider_named: bool,
    /// Whether an image or `[build]` is set.
    pub(super) has_image: bool,
    /// The settings file, if any.
    pub(super) settings_file: Option<PathBuf>,
    /// Every file that the desired state comes from, existing or not.
    pub(super) files: Vec<PathBuf>,
}

/// Both files as read, and the overrides by flags and state.
#[derive(Clone)]
struct ManifestTexts {
    /// Path of aeroform.toml, existing or not.
    aeroform_path: PathBuf,
    aeroform_toml: Option<ManifestText>,
    fly_toml: ManifestText,
    overrides: Overrides,
}

impl ManifestTexts {
    /// Both manifests, and the files that fly.toml names.
    fn files(&self, fly: &Path) -> Vec<PathBuf> {
        let folder = fly.with_file_name("");
        let named = self.overrides.files.keys().map(|path| folder.join(path));
        let manifests = [fly.to_owned(), self.aeroform_path.clone()];
        manifests.into_iter().chain(named).collect()
    }

    fn load(&self) -> Loaded {
        let ours = self.aeroform_toml.as_ref().map(ManifestText::file);
        manifest::load(self.fly_toml.file(), ours, &self.overrides)
    }
}

/// Why the manifests are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// To apply them.
    Run,
    /// To plan.
    Plan,
    /// To inspect Machines; they may be invalid.
    Inspect,
    /// To show the config that they define.
    Show,
    /// To validate them.
    Validate {
        /// Unknown keys are errors.
        strict: bool,
    },
}

/// Diagnostics that a plan repeats where they matter.
const REPORTED_BY_PLANS: [Code; 3] = [
    manifest::codes::MIN_ABOVE_COUNT,
    manifest::codes::NEVER_STARTED_AGAIN,
    manifest::codes::PORT_OF_TWO_GROUPS,
];

/// Diagnostics that a plan refuses where they matter; irrelevant to other plans and read-only verbs.
const REFUSED_BY_PLANS: [Code; 1] = [manifest::codes::COMPOSE_NOT_READ];

/// Which warnings a verb shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warnings {
    /// Those that its plan does not repeat.
    WithPlan,
    /// Those that matter to an edit without a plan.
    WithEdit,
    /// None.
    Hidden,
}

/// A manifest with its path.
#[derive(Clone)]
struct ManifestText {
    shown: String,
    bytes: Vec<u8>,
}

impl ManifestText {
    fn new(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            shown: path.display().to_string(),
            bytes,
        }
    }

    fn file(&self) -> SourceFile<'_> {
        SourceFile {
            path: &self.shown,
            bytes: &self.bytes,
        }
    }
}

/// Reads the manifests in two phases: aeroform.toml may name the path of fly.toml.
pub(super) fn read(context: &Context<'_>, purpose: Purpose) -> Result<Manifests, Failure> {
    read_pair(context, purpose, ManifestQuery::default())
}

/// Which manifests are read, and what is known besides.
#[derive(Clone, Default)]
pub(super) struct ManifestQuery {
    /// Regions that the platform returned.
    pub(super) regions: BTreeSet<Region>,
    /// The state file that is used instead of that of `[state]`.
    pub(super) state: Option<PathBuf>,
    /// The files of a base, without the image of this command; none: those of this command.
    pub(super) base: Option<ManifestPair>,
}

/// The same with regions that the platform returned.
pub(super) fn read_with_regions(
    context: &Context<'_>,
    purpose: Purpose,
    regions: BTreeSet<Region>,
) -> Result<Manifests, Failure> {
    let query = ManifestQuery {
        regions,
        ..ManifestQuery::default()
    };
    read_pair(context, purpose, query)
}

/// The same for a query.
pub(super) fn read_pair(
    context: &Context<'_>,
    purpose: Purpose,
    query: ManifestQuery,
) -> Result<Manifests, Failure> {
    let global = context.global;
    let is_base = query.base.is_some();
    let pair = match query.base {
        Some(pair) => pair,
        None => manifest_pair::find_pair(global.config.as_deref())?,
    };
    let theirs = read_pair_fly_toml(global, &pair)?;
    let ours = match &pair.settings {
        SettingsFile::Found(location) => {
            let bytes = pair.project.read(location)?;
            bytes.map(|bytes| ManifestText::new(location, bytes))
        }
        SettingsFile::Missing(_) | SettingsFile::Unmatched(_) => None,
    };
    let mut overrides = Overrides {
        regions: query.regions,
        ..overrides(global, purpose)?
    };
    // The image of a flag is what this change wants.
    overrides.image = overrides.image.filter(|_| !is_base);
    let (settings, _) = manifest::settings(ours.as_ref().map(ManifestText::file), &overrides);
    let mut provider_named = settings.is_provider_explicit;
    overrides.fallback_provider = match purpose {
        Purpose::Run | Purpose::Plan | Purpose::Inspect if provider_named => None,
        Purpose::Run | Purpose::Plan | Purpose::Inspect => {
            let remembered = match &query.state {
                Some(file) => read_file(file, SizeLimit::Data)
                    .ok()
                    .flatten()
                    .and_then(|bytes| state::read_owner(&String::from_utf8_lossy(&bytes)))
                    .map(|owner| owner.provider),
                None => provider_from_state(global, &pair, &settings, theirs.file()),
            };
            provider_named = remembered.is_some();
            remembered
        }
        // Nothing is run, and an app with only a fly.toml is an app on Fly.
        Purpose::Show | Purpose::Validate { .. } => ours.is_none().then(|| FLY.name.to_owned()),
    };
    let texts = ManifestTexts {
        aeroform_path: pair.settings.path().to_owned(),
        aeroform_toml: ours,
        fly_toml: theirs,
        overrides,
    };
    let others = match &pair.settings {
        SettingsFile::Unmatched(others) => Some(others.clone()),
        SettingsFile::Found(_) | SettingsFile::Missing(_) => None,
    };
    let mut read = Manifests {
        provider_named,
        ..Manifests::of(pair, texts)
    };
    if let Some(others) = others {
        let program = global.program_for(&read.fly_path);
        let init = format!("{program} {}", read.first_settings(context));
        if matches!(purpose, Purpose::Run) {
            return Err(others.refusal(&init));
        }
        read.without_settings = Some(others.warning(&init));
    }
    if matches!(purpose, Purpose::Run | Purpose::Plan | Purpose::Inspect) {
        read.take_for_fly(context);
    }
    Ok(read)
}

/// Reads a fly.toml without settings.
pub(super) fn read_fly_toml(
    context: &Context<'_>,
    pair: ManifestPair,
) -> Result<Manifests, Failure> {
    let texts = ManifestTexts {
        aeroform_path: pair.settings.path().to_owned(),
        aeroform_toml: None,
        fly_toml: read_pair_fly_toml(context.global, &pair)?,
        overrides: overrides(context.global, Purpose::Run)?,
    };
    let mut read = Manifests::of(pair, texts);
    read.take_for_fly(context);
    Ok(read)
}

/// The provider in the state of this app.
fn provider_from_state(
    global: &GlobalFlags,
    pair: &ManifestPair,
    settings: &Settings,
    theirs: SourceFile<'_>,
) -> Option<String> {
    let app = global
        .app
        .clone()
        .or_else(|| manifest::find_app_name(theirs))?;
    let StateLocation::Path(path) = settings.state_location(&app) else {
        return None;
    };
    let bytes = pair.project.read_data(&pair.project.path(&path)).ok()??;
    let whose = state::read_owner(&String::from_utf8_lossy(&bytes))?;
    (whose.app == app).then_some(whose.provider)
}

fn overrides(global: &GlobalFlags, purpose: Purpose) -> Result<Overrides, Failure> {
    if let Some(provider) = &global.provider
        && !PROVIDERS.contains(&provider.as_str())
    {
        return Err(unknown_provider_error(provider));
    }
    Ok(Overrides {
        app: global.app.clone(),
        app_source: Some(global.app_source().to_owned()),
        provider: global.provider.clone(),
        image: global.image.clone(),
        strict: matches!(purpose, Purpose::Validate { strict: true }),
        validate_only: matches!(purpose, Purpose::Validate { .. }),
        ..Overrides::default()
    })
}

/// The error for an unknown provider.
pub(super) fn unknown_provider_error(name: &str) -> Failure {
    let meant = manifest::did_you_mean(name, PROVIDERS);
    let all = || "the providers are `local` and `fly`".to_owned();
    let message = format!("there is no provider `{name}`");
    Failure::new(codes::UNKNOWN_PROVIDER, message).hint(meant.unwrap_or_else(all))
}

/// The Dockerfile next to fly.toml, for hints only; errors count as missing.
fn dockerfile(project: &Project, fly: &Path) -> Option<String> {
    let bytes = project.read(&fly.with_file_name("Dockerfile")).ok()??;
    String::from_utf8(bytes).ok()
}

/// Reads the fly.toml of a pair.
fn read_pair_fly_toml(global: &GlobalFlags, pair: &ManifestPair) -> Result<ManifestText, Failure> {
    let path = &pair.fly;
    let bytes = if pair.by_flag {
        read_file(path, SizeLimit::Manifest)?
    } else {
        pair.project.read(path).map_err(|failure| {
            if failure.code != codes::OUTSIDE_PROJECT.name() {
                return failure;
            }
            let program = global.program_for(path);
            failure.hint(format!(
                "a manifest can only name files in its project; a flag can name any file: `{program} …`"
            ))
        })?
    };
    match bytes {
        Some(bytes) => Ok(ManifestText::new(path, bytes)),
        None => Err(missing_fly_toml::error(global, pair)),
    }
}

/// Whether a region is not in the built-in list; the platform may have added it since.
pub(super) fn has_unknown_region(found: &Diagnostics) -> bool {
    found
        .iter()
        .any(|found| found.code == UNKNOWN_REGION.name())
}

pub(super) fn show_diagnostics(found: &Diagnostics, ui: &Ui) {
    if found.is_empty() {
        return;
    }
    let mut text = String::new();
    let (width, sentences) = (ui.width(), ui.sentence_width());
    diagnostics::render_wrapped(found, ui.color_talk(), width, sentences, &mut text)
        .expect("writing to a String cannot fail");
    ui.talk(text.trim_end());
    ui.talk("");
}

impl Manifests {
    fn of(pair: ManifestPair, mut texts: ManifestTexts) -> Self {
        let fly = pair.fly;
        texts.overrides.dockerfile = dockerfile(&pair.project, &fly);
        let theirs = texts.fly_toml.file();
        load_local_files(&mut texts.overrides, &pair.project, &fly, theirs);
        Self {
            project: pair.project,
            fly_path: fly,
            loaded: texts.load(),
            provider_named: false,
            without_settings: None,
            texts,
        }
    }

    /// Parses them for Fly if no provider is named, they are invalid for `local`, and a token or an image is
    /// set.
    fn take_for_fly(&mut self, context: &Context<'_>) {
        let is_open = !self.provider_named && context.global.provider.is_none();
        if is_open && self.may_be_on_fly(context) && self.loaded.diagnostics.has_errors() {
            self.texts.overrides.fallback_provider = Some(FLY.name.to_owned());
            self.loaded = self.texts.load();
        }
    }

    /// Whether a token, an image or `[build]` is set.
    fn may_be_on_fly(&self, context: &Context<'_>) -> bool {
        let token = Access::token_variable(|name| context.env.var(name));
        token.is_some() || self.loaded.has_image
    }

    /// The command that writes the first settings. It names Fly if the file is valid only for Fly and nothing
    /// else implies Fly.
    fn first_settings(&self, context: &Context<'_>) -> &'static str {
        let is_valid = |provider: Option<&str>| {
            let mut texts = self.texts.clone();
            texts.overrides.fallback_provider = provider.map(str::to_owned);
            !texts.load().diagnostics.has_errors()
        };
        let is_said = context.global.provider.is_some() || self.may_be_on_fly(context);
        if !is_said && !is_valid(None) && is_valid(Some(FLY.name)) {
            "init --provider fly"
        } else {
            "init"
        }
    }

    /// Refuses to edit files of another app than the chosen one: the next apply would change that app.
    pub(super) fn check_names_app(&self, global: &GlobalFlags) -> Result<(), Failure> {
        let desired = self.loaded.desired.as_ref();
        let named = desired.and_then(|desired| Some((desired, desired.app_name_source.as_ref()?)));
        let Some((desired, Some((file, other)))) =
            named.map(|(desired, named)| (desired, named.file.as_ref()))
        else {
            return Ok(());
        };
        let (app, by) = (&desired.app, global.app_source());
        let message = format!(
            "`{file}` belongs to app `{other}`, and {by} names `{app}`; nothing was changed"
        );
        let away = match global.app_variable {
            Some(variable) => format!("unset `{variable}`"),
            None => "remove `--app`".to_owned(),
        };
        Err(Failure::new(codes::OTHER_APP, message).hint(format!(
            "use the files of `{app}` with `-c FILE`; to change `{other}`, {away}"
        )))
    }

    /// The desired state, or an error after the diagnostics were shown. Shows no warnings.
    pub(super) fn desired(&self, ui: &Ui) -> Result<&Desired, Failure> {
        let desired = self.loaded.desired.as_ref();
        desired
            .filter(|_| !self.loaded.diagnostics.has_errors())
            .ok_or_else(|| {
                self.show_problems(ui);
                self.failure()
            })
    }

    /// Applies edits in memory; returns the result and the file changes.
    pub(super) fn with_edits(
        self,
        before: &Desired,
        edits: &[Edit],
        beginning: &str,
    ) -> Result<(Self, FileEdits), EditError> {
        let texts = &self.texts;
        let location = texts.aeroform_path.display().to_string();
        let files = edit::ManifestFiles {
            fly: texts.fly_toml.file(),
            aeroform_path: &location,
            aeroform: texts
                .aeroform_toml
                .as_ref()
                .map(|ours| ours.bytes.as_slice()),
            new_file_header: beginning,
        };
        let edited = edit::edit(files, &texts.overrides, before, edits)?;
        let mut changes = FileEdits::default();
        let mut texts = self.texts;
        if let Some(after) = edited.fly {
            changes.add(self.fly_path.clone(), Some(texts.fly_toml.bytes), &after);
            texts.fly_toml.bytes = after.into_bytes();
        }
        if let Some(after) = edited.aeroform {
            let ours = texts.aeroform_toml.take().map(|ours| ours.bytes);
            changes.add(texts.aeroform_path.clone(), ours, &after);
            texts.aeroform_toml = Some(ManifestText::new(&texts.aeroform_path, after.into_bytes()));
        }
        let loaded = texts.load();
        let edited = Self {
            loaded,
            texts,
            ..self
        };
        Ok((edited, changes))
    }

    /// Shows the diagnostics; fails if there are errors.
    pub(super) fn accept(self, ui: &Ui, warnings: Warnings) -> Result<ValidManifests, Failure> {
        self.warn_without_settings(ui);
        let found = &self.loaded.diagnostics;
        let found = match warnings {
            _ if found.has_errors() => found.clone(),
            Warnings::WithPlan => found.without(&REPORTED_BY_PLANS).without(&REFUSED_BY_PLANS),
            Warnings::WithEdit => found.without(&REFUSED_BY_PLANS),
            Warnings::Hidden => Diagnostics::default(),
        };
        show_diagnostics(&found, ui);
        formats::github::note_diagnostics(ui, &self, &found);
        self.check_hold()?;
        self.accept_silently()
    }

    /// Refuses `--image` beside `[hold]`: only one of them can name the image.
    fn check_hold(&self) -> Result<(), Failure> {
        let desired = self.loaded.desired.as_ref();
        let Some(hold) = desired.and_then(|desired| desired.hold.as_ref()) else {
            return Ok(());
        };
        if self.texts.overrides.image.is_none() {
            return Ok(());
        }
        let message = format!(
            "`--image` cannot be combined with [hold], which names release v{}",
            hold.release
        );
        Err(Failure::new(codes::HOLD_WITH_IMAGE, message)
            .hint("remove `--image`, or end the hold: `aeroform rollback --end --image IMAGE`"))
    }

    /// Where each group is written.
    pub(super) fn group_locations(&self) -> BTreeMap<GroupName, SourceLocation> {
        let ours = self.texts.aeroform_toml.as_ref().map(ManifestText::file);
        manifest::group_locations(self.texts.fly_toml.file(), ours)
    }

    /// The file for what is about no place in one: aeroform.toml, or fly.toml without one.
    pub(super) fn main_file(&self) -> &str {
        let ours = self.texts.aeroform_toml.as_ref();
        &ours.unwrap_or(&self.texts.fly_toml).shown
    }

    /// The same without showing warnings.
    pub(super) fn accept_silently(self) -> Result<ValidManifests, Failure> {
        let failure = self.failure();
        match self.loaded.desired {
            Some(desired) if !self.loaded.diagnostics.has_errors() => Ok(ValidManifests {
                files: self.texts.files(&self.fly_path),
                project: self.project,
                desired,
                settings: self.loaded.settings,
                provider_named: self.provider_named,
                has_image: self.loaded.has_image,
                settings_file: self
                    .texts
                    .aeroform_toml
                    .is_some()
                    .then_some(self.texts.aeroform_path),
            }),
            Some(_) | None => Err(failure),
        }
    }

    /// The problem, if there are errors.
    pub(super) fn problem(&self) -> Option<ManifestProblem> {
        let is_right = self.loaded.desired.is_some() && !self.loaded.diagnostics.has_errors();
        (!is_right).then(|| ManifestProblem {
            failure: self.failure(),
            has_image: self.loaded.has_image,
        })
    }

    /// Warns if no settings file belongs to this fly.toml.
    pub(super) fn warn_without_settings(&self, ui: &Ui) {
        if let Some(text) = &self.without_settings {
            ui.warn(text);
        }
    }

    /// Shows the diagnostics.
    pub(super) fn show_problems(&self, ui: &Ui) {
        show_diagnostics(&self.loaded.diagnostics, ui);
    }

    /// The error for invalid manifests.
    pub(super) fn failure(&self) -> Failure {
        invalid_manifests_error(&self.loaded.diagnostics)
    }
}

/// The error for manifests with these diagnostics.
pub(super) fn invalid_manifests_error(found: &Diagnostics) -> Failure {
    let errors = found
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error);
    let files: BTreeSet<&str> = errors
        .filter_map(|diagnostic| Some(diagnostic.location.as_ref()?.file.as_str()))
        .collect();
    let what = match files.len() {
        1 => format!("`{}`", files.into_iter().collect::<String>()),
        _ => "the manifests".to_owned(),
    };
    let errors = count_noun(found.errors(), "error");
    let message = format!("cannot parse {what}: {errors}");
    Failure {
        diagnostics: found.iter().cloned().collect(),
        ..Failure::new(codes::INVALID_MANIFEST, message)
    }
}
