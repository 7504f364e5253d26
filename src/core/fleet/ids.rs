//! Names and ids as types, so that a group can never be passed where a region is meant.
//!
//! Construction checks only what would break something further down (a Machine id becomes a folder
//! name, an app name becomes a file name); what a platform accepts is the provider's business.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::quoting::toml_key;

/// Why a text is not a valid name or id; says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct InvalidName {
    /// What the text was meant to be, as a person would say it.
    pub what: &'static str,
    /// The text as it came.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text that obeys the rule of this name.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidName { what: $what, text, rule: $rule })
                }
            }

            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

fn is_slug(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

name_type!(
    /// An app's name: lower-case letters, digits and dashes, fewer than 63 characters
    /// (docs/platform/machines-api.md 1.8).
    AppName,
    "app name",
    "use lower-case letters, digits and dashes, fewer than 63 characters",
    |t| is_slug(t, 62)
);
name_type!(
    /// A process group's name, as `[processes]` in fly.toml writes it (`web`, `sidekiq_low`).
    GroupName,
    "process group name",
    "a group name is not empty, at most 100 bytes, and has no control characters",
    |t| !t.is_empty() && t.len() <= 100 && !t.chars().any(char::is_control)
);
name_type!(
    /// A region's code on Fly (`ams`), or any name of that form with provider `local`.
    Region,
    "region",
    "use lower-case letters, digits and dashes, at most 32 characters",
    |t| is_slug(t, 32)
);
name_type!(
    /// A Machine's id as its provider gave it (14 lower-case hex characters on Fly).
    MachineId,
    "Machine id",
    "use lower-case letters, digits and dashes, at most 64 characters",
    |t| is_slug(t, 64)
);
name_type!(
    /// A Machine's name, unique in its app; those that Aeroform makes end in the launch id.
    MachineName,
    "Machine name",
    "a Machine name is not empty, at most 200 bytes, and has no control characters",
    |t| !t.is_empty() && t.len() <= 200 && !t.chars().any(char::is_control)
);
name_type!(
    /// A volume's id (`vol_` and 16 characters on Fly).
    VolumeId,
    "volume id",
    "a volume id is not empty, at most 64 bytes, and has no control characters",
    |t| !t.is_empty() && t.len() <= 64 && !t.chars().any(char::is_control)
);
name_type!(
    /// The provider's own id of the app's scope: it tells one incarnation of an app from another.
    Lineage,
    "lineage",
    "a lineage is not empty, at most 100 bytes, and has no control characters",
    |t| !t.is_empty() && t.len() <= 100 && !t.chars().any(char::is_control)
);
name_type!(
    /// One apply, from consent to the written state.
    RunId,
    "run id",
    "use lower-case letters, digits and dashes, at most 40 characters",
    |t| is_slug(t, 40)
);
name_type!(
    /// The id of one intended create, derived and never random (rule 4): the Machine that answers
    /// the intent is the one whose *name* ends in it.
    LaunchId,
    "launch id",
    "a launch id is 10 lower-case base32 characters",
    |t| t.len() == 10 && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

impl GroupName {
    /// The group's name where it becomes part of a file or Machine name: lower-case letters, digits
    /// and dashes only. A name that loses something on the way gets a short hash, so that two groups
    /// never share a slug.
    pub fn slug(&self) -> String {
        if is_slug(&self.0, 40) {
            return self.0.clone();
        }
        let mut slug: String = self
            .0
            .chars()
            .take(32)
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let hash = Sha256::digest(self.0.as_bytes());
        slug.push('-');
        slug.push_str(&HEXLOWER.encode(&hash[..3]));
        slug
    }
}

impl GroupName {
    /// The name as a key of TOML: quoted where it is not bare.
    pub fn toml_key(&self) -> String {
        toml_key(self.as_str()).into_owned()
    }
}

impl Lineage {
    /// The part of it that belongs to one project folder: another one for each folder.
    #[must_use]
    pub fn for_project(&self, folder: &str) -> Self {
        let digest = BASE32_NOPAD.encode(&Sha256::digest(folder.as_bytes()));
        let digest = digest[..12].to_ascii_lowercase();
        // Short enough to be a lineage, whatever its letters are.
        let scope: String = self.0.chars().take(20).collect();
        let scope = if self.0.len() <= 80 { &self.0 } else { &scope };
        Self(format!("{scope}@{digest}"))
    }

    const DERIVED_PREFIX: &str = "app-without-id-";

    /// The lineage of an app whose id the platform does not tell. The same names give the same one.
    pub fn derive_from_names(organization: &str, app: &AppName) -> Self {
        let hash = Sha256::digest(format!("{organization}/{app}"));
        Self(format!(
            "{}{}",
            Self::DERIVED_PREFIX,
            HEXLOWER.encode(&hash[..16])
        ))
    }

    /// Whether it was derived from names because there was no id.
    pub fn is_derived_from_names(&self) -> bool {
        self.0.starts_with(Self::DERIVED_PREFIX)
    }
}

impl Region {
    /// The region of a Machine of which none was told.
    pub fn unknown() -> Self {
        Self("unknown".to_owned())
    }

    /// Whether a region was told.
    pub fn is_known(&self) -> bool {
        self.0 != "unknown"
    }
}

impl LaunchId {
    /// Derives the id of an intent: 10 base32 letters of sha256(lineage, base serial, group, region,
    /// slot). Planning twice over the same facts gives the same id, so a run whose journal died with
    /// its runner meets its own creates again.
    pub fn derive(
        lineage: &Lineage,
        serial: u64,
        group: &GroupName,
        region: &Region,
        slot: u32,
    ) -> Self {
        let parts = [lineage.as_str(), group.as_str(), region.as_str()];
        Self::hashed(&parts, serial, slot)
    }

    /// Derives the id of the intent to replace a Machine, should its host have no room. The Machine's own
    /// id goes in, so no other intent of the plan has a part in it, and none of theirs moves when one
    /// of these comes or goes.
    pub fn derive_replacement(
        lineage: &Lineage,
        serial: u64,
        group: &GroupName,
        region: &Region,
        old: &MachineId,
        slot: u32,
    ) -> Self {
        let place = [lineage.as_str(), group.as_str(), region.as_str()];
        let parts = [place[0], place[1], place[2], "instead of", old.as_str()];
        Self::hashed(&parts, serial, slot)
    }

    fn hashed(parts: &[&str], serial: u64, slot: u32) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // Lengths go in, so that no two different tuples hash the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(serial.to_be_bytes());
        hash.update(slot.to_be_bytes());
        let text = BASE32_NOPAD.encode(&hash.finalize());
        Self(text[..10].to_ascii_lowercase())
    }
}

impl MachineName {
    /// The name of the Machine that answers an intent of this group.
    pub fn for_launch(group: &GroupName, launch: &LaunchId) -> Self {
        Self(format!("{}-{}", group.slug(), launch))
    }

    /// Whether this Machine answers the intent with that launch id (rule 4: the name decides, since
    /// other tools copy metadata).
    pub fn matches_launch(&self, launch: &LaunchId) -> bool {
        self.launch_suffix()
            .is_some_and(|part| part == launch.as_str())
    }

    /// The last dash-separated part, where a launch id would stand.
    pub fn launch_suffix(&self) -> Option<&str> {
        self.0.rsplit_once('-').map(|(_, last)| last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    #[test]
    fn a_name_is_quoted_where_toml_needs_it() {
        assert_eq!(group("web-1").toml_key(), "web-1");
        assert_eq!(group("w rk").toml_key(), "\"w rk\"");
    }

    #[test]
    fn slugs_of_different_groups_never_meet() {
        assert_eq!(group("web").slug(), "web");
        assert_ne!(group("side_kiq").slug(), group("side-kiq").slug());
        assert_ne!(group("Web").slug(), group("web").slug());
        assert!(group("side_kiq").slug().starts_with("side-kiq-"));
    }

    #[test]
    fn a_launch_id_is_the_same_for_the_same_facts_and_differs_by_each_of_them() {
        let lineage = Lineage::new("l1").unwrap();
        let ams = Region::new("ams").unwrap();
        let id = LaunchId::derive(&lineage, 3, &group("web"), &ams, 0);
        assert_eq!(id, LaunchId::derive(&lineage, 3, &group("web"), &ams, 0));
        assert_ne!(id, LaunchId::derive(&lineage, 4, &group("web"), &ams, 0));
        assert_ne!(id, LaunchId::derive(&lineage, 3, &group("web"), &ams, 1));
        assert_ne!(
            id,
            LaunchId::derive(&lineage, 3, &group("we"), &Region::new("bams").unwrap(), 0)
        );
        let successor = |old: &str| {
            let old = MachineId::new(old).unwrap();
            LaunchId::derive_replacement(&lineage, 3, &group("web"), &ams, &old, 0)
        };
        assert_ne!(id, successor("m1"));
        assert_ne!(successor("m1"), successor("m2"));
        assert!(LaunchId::new(id.as_str()).is_ok());
        assert!(MachineName::for_launch(&group("web"), &id).matches_launch(&id));
    }

    #[test]
    fn app_names_follow_the_platforms_rule() {
        assert!(AppName::new("shop-2").is_ok());
        for bad in ["", "Shop", "a_b", "a/b", "..", &"a".repeat(63)] {
            assert!(AppName::new(bad).is_err(), "{bad}");
        }
    }
}
