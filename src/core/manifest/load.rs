//! From bytes to [`Desired`]: reads both files, then joins them.

use super::codes;
use crate::core::fleet::Desired;

use super::aeroform::{Aeroform, read};
use super::diagnostics::{Diagnostic, Diagnostics};
use super::fly::document;
use super::join::Both;
use super::settings::{LocalFile, Overrides, Settings};
use super::source::{Source, SourceFile};
use super::tree::{Dialect, File};

/// Most bytes that the templates of all groups may come to: every group has its own copy of what
/// fly.toml says to all of them.
const MOST_BYTES: usize = 128 << 20;

/// The manifests as a whole.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is wanted; none when there is an error.
    pub desired: Option<Desired>,
    /// Provider, fly.toml, state.
    pub settings: Settings,
    /// What was found, in both files.
    pub diagnostics: Diagnostics,
}

/// Reads aeroform.toml alone: it says which fly.toml to read.
pub fn settings(
    aeroform: Option<SourceFile<'_>>,
    overrides: &Overrides,
) -> (Settings, Diagnostics) {
    let Some(file) = aeroform else {
        return (
            Settings::of(&Aeroform::default(), overrides),
            Diagnostics::default(),
        );
    };
    let source = match Source::read(file) {
        Ok(source) => source,
        Err(diagnostic) => {
            return (
                Settings::of(&Aeroform::default(), overrides),
                only(*diagnostic),
            );
        }
    };
    let file = File::new(&source, Dialect::Aeroform);
    let aeroform = read_aeroform(&file);
    let settings = Settings::of(&aeroform.unwrap_or_default(), overrides);
    (settings, file.into_diagnostics())
}

/// Reads both manifests. With only warnings there is a [`Loaded::desired`]; with an error there is
/// none, and the diagnostics say everything that is wrong, not only the first.
pub fn load(
    fly: SourceFile<'_>,
    aeroform: Option<SourceFile<'_>>,
    overrides: &Overrides,
) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let mut source_of = |file| {
        Source::read(file)
            .map_err(|found| diagnostics.push(*found))
            .ok()
    };
    let fly_source = source_of(fly);
    let aero_source = aeroform.map(source_of);
    let aero_file = match &aero_source {
        Some(Some(source)) => Some(File::new(source, Dialect::Aeroform)),
        Some(None) | None => None,
    };
    if let Some(file) = &aero_file {
        file.has_regions(&overrides.regions);
    }
    if let (Some(file), Some(provider)) = (&aero_file, &overrides.provider) {
        file.runs_on(provider);
    }
    let aeroform = match (&aero_file, &aero_source) {
        (Some(file), _) => read_aeroform(file),
        (None, Some(_)) => None,
        (None, None) => Some(Aeroform::default()),
    };
    let settings = Settings::of(aeroform.as_ref().unwrap_or(&Aeroform::default()), overrides);
    let mut desired = None;
    if let Some(source) = &fly_source {
        let dialect = if overrides.strict {
            Dialect::FlyStrict
        } else {
            Dialect::Fly
        };
        let file = File::new(source, dialect);
        file.runs_on(&settings.provider);
        file.has_regions(&overrides.regions);
        desired = read_fly(
            &file,
            aero_file.as_ref(),
            aeroform.as_ref(),
            &settings,
            overrides,
        );
        diagnostics.extend(file.into_diagnostics());
    }
    if let Some(file) = aero_file {
        diagnostics.extend(file.into_diagnostics());
    }
    let desired = desired.filter(|_| !diagnostics.has_errors());
    Loaded {
        desired,
        settings,
        diagnostics,
    }
}

fn read_aeroform(file: &File<'_>) -> Option<Aeroform> {
    let tree = file.parse()?;
    Some(read(file, &tree))
}

/// Reads fly.toml and joins the two; where the syntax of one is broken, nothing is said of how they
/// fit together.
fn read_fly(
    file: &File<'_>,
    aero: Option<&File<'_>>,
    aeroform: Option<&Aeroform>,
    settings: &Settings,
    overrides: &Overrides,
) -> Option<Desired> {
    let tree = file.parse()?;
    let document = document::read(file, &tree, overrides);
    let groups = document.processes.len();
    let files = overrides.files.values().map(|found| match found {
        LocalFile::Content(bytes) => bytes.len(),
        LocalFile::Missing | LocalFile::Refused(_) => 0,
    });
    let each = file.source.text.len().saturating_add(files.sum());
    if groups.max(1).saturating_mul(each) > MOST_BYTES {
        let message = format!("{groups} process groups are too many for files of this size");
        file.report(Diagnostic::error(codes::TOO_LARGE, message).at(file.place(0..0, "")));
        return None;
    }
    let (document, aeroform) = (&document, aeroform?);
    Both {
        fly: file,
        tree: &tree,
        document,
        aero,
        aeroform,
        settings,
        overrides,
    }
    .desired()
}

fn only(diagnostic: Diagnostic) -> Diagnostics {
    let mut found = Diagnostics::default();
    found.push(diagnostic);
    found
}
