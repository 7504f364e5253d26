//! What has to be known before anything else is read: which provider, which fly.toml, where the
//! state stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::profile::{FLY, LOCAL};
use crate::core::fleet::{AppName, Region};

use super::aeroform::AeroformDocument;

/// Where Machines run unless somebody says otherwise.
pub(super) const DEFAULT_PROVIDER: &str = LOCAL.name;

/// Where Machines can run.
pub const PROVIDERS: [&str; 2] = [FLY.name, LOCAL.name];

/// Where the state file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// A path, from the folder of aeroform.toml.
    Path(String),
    /// A store elsewhere (`git+…`, `https://…`).
    Url(String),
}

/// What flags, and the folder beside the files, add to the manifests.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Beats `app`.
    pub app: Option<AppName>,
    /// What says so (`--app` unless named).
    pub app_source: Option<String>,
    /// Beats `provider`.
    pub provider: Option<String>,
    /// Where Machines run, where neither a flag nor aeroform.toml says so.
    pub fallback_provider: Option<String>,
    /// Beats every image in the files (rule 18).
    pub image: Option<String>,
    /// Unknown keys in fly.toml are errors.
    pub strict: bool,
    /// The text of the Dockerfile beside fly.toml, if there is one; a hint quotes its command.
    pub dockerfile: Option<String>,
    /// The files that fly.toml asks for ([`super::referenced_files`]), by path as it is written there.
    pub files: BTreeMap<String, LocalFile>,
    /// Those of them that git ignores.
    pub ignored: BTreeSet<String>,
    /// Regions that the platform itself has named, beside those that are known here.
    pub regions: BTreeSet<Region>,
    /// Nothing will be done with it: an app without a name and a file that is missing, which a flag
    /// or a build may yet supply, are only warned about.
    pub validate_only: bool,
}

/// What was found where fly.toml asks for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalFile {
    /// Its content.
    Content(Vec<u8>),
    /// There is none.
    Missing,
    /// It is not read, and why.
    Refused(String),
}

/// The settings of aeroform.toml that are not about what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Provider by name.
    pub provider: String,
    /// Whether a flag or aeroform.toml names it.
    pub is_provider_explicit: bool,
    /// Path of fly.toml, from the folder of aeroform.toml, if it is written.
    pub config: Option<String>,
    /// Where the state stands, if it is written.
    pub state: Option<StateLocation>,
}

impl Settings {
    /// Where the state of `app` stands.
    pub fn state_location(&self, app: &AppName) -> StateLocation {
        let usual = || StateLocation::Path(format!("state/{app}.json"));
        self.state.clone().unwrap_or_else(usual)
    }

    /// `otherwise` is where Machines run, where nothing says so.
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
