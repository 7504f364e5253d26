//! From bytes to [`Desired`]: reads both files, then joins them.

use std::ops::Range;

use super::codes;
use crate::core::code::Code;
use crate::core::fleet::Desired;
use crate::core::fleet::profile::FLY;

use super::aeroform::{AeroformDocument, read};
use super::diagnostics::{Diagnostic, Diagnostics};
use super::fly::document;
use super::join::ParsedManifests;
use super::reference;
use super::secrets;
use super::settings::{DEFAULT_PROVIDER, LocalFile, Overrides, Settings};
use super::source::{Source, SourceFile, is_manifest};
use super::suggest::closest;
use super::tree::{Dialect, ManifestFile};
use super::value::{Table, Value};

/// Maximum total size of all groups' templates: every group has a copy of what applies to all.
const MAX_TEMPLATE_BYTES: usize = 128 << 20;

/// The loaded manifests.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The desired state; none with an error.
    pub desired: Option<Desired>,
    /// Provider, fly.toml, state.
    pub settings: Settings,
    /// Whether a flag or a file sets an image, or fly.toml has `[build]`.
    pub has_image: bool,
    /// Diagnostics of both files.
    pub diagnostics: Diagnostics,
}

/// Reads only aeroform.toml, which may name the fly.toml.
pub fn settings(
    aeroform: Option<SourceFile<'_>>,
    overrides: &Overrides,
) -> (Settings, Diagnostics) {
    let Some(file) = aeroform else {
        return (
            Settings::resolve(&AeroformDocument::default(), overrides, DEFAULT_PROVIDER),
            Diagnostics::default(),
        );
    };
    let source = match Source::read(file) {
        Ok(source) => source,
        Err(diagnostic) => {
            return (
                Settings::resolve(&AeroformDocument::default(), overrides, DEFAULT_PROVIDER),
                single_diagnostic(*diagnostic),
            );
        }
    };
    let file = ManifestFile::new(&source, Dialect::Aeroform);
    let tree = file.parse();
    let aeroform = tree.map(|tree| read(&file, &tree, DEFAULT_PROVIDER));
    let settings = Settings::resolve(&aeroform.unwrap_or_default(), overrides, DEFAULT_PROVIDER);
    (settings, file.into_diagnostics())
}

/// Reads both manifests. With an error there is no [`Loaded::desired`], and the diagnostics list all mistakes.
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
    let fly_file = fly_source
        .as_ref()
        .map(|source| ManifestFile::new(source, dialect));
    let aero_file = match &aero_source {
        Some(Some(source)) => Some(ManifestFile::new(source, Dialect::Aeroform)),
        Some(None) | None => None,
    };
    let both = ParsedFiles {
        fly: fly_file.as_ref(),
        aeroform: aero_file.as_ref(),
        has_aeroform: aero_source.is_some(),
    };
    let (desired, settings, has_image, misspelt) = both.read(overrides);
    let files = [fly_file, aero_file].into_iter().flatten();
    for file in files {
        diagnostics.extend(file.into_diagnostics());
    }
    for section in &misspelt {
        diagnostics.lead_with(codes::UNKNOWN_KEY, &section.span, section.follow_ups);
    }
    let desired = desired.filter(|_| !diagnostics.has_errors());
    if !is_manifest(fly.path) {
        diagnostics.redact_excerpts(fly.path);
    }
    Loaded {
        desired,
        settings,
        has_image,
        diagnostics,
    }
}

/// Both files, if they are text.
struct ParsedFiles<'f> {
    fly: Option<&'f ManifestFile<'f>>,
    aeroform: Option<&'f ManifestFile<'f>>,
    /// Whether there is an aeroform.toml.
    has_aeroform: bool,
}

