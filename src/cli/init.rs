//! `aeroform init`: the first aeroform.toml, made from the fly.toml that is there.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Context;
use super::args::Global;
use super::codes;
use super::manifests::{self, Warnings};
use super::pairs::{self, Ours};
use super::project::read_file;
use crate::core::fleet::profile::{FLY, LOCAL, ProviderProfile, profile};
use crate::core::fleet::{Desired, DesiredGroup};
use crate::core::manifest::aeroform_keys;
use crate::core::view::{FileEdit, json};
use crate::ui::list::{self, List};
use crate::ui::{Exit, Failure, Signals};

/// Where Machines can run, what a first try needs first.
const PROVIDERS: [ProviderProfile; 2] = [LOCAL, FLY];

/// The file that the line `#:schema` names, beside the aeroform.toml. Taplo and the editors built on it read that
/// line. A file of this version is right where the computer is offline, and where this program is older or newer
/// than what is published.
const SCHEMA: &str = "aeroform.schema.json";

/// Where a first aeroform.toml is to stand, and what fly.toml alone says.
pub(super) struct Beginning {
    pub(super) desired: Desired,
    fly: PathBuf,
    ours: PathBuf,
    ignore: PathBuf,
}

/// Writes it beside the fly.toml, and what git should ignore. Where nobody said where Machines are to run, a
/// terminal asks.
pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let asked = provider(context).await?;
    let global = Global {
        provider: asked,
        ..context.global.clone()
    };
    let context = &Context {
        global: &global,
        ..*context
    };
    let beginning = begin(context)?;
    context.ui.begins_to_change();
    let mut written = beginning.write(&manifest(&beginning.desired, &beginning.fly))?;
    written.extend(beginning.write_schema()?);
    let ui = context.ui;
    if ui.json() {
        let app = beginning.desired.app.as_str();
        ui.document(&json::init::init(app, &names(&written)));
    } else {
        let names: Vec<String> = names(&written)
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        ui.data(&format!("wrote {}\n", list_of(&names)));
        ui.say("next: `aeroform plan` shows what it would do");
    }
    Ok(Exit::Done)
}

/// What `--provider` says, or else a person at a terminal; no terminal means this computer.
async fn provider(context: &Context<'_>) -> Result<Option<String>, Failure> {
    let (ui, flag) = (context.ui, &context.global.provider);
    if flag.is_some() || ui.json() || !ui.streams().can_ask() {
        return Ok(flag.clone());
    }
    // What stands in the way of any answer is better known before the question.
    begin(context)?;
    let mut signals = Signals::listen()?;
    let list = List {
        question: "Where do the Machines run?",
        rows: &|_| {
            PROVIDERS
                .map(|profile| format!("{:5}  {}", profile.name, profile.init_description))
                .to_vec()
        },
        otherwise: Failure::new(
            codes::NO_PROVIDER_NAMED,
            "nothing says where the Machines run",
        )
        .hint("name one of these: `aeroform init --provider NAME`"),
    };
    let chosen = list::choose(ui, &mut signals, list).await?;
    Ok(Some(PROVIDERS[chosen].name.to_owned()))
}

/// Reads the fly.toml of a folder that has no aeroform.toml yet.
pub(super) fn begin(context: &Context<'_>) -> Result<Beginning, Failure> {
    let pair = pairs::find(context.global.config.as_deref())?;
    let ours = match &pair.ours {
        Ours::There(ours) => return Err(exists(ours)),
        Ours::ToBe(ours) => ours.clone(),
        Ours::OfOthers(others) => others.to_be.clone(),
    };
    if fs::symlink_metadata(&ours).is_ok() {
        return Err(exists(&ours));
    }
    let fly = pair.fly.clone();
    let read = manifests::read_without_ours(context, pair)?;
    read.may_be_written(context.global)?;
    let desired = read.accept(context.ui, Warnings::BesidePlan)?.desired;
    Ok(Beginning {
        desired,
        fly,
        ignore: ours.with_file_name(".gitignore"),
        ours,
    })
}

