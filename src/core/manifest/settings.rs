//! Settings that are needed first: provider, path of fly.toml, location of the state.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::profile::{FLY, LOCAL};
use crate::core::fleet::{AppName, Region};

use super::aeroform::AeroformDocument;

/// The default provider.
pub(super) const DEFAULT_PROVIDER: &str = LOCAL.name;

/// All providers.
pub const PROVIDERS: [&str; 2] = [FLY.name, LOCAL.name];

/// Location of the state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// A path, relative to the folder of aeroform.toml.
    Path(String),
    /// A remote store (`git+…`, `https://…`).
    Url(String),
}

/// Overrides by flags, and facts about the project folder.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Overrides `app`.
    pub app: Option<AppName>,
    /// The source of `app` (`--app` unless set).
    pub app_source: Option<String>,
    /// Overrides `provider`.
    pub provider: Option<String>,
    /// The provider if neither a flag nor aeroform.toml sets one.
    pub fallback_provider: Option<String>,
    /// Overrides every image in the files (rule 18).
    pub image: Option<String>,
    /// Unknown keys in fly.toml are errors.
    pub strict: bool,
    /// The Dockerfile next to fly.toml, if there is one; a hint quotes its command.
    pub dockerfile: Option<String>,
    /// Files that fly.toml references ([`super::referenced_files`]), by path as written.
    pub files: BTreeMap<String, LocalFile>,
    /// The files that git ignores.
    pub ignored: BTreeSet<String>,
    /// Regions that the platform reported, in addition to the built-in list.
    pub regions: BTreeSet<Region>,
    /// Only validate: a missing app or file is a warning, because a flag or a build may supply it later.
    pub validate_only: bool,
}

/// The result of reading a referenced file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalFile {
    /// Its content.
    Content(Vec<u8>),
    /// It does not exist.
    Missing,
    /// It was not read, with the reason.
    Refused(String),
}

/// Settings of aeroform.toml that are not part of the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Provider by name.
    pub provider: String,
    /// Whether a flag or aeroform.toml sets it.
    pub is_provider_explicit: bool,
    /// Path of fly.toml relative to aeroform.toml, if set.
    pub config: Option<String>,
    /// Location of the state, if set.
    pub state: Option<StateLocation>,
}

impl Settings {
    /// Location of the state of `app`.
    pub fn state_location(&self, app: &AppName) -> StateLocation {
        let usual = || StateLocation::Path(format!("state/{app}.json"));
        self.state.clone().unwrap_or_else(usual)
    }

    /// `otherwise` is the provider if no setting names one.
    pub(super) fn resolve(
        aeroform: &AeroformDocument,
        overrides: &Overrides,
        fallback_provider: &str,
    ) -> Self {
        let written = aeroform.provider.clone();
        let named = overrides.provider.clone().or(written);
        let provider_named = named.is_some();
        Self {
            provider: named.unwrap_or_else(|| fallback_provider.to_owned()),
            is_provider_explicit: provider_named,
            config: aeroform.config.clone(),
            state: aeroform.state.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_a_usual_value() {
        let settings =
            Settings::resolve(&AeroformDocument::default(), &Overrides::default(), "local");
        assert_eq!(
            (settings.provider.as_str(), settings.is_provider_explicit),
            ("local", false)
        );
        let app = AppName::new("shop").unwrap();
        let usual = StateLocation::Path("state/shop.json".to_owned());
        assert_eq!(settings.state_location(&app), usual);
    }
}
