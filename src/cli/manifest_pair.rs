//! Pairs a fly.toml with its settings file: a folder may have files of several apps, and the counts of one app
//! must never be used for another.
//!
//! `fly.toml` belongs to `aeroform.toml`, `fly.NAME.toml` to `aeroform.NAME.toml`, and `NAME.toml` to
//! `NAME.aeroform.toml`, as TOML, JSON or YAML; `config` in a settings file names another one. Reads only
//! `config` of the settings files. Start at [`find_pair`].

use std::fs;
use std::path::{Path, PathBuf};

use super::codes;
use super::project::{AEROFORM_TOML, FLY_TOML, Project};
use crate::core::manifest::{self, Overrides, SourceFile};
use crate::ui::Failure;

/// The extensions of a fly.toml.
const EXTENSIONS: [&str; 4] = ["toml", "json", "yaml", "yml"];

/// A fly.toml and its settings.
#[derive(Debug, Clone)]
pub(super) struct ManifestPair {
    /// The project: the folder of the settings, or of fly.toml.
    pub(super) project: Project,
    /// The fly.toml, which may be missing.
    pub(super) fly: PathBuf,
    /// Named by a flag, so any path is allowed.
    pub(super) by_flag: bool,
    /// Its settings.
    pub(super) settings: SettingsFile,
}

/// The settings file of a fly.toml.
#[derive(Debug, Clone)]
pub(super) enum SettingsFile {
    /// The file.
    Found(PathBuf),
    /// There is none; its path would be this.
    Missing(PathBuf),
    /// There are settings files, but none for this fly.toml.
    Unmatched(UnmatchedSettings),
}

/// Why no settings file belongs to a fly.toml.
#[derive(Debug, Clone)]
pub(super) struct UnmatchedSettings {
    fly: PathBuf,
    /// The path of its settings.
    pub(super) default_path: PathBuf,
    why: String,
}

impl SettingsFile {
    /// The path of the settings, existing or not.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Found(location) | Self::Missing(location) => location,
            Self::Unmatched(others) => &others.default_path,
        }
    }
}

impl UnmatchedSettings {
    /// The warning for read-only verbs. `init` is the command that writes settings for that fly.toml.
    pub(super) fn warning(&self, init: &str) -> String {
        let (fly, why) = (self.fly.display(), &self.why);
        format!("`{fly}` has no settings: {why}; {}", self.hint(init))
    }

    /// The error for verbs that would ignore the settings.
    pub(super) fn refusal(&self, init: &str) -> Failure {
        let fly = self.fly.display();
        let message = format!(
            "`{fly}` has no settings: provider, counts, `protect` and `max_destroy` would be ignored"
        );
        Failure::new(codes::NO_SETTINGS, message)
            .cause(&self.why)
            .hint(self.hint(init))
    }

    fn hint(&self, init: &str) -> String {
        let location = self.default_path.display();
        if self.default_path.exists() {
            let name = file_name(&self.fly);
            format!("rename `{location}`, or write `config = \"{name}\"` there")
        } else {
            format!("`{init}` writes `{location}`")
        }
    }
}

/// Finds the fly.toml and its settings from `-c`: a file, a folder, or the current folder.
pub(super) fn find_pair(config: Option<&Path>) -> Result<ManifestPair, Failure> {
    find_pair_in(Path::new(""), config)
}

/// The same, with another folder as the current one.
pub(super) fn find_pair_in(here: &Path, config: Option<&Path>) -> Result<ManifestPair, Failure> {
    match config {
        Some(file) if !file.is_dir() => pair_of_file(here, file),
        Some(folder) => pair_of_folder(folder),
        None => pair_of_folder(here),
    }
}

fn pair_of_file(here: &Path, fly: &Path) -> Result<ManifestPair, Failure> {
    let folder = fly.parent().unwrap_or(Path::new(""));
    if is_settings(&file_name(fly)) {
        return Err(not_fly_toml_error(&SettingsCandidate::read(fly.to_owned())));
    }
    let folders = if is_same_file(folder, here) {
        vec![folder]
    } else {
        vec![folder, here]
    };
    let ours = if fly.exists() {
        settings_of(fly, &folders)?
    } else {
        SettingsFile::Missing(default_settings_path(fly))
    };
    let project = Project::open(folder_of(ours.path())).or_else(|gone| {
        // A missing folder is reported when the file is read.
        Project::open(here).map_err(|_| gone)
    })?;
    Ok(ManifestPair {
        project,
        fly: fly.to_owned(),
        by_flag: true,
        settings: ours,
    })
}

