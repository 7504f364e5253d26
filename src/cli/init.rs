//! `aeroform init`: writes the first aeroform.toml for a fly.toml, and prepares the place of a state in git.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Context;
use super::args::GlobalFlags;
use super::codes;
use super::formats::{self, CommandOutput};
use super::manifest_pair::{self, SettingsFile};
use super::manifests::{self, Purpose, Warnings};
use super::project::{Project, SizeLimit, read_file};
use super::session::{self, Session};
use super::state_place::git_store;
use super::state_prepare;
use crate::core::fleet::profile::{FLY, LOCAL, ProviderProfile, profile};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{AppName, Desired, DesiredGroup};
use crate::core::manifest::{StateLocation, aeroform_keys};
use crate::core::view::{FileEdit, PreparedState};
use crate::store::{GitAddress, StoreError};
use crate::ui::codes::UNWRITABLE;
use crate::ui::list::{self, ChoiceList};
use crate::ui::{Exit, Failure, Signals};

/// Providers; the one for a first try is first.
const PROVIDERS: [ProviderProfile; 2] = [LOCAL, FLY];

/// The file that the line `#:schema` names, next to aeroform.toml; Taplo and editors built on it read that
/// line. A local file works offline and matches this version.
const SCHEMA: &str = "aeroform.schema.json";

/// The aeroform.toml to write, and the parsed fly.toml.
pub(super) struct InitTarget {
    pub(super) desired: Desired,
    has_image: bool,
    project: Project,
    fly_toml: PathBuf,
    aeroform_toml: PathBuf,
    gitignore: PathBuf,
}

/// Writes aeroform.toml, its schema and the .gitignore entries. A terminal asks for the provider if it is not
/// known.
pub(super) async fn run(context: &Context<'_>, state_url: Option<&str>) -> Result<Exit, Failure> {
    if let Some(session) = existing_state(context, state_url)? {
        let state = state_prepare::prepare(context, &*session.store).await?;
        print(context, &session.desired.app, &[], Some(&state));
        return Ok(Exit::Done);
    }
    let provider = choose_provider(context).await?;
    let global = GlobalFlags {
        provider,
        ..context.global.clone()
    };
    let context = &Context {
        global: &global,
        ..*context
    };
    let target = find_target(context)?;
    target.check_provider_known(context)?;
    // A url that the remote refuses is written into no file.
    let state = match state_url {
        Some(url) => Some(target.prepare_state(context, url).await?),
        None => None,
    };
    context.ui.mark_changing();
    let mut written = target.write(&target.render(state_url), state_url)?;
    written.extend(target.write_schema()?);
    print(context, &target.desired.app, &written, state.as_ref());
    Ok(Exit::Done)
}

fn print(
    context: &Context<'_>,
    app: &AppName,
    written: &[FileEdit],
    state: Option<&PreparedState>,
) {
    let output = CommandOutput::Init {
        app,
        written,
        state,
    };
    formats::print(context.ui, output);
}

/// The session of an aeroform.toml that names a state in git: its place can still be prepared.
fn existing_state(
    context: &Context<'_>,
    state_url: Option<&str>,
) -> Result<Option<Session>, Failure> {
    let pair = manifest_pair::find_pair(context.global.config.as_deref())?;
    let SettingsFile::Found(ours) = &pair.settings else {
        return Ok(None);
    };
    let read = manifests::read(context, Purpose::Inspect)?;
    let written = match read.loaded.settings.state.clone() {
        Some(StateLocation::Url(url)) => Some(url),
        Some(StateLocation::Path(_)) | None => None,
    };
    match (state_url, written) {
        (None, Some(_)) => {}
        (Some(url), Some(written)) if url == written => {}
        (Some(url), _) => {
            let url = shell_word(url);
            return Err(exists_error(ours).hint(format!(
                "`aeroform state migrate --to {url}` moves its state"
            )));
        }
        (None, None) => return Ok(None),
    }
    Session::from_manifests(context, read, Warnings::Hidden).map(Some)
}

