//! Types for names and ids, so that a group cannot be passed as a region.
//!
//! Constructors check only what would break other code: a Machine id becomes a folder name, an app name a
//! file name. The provider decides what the platform accepts.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ConfigDigest;
use super::quoting::toml_key;

/// A text that is not a valid name or id, with the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct InvalidName {
    /// The kind of name, for people.
    pub what: &'static str,
    /// The invalid text.
    pub text: String,
    /// The broken rule.
    pub rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text against the rule of this type.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidName { what: $what, text, rule: $rule })
                }
            }

            /// The name as text.
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
    /// A region code on Fly (`ams`), or any name of that form with provider `local`.
    Region,
    "region",
    "use lower-case letters, digits and dashes, at most 32 characters",
    |t| is_slug(t, 32)
);
name_type!(
    /// A Machine's id, assigned by the provider (14 lower-case hex characters on Fly).
    MachineId,
    "Machine id",
    "use lower-case letters, digits and dashes, at most 64 characters",
    |t| is_slug(t, 64)
);
name_type!(
    /// A Machine's name, unique in its app; names made by Aeroform end in the launch id.
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
    /// The provider's id of the app's scope. It distinguishes an app from a later app of the same name.
    Lineage,
    "lineage",
    "a lineage is not empty, at most 100 bytes, and has no control characters",
    |t| !t.is_empty() && t.len() <= 100 && !t.chars().any(char::is_control)
);
name_type!(
    /// The id of one apply, from approval to the written state.
    RunId,
    "run id",
    "use lower-case letters, digits and dashes, at most 40 characters",
    |t| is_slug(t, 40)
);
name_type!(
    /// The id of one planned create, derived and never random (rule 4). The Machine whose *name* ends in it
    /// was created by that plan.
    LaunchId,
    "launch id",
    "a launch id is 10 lower-case base32 characters",
    |t| t.len() == 10 && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

impl GroupName {
    /// The group's name for use in file and Machine names: only lower-case letters, digits and dashes. If the
    /// conversion loses characters, a short hash is added, so that slugs are unique.
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
    /// The name as a TOML key, quoted where necessary.
    pub fn toml_key(&self) -> String {
        toml_key(self.as_str()).into_owned()
    }
}

impl Lineage {
    /// The lineage of one project folder.
    #[must_use]
    pub fn for_project(&self, folder: &str) -> Self {
        let digest = BASE32_NOPAD.encode(&Sha256::digest(folder.as_bytes()));
        let digest = digest[..12].to_ascii_lowercase();
        // Short enough for a lineage, whatever its characters.
        let scope: String = self.0.chars().take(20).collect();
        let scope = if self.0.len() <= 80 { &self.0 } else { &scope };
        Self(format!("{scope}@{digest}"))
    }

    const DERIVED_PREFIX: &str = "app-without-id-";

    /// The lineage of an app whose id the platform does not report; equal names give equal lineages.
    pub fn derive_from_names(organization: &str, app: &AppName) -> Self {
        let hash = Sha256::digest(format!("{organization}/{app}"));
        Self(format!(
            "{}{}",
            Self::DERIVED_PREFIX,
            HEXLOWER.encode(&hash[..16])
        ))
    }

    /// Whether it was derived from names.
    pub fn is_derived_from_names(&self) -> bool {
        self.0.starts_with(Self::DERIVED_PREFIX)
    }
}

impl Region {
    /// The region of a Machine that reports none.
    pub fn unknown() -> Self {
        Self("unknown".to_owned())
    }

    /// Whether the region is known.
    pub fn is_known(&self) -> bool {
        self.0 != "unknown"
    }
}

impl LaunchId {
    /// Derives a launch id: 10 base32 letters of sha256(lineage, base serial, group, region, slot). The same
    /// inputs give the same id, so that a run without its journal finds the Machines that it created.
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

    /// Derives the launch id of a command that runs once: of its config and the newest complete release, so that
    /// every run until the next complete release finds it (rule 28).
    pub fn derive_once(
        lineage: &Lineage,
        release: u64,
        name: &GroupName,
        config: &ConfigDigest,
        slot: u32,
    ) -> Self {
        let parts = [lineage.as_str(), name.as_str(), config.as_str()];
        Self::hashed(&parts, release, slot)
    }

    /// Derives the launch id of a green: of its swap, so that every run that goes on with the swap finds it.
    pub fn derive_green(
        lineage: &Lineage,
        tag: &str,
        group: &GroupName,
        region: &Region,
        slot: u32,
    ) -> Self {
        let parts = [
            lineage.as_str(),
            "green",
            tag,
            group.as_str(),
            region.as_str(),
        ];
        Self::hashed(&parts, 0, slot)
    }

    /// Derives the tag of a swap that begins: 10 base32 letters of the lineage, the base serial and the digest of the
    /// desired state.
    pub fn swap_tag(lineage: &Lineage, serial: u64, desired: &str) -> String {
        Self::hashed(&[lineage.as_str(), "swap", desired], serial, 0).0
    }

    /// Derives the launch id of a replacement for a Machine whose host has no capacity. It includes the
    /// Machine's id, so it is independent of the plan's other launch ids.
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

    /// Derives the launch id of the Machine that takes the place of a replaced one when a run undoes its changes.
    pub fn derive_restored(lineage: &Lineage, serial: u64, old: &MachineId, slot: u32) -> Self {
        Self::hashed(&[lineage.as_str(), "back to", old.as_str()], serial, slot)
    }

    /// Derives the launch id of the canary of a group. It has the word `canary` in the place of the slot, so that it
    /// never answers a create.
    pub fn derive_canary(
        lineage: &Lineage,
        serial: u64,
        group: &GroupName,
        region: &Region,
    ) -> Self {
        let parts = [lineage.as_str(), group.as_str(), region.as_str(), "canary"];
        Self::hashed(&parts, serial, 0)
    }

    fn hashed(parts: &[&str], serial: u64, slot: u32) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // Lengths are hashed too, so that different tuples never hash the same bytes.
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
    /// The name of the Machine for a launch id of this group.
    pub fn for_launch(group: &GroupName, launch: &LaunchId) -> Self {
        Self(format!("{}-{}", group.slug(), launch))
    }

    /// Whether this Machine was created for that launch id. The name decides, because other tools copy
    /// metadata (rule 4).
    pub fn matches_launch(&self, launch: &LaunchId) -> bool {
        self.launch_suffix()
            .is_some_and(|part| part == launch.as_str())
    }

    /// The last part after a dash, where a launch id would be.
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