impl Beginning {
    /// Writes the aeroform.toml, and what git should ignore; gives what has changed in which file.
    pub(super) fn write(&self, text: &str) -> Result<Vec<FileEdit>, Failure> {
        write_new(&self.ours, text)?;
        let mut written = vec![FileEdit {
            path: self.ours.display().to_string(),
            before: None,
            after: text.to_owned(),
        }];
        written.extend(ignore_more(&self.ignore, ignored(&self.desired.provider))?);
        Ok(written)
    }

    /// Writes the schema that editors read beside the aeroform.toml; nothing where it is there already, or where
    /// another file has its name.
    fn write_schema(&self) -> Result<Option<FileEdit>, Failure> {
        let path = self.ours.with_file_name(SCHEMA);
        let bytes = read_file(&path)?;
        let before = bytes.as_deref().map(String::from_utf8_lossy);
        let text = aeroform_keys::schema();
        let is_ours = before.as_deref().is_none_or(aeroform_keys::is_schema);
        if !is_ours || before.as_deref() == Some(&text) {
            return Ok(None);
        }
        fs::write(&path, &text).map_err(|error| unwritable(&path, &error))?;
        Ok(Some(FileEdit {
            path: path.display().to_string(),
            before: before.map(std::borrow::Cow::into_owned),
            after: text,
        }))
    }

    /// The first lines of every aeroform.toml.
    pub(super) fn head(&self) -> String {
        head(&self.desired, &self.fly)
    }
}

/// The first lines of an aeroform.toml beside this fly.toml.
pub(super) fn head(desired: &Desired, fly: &Path) -> String {
    let mut text = String::from(
        "# What fly.toml cannot say: how many Machines of each process group run, and where.\n\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "provider = {}", quoted(&desired.provider));
    if let Some(name) = fly.file_name().and_then(|name| name.to_str())
        && !pairs::is_found_by_name(fly)
    {
        let _ = writeln!(text, "config = {}", quoted(name));
    }
    text
}

fn manifest(desired: &Desired, fly: &Path) -> String {
    let mut text = format!("#:schema ./{SCHEMA}\n{}", head(desired, fly));
    // On Fly the Machines that exist say how many there are; a number written here would undo what
    // `fly scale count` did (rule 7).
    if desired.profile().state_is_local {
        for (name, group) in &desired.groups {
            let (count, why) = count(group);
            let name = toml_edit::Key::new(name.as_str());
            let _ = write!(text, "\n[groups.{name}]\ncount = {count}  # {why}\n");
        }
    }
    text
}

/// What Fly itself gives a new group.
fn count(group: &DesiredGroup) -> (u32, &'static str) {
    if group.template.has_mounts() {
        (1, "Fly's own choice for a group with a volume")
    } else if group.template.has_services() {
        (2, "Fly's own choice for a group with a service")
    } else {
        (1, "Fly adds a stopped standby: `standby = true`")
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The state of local Machines means nothing on another computer; on Fly it is the team's.
fn ignored(provider: &str) -> &'static [&'static str] {
    if profile(provider).state_is_local {
        &["/state/"]
    } else {
        &["/state/.*.lock", "/state/*.unpublished*"]
    }
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        codes::ALREADY_THERE,
        format!("`{}` is there already", path.display()),
    )
    .hint("change it by hand, or move it away first; nothing was written")
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritable(path, &error),
    })
}

/// Adds the lines that are not there yet; gives nothing where all are.
fn ignore_more(path: &Path, wanted: &[&'static str]) -> Result<Option<FileEdit>, Failure> {
    let bytes = read_file(path)?;
    let there = bytes.as_deref().map(String::from_utf8_lossy);
    let before = there.as_deref().unwrap_or_default();
    let missing: Vec<&str> = wanted
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
        .map_err(|error| unwritable(path, &error))?;
    Ok((!missing.is_empty()).then(|| FileEdit {
        path: path.display().to_string(),
        after: format!("{before}{text}"),
        before: there.as_deref().map(str::to_owned),
    }))
}

/// A list of words, as people write it.
fn list_of(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// The names of files that were written.
pub(super) fn names(written: &[FileEdit]) -> Vec<String> {
    written.iter().map(|file| file.path.clone()).collect()
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", path.display());
    Failure::of_system(codes::UNWRITABLE, message, error)
}