fn pair_of_folder(folder: &Path) -> Result<ManifestPair, Failure> {
    let project = Project::open(folder)?;
    let main = SettingsCandidate::read(folder.join(AEROFORM_TOML));
    let fly = main.config.clone();
    let fly = fly.unwrap_or_else(|| folder.join(FLY_TOML));
    let is_main = main.path.exists();
    let ours = if is_main && (project.check_inside(&fly).is_err() || !fly.exists()) {
        // Errors are reported when fly.toml is read.
        SettingsFile::Found(main.path)
    } else {
        let of_fly = fly.parent().unwrap_or(folder);
        let folders = if is_same_file(of_fly, folder) {
            vec![folder]
        } else {
            vec![of_fly, folder]
        };
        settings_of(&fly, &folders)?
    };
    let of_ours = ours.path().parent().unwrap_or(folder);
    Ok(ManifestPair {
        project: Project::open(of_ours)?,
        fly,
        by_flag: false,
        settings: ours,
    })
}

/// A settings file and its pairing.
struct SettingsCandidate {
    path: PathBuf,
    /// The fly.toml in its `config`.
    config: Option<PathBuf>,
}

impl SettingsCandidate {
    /// An unreadable or invalid file has no `config`; its error is reported later.
    fn read(path: PathBuf) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        let bytes = Project::open(folder).and_then(|project| project.read(&path));
        let shown = path.display().to_string();
        let config = bytes.ok().flatten().and_then(|bytes| {
            let file = SourceFile {
                path: &shown,
                bytes: &bytes,
            };
            let (settings, _) = manifest::settings(Some(file), &Overrides::default());
            Some(folder.join(settings.config?))
        });
        Self { path, config }
    }

    /// The fly.toml that it belongs to, by `config` or by name.
    fn fly(&self) -> Result<PathBuf, Failure> {
        match &self.config {
            Some(fly) => Ok(fly.clone()),
            None => self.fly_toml_by_name(),
        }
    }

    /// The fly.toml that belongs to it by name; TOML takes precedence.
    fn fly_toml_by_name(&self) -> Result<PathBuf, Failure> {
        let name = file_name(&self.path);
        let stem = match name.strip_suffix(".toml").unwrap_or(&name) {
            "aeroform" => "fly".to_owned(),
            stem => match (
                stem.strip_prefix("aeroform."),
                stem.strip_suffix(".aeroform"),
            ) {
                (Some(name), _) => format!("fly.{name}"),
                (None, Some(name)) => name.to_owned(),
                (None, None) => stem.to_owned(),
            },
        };
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut there = EXTENSIONS.map(|ending| folder.join(format!("{stem}.{ending}")));
        let first = there[0].clone();
        there.sort_by_key(|path| !path.exists());
        let [one, other, ..] = there;
        if one == first || !one.exists() || !other.exists() {
            return Ok(if one.exists() { one } else { first });
        }
        let location = self.path.display();
        let message = format!(
            "`{location}` may be for `{}` or for `{}`",
            one.display(),
            other.display()
        );
        Err(Failure::new(codes::SETTINGS_UNCLEAR, message).hint(format!(
            "write in `{location}` which one: `config = \"{}\"`",
            file_name(&one)
        )))
    }
}

/// The settings of this fly.toml, searched in these folders, its own first.
fn settings_of(fly: &Path, folders: &[&Path]) -> Result<SettingsFile, Failure> {
    let to_be = default_settings_path(fly);
    let there: Vec<SettingsCandidate> = folders
        .iter()
        .flat_map(|folder| settings_in(folder))
        .collect();
    let mut own = Vec::new();
    for file in &there {
        let is_own = match &file.config {
            Some(config) => is_same_file(config, fly),
            None => {
                is_same_file(&file.path, &to_be) && is_same_file(&file.fly_toml_by_name()?, fly)
            }
        };
        if is_own {
            own.push(&file.path);
        }
    }
    match own[..] {
        [] => {}
        [one] => return Ok(SettingsFile::Found(one.clone())),
        [one, other, ..] => return Err(ambiguous_error(fly, one, other)),
    }
    let mains = there
        .iter()
        .filter(|file| file.config.is_none() && file_name(&file.path) == AEROFORM_TOML);
    for main in mains {
        if other_fly_tomls(fly, main, &there).is_empty() {
            return Ok(SettingsFile::Found(main.path.clone()));
        }
    }
    let beside = there
        .iter()
        .filter(|file| is_same_file(folder_of(&file.path), folder_of(fly)));
    let mut beside: Vec<&SettingsCandidate> = beside.collect();
    // A file that a user would expect to be its settings.
    beside.sort_by_key(|file| {
        let name = file_name(&file.path);
        (
            !is_same_file(&file.path, &to_be),
            name != AEROFORM_TOML,
            name,
        )
    });
    let Some(first) = beside.first() else {
        return Ok(SettingsFile::Missing(to_be));
    };
    let why = describe_mismatch(fly, first, &there)?;
    let fly = fly.to_owned();
    Ok(SettingsFile::Unmatched(UnmatchedSettings {
        fly,
        default_path: to_be,
        why,
    }))
}

