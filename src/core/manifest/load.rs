//! From bytes to [`Desired`]: reads both files, then joins them.

use super::codes;
use crate::core::fleet::Desired;
use crate::core::fleet::profile::FLY;

use super::aeroform::{Aeroform, read};
use super::diagnostics::{Diagnostic, Diagnostics};
use super::fly::document;
use super::join::Both;
use super::secrets;
use super::settings::{DEFAULT_PROVIDER, LocalFile, Overrides, Settings};
use super::source::{Source, SourceFile, is_manifest};
use super::tree::{Dialect, File};
use super::value::Table;

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
    /// Whether a flag or a file names an image, or fly.toml says how to build one.
    pub has_image: bool,
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
            Settings::of(&Aeroform::default(), overrides, DEFAULT_PROVIDER),
            Diagnostics::default(),
        );
    };
    let source = match Source::read(file) {
        Ok(source) => source,
        Err(diagnostic) => {
            return (
                Settings::of(&Aeroform::default(), overrides, DEFAULT_PROVIDER),
                only(*diagnostic),
            );
        }
    };
    let file = File::new(&source, Dialect::Aeroform);
    let tree = file.parse();
    let aeroform = tree.map(|tree| read(&file, &tree, DEFAULT_PROVIDER));
    let settings = Settings::of(&aeroform.unwrap_or_default(), overrides, DEFAULT_PROVIDER);
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
    let dialect = if overrides.strict {
        Dialect::FlyStrict
    } else {
        Dialect::Fly
    };
    let fly_file = fly_source.as_ref().map(|source| File::new(source, dialect));
    let aero_file = match &aero_source {
        Some(Some(source)) => Some(File::new(source, Dialect::Aeroform)),
        Some(None) | None => None,
    };
    let both = Files {
        fly: fly_file.as_ref(),
        aero: aero_file.as_ref(),
        has_aero: aero_source.is_some(),
    };
    let (desired, settings, has_image) = both.read(overrides);
    let files = [fly_file, aero_file].into_iter().flatten();
    for file in files {
        diagnostics.extend(file.into_diagnostics());
    }
    let desired = desired.filter(|_| !diagnostics.has_errors());
    if !is_manifest(fly.path) {
        diagnostics.without_quotes(fly.path);
    }
    Loaded {
        desired,
        settings,
        has_image,
        diagnostics,
    }
}

/// Both files, as far as they are text.
struct Files<'f> {
    fly: Option<&'f File<'f>>,
    aero: Option<&'f File<'f>>,
    /// Whether there is an aeroform.toml at all.
    has_aero: bool,
}

impl Files<'_> {
    /// What is wanted, the settings, and whether an image is named or built.
    fn read(&self, overrides: &Overrides) -> (Option<Desired>, Settings, bool) {
        for file in [self.fly, self.aero].into_iter().flatten() {
            file.has_regions(&overrides.regions);
        }
        let fly_tree = self.fly.and_then(File::parse);
        let aero_tree = self.aero.and_then(File::parse);
        for (file, tree) in [(self.fly, &fly_tree), (self.aero, &aero_tree)] {
            if let (Some(file), Some(tree)) = (file, tree) {
                secrets::warn(file, tree);
            }
        }
        let has_image = overrides.image.is_some()
            || says(fly_tree.as_ref(), "build")
            || says(aero_tree.as_ref(), "image");
        // Whoever has an image, or builds one, means Fly: processes of this computer have none.
        let usual = if has_image {
            FLY.name
        } else {
            DEFAULT_PROVIDER
        };
        let otherwise = overrides.provider_otherwise.as_deref().unwrap_or(usual);
        if let (Some(file), Some(provider)) = (self.aero, &overrides.provider) {
            file.runs_on(provider);
        }
        let aeroform = match (self.aero, &aero_tree) {
            (Some(file), Some(tree)) => Some(read(file, tree, otherwise)),
            _ if self.has_aero => None,
            _ => Some(Aeroform::default()),
        };
        let nothing = Aeroform::default();
        let settings = Settings::of(aeroform.as_ref().unwrap_or(&nothing), overrides, otherwise);
        let desired = self.fly.zip(fly_tree.as_ref()).and_then(|(file, tree)| {
            file.runs_on(&settings.provider);
            let aero = self.aero;
            read_fly(file, tree, aero, aeroform.as_ref(), &settings, overrides)
        });
        (desired, settings, has_image)
    }
}

/// Whether a file says anything of this key, in whichever case flyctl takes it.
fn says(tree: Option<&Table<'_>>, key: &str) -> bool {
    let is_it = |name: &str| name.eq_ignore_ascii_case(key);
    let mut keys = tree.into_iter().flat_map(Table::iter);
    keys.any(|(name, _, node)| is_it(name) && !node.is_null())
}

/// Reads fly.toml and joins the two; where the syntax of one is broken, nothing is said of how they
/// fit together.
fn read_fly(
    file: &File<'_>,
    tree: &Table<'_>,
    aero: Option<&File<'_>>,
    aeroform: Option<&Aeroform>,
    settings: &Settings,
    overrides: &Overrides,
) -> Option<Desired> {
    let document = document::read(file, tree, overrides);
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
        tree,
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