impl ParsedFiles<'_> {
    /// The desired state, the settings, whether an image is set or built, and misspelt sections.
    fn read(
        &self,
        overrides: &Overrides,
    ) -> (Option<Desired>, Settings, bool, Vec<MisspeltSection>) {
        for file in [self.fly, self.aeroform].into_iter().flatten() {
            file.set_platform_regions(&overrides.regions);
        }
        let fly_tree = self.fly.and_then(ManifestFile::parse);
        let aero_tree = self.aeroform.and_then(ManifestFile::parse);
        for (file, tree) in [(self.fly, &fly_tree), (self.aeroform, &aero_tree)] {
            if let (Some(file), Some(tree)) = (file, tree) {
                secrets::warn_secrets(file, tree);
            }
        }
        let has_image = overrides.image.is_some()
            || has_key(fly_tree.as_ref(), "build")
            || has_key(aero_tree.as_ref(), "image");
        // An image implies Fly: provider `local` has none.
        let usual = if has_image {
            FLY.name
        } else {
            DEFAULT_PROVIDER
        };
        let otherwise = overrides.fallback_provider.as_deref().unwrap_or(usual);
        if let (Some(file), Some(provider)) = (self.aeroform, &overrides.provider) {
            file.set_provider(provider);
        }
        let aeroform = match (self.aeroform, &aero_tree) {
            (Some(file), Some(tree)) => Some(read(file, tree, otherwise)),
            _ if self.has_aeroform => None,
            _ => Some(AeroformDocument::default()),
        };
        let nothing = AeroformDocument::default();
        let settings =
            Settings::resolve(aeroform.as_ref().unwrap_or(&nothing), overrides, otherwise);
        let desired = self.fly.zip(fly_tree.as_ref()).and_then(|(file, tree)| {
            file.set_provider(&settings.provider);
            let aero = self.aeroform;
            read_fly(file, tree, aero, aeroform.as_ref(), &settings, overrides)
        });
        let misspelt = fly_tree.as_ref().map(misspelt_sections);
        (desired, settings, has_image, misspelt.unwrap_or_default())
    }
}

/// Sections whose absence causes errors elsewhere, with the codes of those errors.
const NEEDED_SECTIONS: [(&str, &[Code]); 2] = [
    ("processes", &[codes::UNDEFINED_GROUP, codes::NO_COMMAND]),
    ("http_service", &[codes::CHECK_WITHOUT_PORT]),
];

/// A section of fly.toml with a misspelt name.
struct MisspeltSection {
    /// Where the name is.
    span: Range<usize>,
    /// Errors that it explains.
    follow_ups: &'static [Code],
}

/// Tables of fly.toml that were probably meant to be one of [`NEEDED_SECTIONS`].
fn misspelt_sections(tree: &Table<'_>) -> Vec<MisspeltSection> {
    let known = reference::section("").map_or(&[][..], |section| section.keys);
    let mut found = Vec::new();
    for (name, span, node) in tree.iter() {
        let is_known = known.iter().any(|key| key.name.eq_ignore_ascii_case(name));
        if is_known || !matches!(node.get_ref(), Value::Table(_) | Value::Array(_)) {
            continue;
        }
        let meant = closest(name, known.iter().map(|key| key.name));
        let needed = NEEDED_SECTIONS
            .iter()
            .find(|(section, _)| meant == Some(*section) && !has_key(Some(tree), section));
        found.extend(needed.map(|(_, follow_ups)| MisspeltSection { span, follow_ups }));
    }
    found
}

/// Whether a file has this key, in any case.
fn has_key(tree: Option<&Table<'_>>, key: &str) -> bool {
    let is_it = |name: &str| name.eq_ignore_ascii_case(key);
    let mut keys = tree.into_iter().flat_map(Table::iter);
    keys.any(|(name, _, node)| is_it(name) && !node.is_null())
}

/// Reads fly.toml and joins both files, unless one has a syntax error.
fn read_fly(
    file: &ManifestFile<'_>,
    tree: &Table<'_>,
    aero: Option<&ManifestFile<'_>>,
    aeroform: Option<&AeroformDocument>,
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
    if groups.max(1).saturating_mul(each) > MAX_TEMPLATE_BYTES {
        let message = format!("{groups} process groups are too many for manifests of this size");
        file.report(
            Diagnostic::error(codes::TOO_LARGE, message).with_location(file.location(0..0, "")),
        );
        return None;
    }
    let (document, aeroform) = (&document, aeroform?);
    ParsedManifests {
        fly_file: file,
        tree,
        document,
        aeroform_file: aero,
        aeroform,
        settings,
        overrides,
    }
    .desired()
}

fn single_diagnostic(diagnostic: Diagnostic) -> Diagnostics {
    let mut found = Diagnostics::default();
    found.push(diagnostic);
    found
}