fn describe_mismatch(
    fly: &Path,
    settings: &SettingsCandidate,
    there: &[SettingsCandidate],
) -> Result<String, Failure> {
    let location = settings.path.display();
    let of = settings.fly()?;
    if settings.config.is_some() || of.exists() || file_name(&settings.path) != AEROFORM_TOML {
        return Ok(format!("`{location}` is for `{}`", of.display()));
    }
    let others: Vec<String> = other_fly_tomls(fly, settings, there)
        .iter()
        .map(|other| format!("`{}`", other.display()))
        .collect();
    let others = others.join(", ");
    Ok(format!(
        "`{location}` does not say whether it is for this file or for {others}"
    ))
}

/// Another fly.toml that an aeroform.toml without `config` could belong to.
fn other_fly_tomls(
    fly: &Path,
    main: &SettingsCandidate,
    there: &[SettingsCandidate],
) -> Vec<PathBuf> {
    let files = files_in(folder_of(&main.path)).into_iter();
    let others = files.filter(|path| {
        let name = file_name(path);
        let is_fly = split_extension(&name)
            .is_some_and(|(stem, _)| stem == "fly" || stem.starts_with("fly."));
        is_fly && !is_settings(&name) && !is_same_file(path, fly)
    });
    let has_own = |path: &PathBuf| {
        there.iter().any(|file| match &file.config {
            Some(config) => is_same_file(config, path),
            None => {
                file_name(&file.path) != AEROFORM_TOML
                    && is_same_file(&file.path, &default_settings_path(path))
            }
        })
    };
    others.filter(|path| !has_own(path)).collect()
}

/// The settings file of a fly.toml by name.
fn default_settings_path(fly: &Path) -> PathBuf {
    let name = file_name(fly);
    let stem = split_extension(&name).map_or(name.as_str(), |(stem, _)| stem);
    let pair = match (stem, stem.strip_prefix("fly.")) {
        ("fly", _) => AEROFORM_TOML.to_owned(),
        (_, Some(name)) => format!("aeroform.{name}.toml"),
        (name, None) => format!("{name}.{AEROFORM_TOML}"),
    };
    folder_of(fly).join(pair)
}

fn is_settings(name: &str) -> bool {
    let stem = split_extension(name).filter(|(_, ending)| *ending == EXTENSIONS[0]);
    let is_one = |stem: &str| {
        stem == "aeroform" || stem.starts_with("aeroform.") || stem.ends_with(".aeroform")
    };
    stem.is_some_and(|(stem, _)| is_one(stem))
}

/// Whether a fly.toml with this name is found without `config`.
pub(super) fn is_found_by_name(fly: &Path) -> bool {
    split_extension(&file_name(fly)).is_some_and(|(_, ending)| ending == EXTENSIONS[0])
}

/// Candidates for a missing fly.toml.
pub(super) fn candidates(folder: &Path) -> Vec<PathBuf> {
    let files = files_in(folder).into_iter();
    let is_one = |name: &str| {
        split_extension(name).is_some_and(|(stem, _)| stem == "fly" || stem.starts_with("fly."))
    };
    files
        .filter(|path| is_one(&file_name(path)) && !is_settings(&file_name(path)))
        .collect()
}

fn split_extension(name: &str) -> Option<(&str, &str)> {
    let (stem, ending) = name.rsplit_once('.')?;
    EXTENSIONS.contains(&ending).then_some((stem, ending))
}

fn settings_in(folder: &Path) -> Vec<SettingsCandidate> {
    let files = files_in(folder).into_iter();
    files
        .filter(|path| is_settings(&file_name(path)))
        .map(SettingsCandidate::read)
        .collect()
}

/// The file names of a folder; empty if it cannot be listed.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let listed = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    let entries = fs::read_dir(listed).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| folder.join(entry.file_name()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Whether both are the same file or folder.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let resolved = |path: &Path| {
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        fs::canonicalize(path).or_else(|_| std::path::absolute(path))
    };
    one == other || matches!((resolved(one), resolved(other)), (Ok(one), Ok(other)) if one == other)
}

fn ambiguous_error(fly: &Path, one: &Path, other: &Path) -> Failure {
    let (fly, one, other) = (fly.display(), one.display(), other.display());
    let message = format!("`{one}` and `{other}` are both for `{fly}`");
    Failure::new(codes::SETTINGS_TWICE, message)
        .hint("keep one of them, or set its `config` to another file")
}

fn not_fly_toml_error(settings: &SettingsCandidate) -> Failure {
    let location = settings.path.display();
    let message = format!("`{location}` is a settings file, and `-c` takes a fly.toml");
    match settings.fly() {
        Ok(fly) => Failure::new(codes::SETTINGS_NAMED, message).hint(format!(
            "use its fly.toml: `aeroform -c {0} …`",
            fly.display()
        )),
        Err(unclear) => unclear,
    }
}