/// The provider from `--provider` or from the user at a terminal; `None` without a terminal.
async fn choose_provider(context: &Context<'_>) -> Result<Option<String>, Failure> {
    let (ui, flag) = (context.ui, &context.global.provider);
    if flag.is_some() || ui.format().is_for_programs() || !ui.streams().can_ask() {
        return Ok(flag.clone());
    }
    // Errors that no answer would solve come before the question.
    find_target(context)?;
    let mut signals = Signals::listen()?;
    let list = ChoiceList {
        question: "Where do the Machines run?",
        rows: &|_| {
            PROVIDERS
                .map(|profile| format!("{:5}  {}", profile.name, profile.init_description))
                .to_vec()
        },
        fallback: Failure::new(codes::NO_PROVIDER_NAMED, "no provider is configured")
            .hint("use `aeroform init --provider NAME`"),
    };
    let chosen = list::choose(ui, &mut signals, list).await?;
    Ok(Some(PROVIDERS[chosen].name.to_owned()))
}

/// Reads the fly.toml of a folder without an aeroform.toml.
pub(super) fn find_target(context: &Context<'_>) -> Result<InitTarget, Failure> {
    let pair = manifest_pair::find_pair(context.global.config.as_deref())?;
    let ours = match &pair.settings {
        SettingsFile::Found(ours) => return Err(exists_error(ours)),
        SettingsFile::Missing(ours) => ours.clone(),
        SettingsFile::Unmatched(others) => others.default_path.clone(),
    };
    if fs::symlink_metadata(&ours).is_ok() {
        return Err(exists_error(&ours));
    }
    let fly = pair.fly.clone();
    let read = manifests::read_fly_toml(context, pair)?;
    read.check_names_app(context.global)?;
    let accepted = read.accept(context.ui, Warnings::WithPlan)?;
    Ok(InitTarget {
        desired: accepted.desired,
        has_image: accepted.has_image,
        project: accepted.project,
        fly_toml: fly,
        gitignore: ours.with_file_name(".gitignore"),
        aeroform_toml: ours,
    })
}

impl InitTarget {
    /// Refuses to guess the provider. A fly.toml that is valid only for Fly was read for Fly: that is no guess.
    fn check_provider_known(&self, context: &Context<'_>) -> Result<(), Failure> {
        let is_known = context.global.provider.is_some() || self.desired.provider == FLY.name;
        session::check_provider_named(context, is_known, self.has_image, "")
    }

    /// Checks that the remote of this url takes the state.
    async fn prepare_state(
        &self,
        context: &Context<'_>,
        url: &str,
    ) -> Result<PreparedState, Failure> {
        let app = &self.desired.app;
        let address = GitAddress::parse(url, app).map_err(StoreError::from)?;
        let store = git_store(context, &self.project, app, &address)?;
        state_prepare::prepare(context, &store).await
    }

    fn render(&self, state_url: Option<&str>) -> String {
        render_manifest(&self.desired, &self.fly_toml, state_url)
    }

    /// Writes aeroform.toml and the .gitignore entries; returns the changed files.
    pub(super) fn write(
        &self,
        text: &str,
        state_url: Option<&str>,
    ) -> Result<Vec<FileEdit>, Failure> {
        write_new(&self.aeroform_toml, text)?;
        let mut written = vec![FileEdit {
            path: self.aeroform_toml.display().to_string(),
            before: None,
            after: text.to_owned(),
        }];
        written.extend(add_to_gitignore(
            &self.gitignore,
            gitignore_lines(&self.desired.provider, state_url),
        )?);
        Ok(written)
    }

    /// Writes the schema for editors next to aeroform.toml; does nothing if it is up to date, or if another
    /// file has its name.
    fn write_schema(&self) -> Result<Option<FileEdit>, Failure> {
        let path = self.aeroform_toml.with_file_name(SCHEMA);
        let bytes = read_file(&path, SizeLimit::Data)?;
        let before = bytes.as_deref().map(String::from_utf8_lossy);
        let text = aeroform_keys::schema();
        let is_ours = before.as_deref().is_none_or(aeroform_keys::is_schema);
        if !is_ours || before.as_deref() == Some(&text) {
            return Ok(None);
        }
        fs::write(&path, &text).map_err(|error| unwritable_error(&path, &error))?;
        Ok(Some(FileEdit {
            path: path.display().to_string(),
            before: before.map(std::borrow::Cow::into_owned),
            after: text,
        }))
    }

    /// The first lines of every aeroform.toml.
    pub(super) fn header(&self) -> String {
        head(&self.desired, &self.fly_toml)
    }
}

/// The first lines of an aeroform.toml for this fly.toml.
pub(super) fn head(desired: &Desired, fly: &Path) -> String {
    let mut text = String::from(
        "# What fly.toml cannot say: how many Machines of each process group run, and where.\n\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "provider = {}", toml_string(&desired.provider));
    if let Some(name) = fly.file_name().and_then(|name| name.to_str())
        && !manifest_pair::is_found_by_name(fly)
    {
        let _ = writeln!(text, "config = {}", toml_string(name));
    }
    text
}

fn render_manifest(desired: &Desired, fly: &Path, state_url: Option<&str>) -> String {
    let mut text = format!("#:schema ./{SCHEMA}\n{}", head(desired, fly));
    if let Some(url) = state_url {
        let _ = write!(text, "\n[state]\nurl = {}\n", toml_string(url));
    }
    // On Fly the existing Machines define the counts; a written count would undo `fly scale count` (rule 7).
    if desired.profile().state_is_local {
        for (name, group) in &desired.groups {
            let (count, why) = default_count(group);
            let name = toml_edit::Key::new(name.as_str());
            let _ = write!(text, "\n[groups.{name}]\ncount = {count}  # {why}\n");
        }
    }
    text
}

/// Fly's default for a new group.
fn default_count(group: &DesiredGroup) -> (u32, &'static str) {
    if group.template.has_mounts() {
        (1, "Fly's own choice for a group with a volume")
    } else if group.template.has_services() {
        (2, "Fly's own choice for a group with a service")
    } else {
        (1, "Fly adds a stopped standby: `standby = true`")
    }
}

pub(super) fn toml_string(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The state of local Machines is useless on other computers; on Fly it is shared by the team.
fn gitignore_lines(provider: &str, state_url: Option<&str>) -> &'static [&'static str] {
    if state_url.is_some() {
        // A state that could not be pushed.
        &["/*.unpublished*"]
    } else if profile(provider).state_is_local {
        &["/state/"]
    } else {
        &["/state/.*.lock", "/state/*.unpublished*"]
    }
}

fn exists_error(path: &Path) -> Failure {
    Failure::new(
        codes::ALREADY_THERE,
        format!("`{}` already exists", path.display()),
    )
    .hint("edit it, or move it first; nothing was written")
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists_error(path),
        _ => unwritable_error(path, &error),
    })
}

/// Adds missing lines; returns `None` if there are none.
fn add_to_gitignore(path: &Path, entries: &[&'static str]) -> Result<Option<FileEdit>, Failure> {
    let bytes = read_file(path, SizeLimit::Manifest)?;
    let there = bytes.as_deref().map(String::from_utf8_lossy);
    let before = there.as_deref().unwrap_or_default();
    let missing: Vec<&str> = entries
        .iter()
        .copied()
        .filter(|line| !before.lines().any(|found| found.trim() == *line))
        .collect();
    let mut text = String::new();
    if !before.is_empty() && !before.ends_with('\n') && !missing.is_empty() {
        text.push('\n');
    }
    for line in &missing {
        text.push_str(line);
        text.push('\n');
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| unwritable_error(path, &error))?;
    Ok((!missing.is_empty()).then(|| FileEdit {
        path: path.display().to_string(),
        after: format!("{before}{text}"),
        before: there.as_deref().map(str::to_owned),
    }))
}

fn unwritable_error(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", path.display());
    Failure::from_io(UNWRITABLE, message, error)
}
