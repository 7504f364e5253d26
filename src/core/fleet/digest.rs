//! The stored form of configs, and their digests.
//!
//! A [`StoredConfig`] is normalised (rule 3), has no bookkeeping, volume ids or standbys (rule 2), and no
//! secret-looking values (rule 37). It is the only form of a config in the state, plans and the journal, and
//! the only input of digests.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Lineage, MachineConfig, normalise, secret};

/// The prefix of a hidden value, before the hex of an HMAC. A literal value with this prefix is hidden too,
/// so that it cannot pass for a hidden value.
pub const HIDDEN_PREFIX: &str = "hmac-sha256:";

/// A config in its stored form. It is a JSON tree, so that an older version keeps fields that a newer version
/// wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredConfig(Value);

/// The first 128 bits of the sha256 of a [`StoredConfig`], as 32 hex characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigDigest(String);

impl StoredConfig {
    /// Converts a config to its stored form.
    pub fn from_config(config: &MachineConfig, lineage: &Lineage) -> Self {
        Self(hide_secrets(normalise::normalise_config(config), lineage))
    }

    /// Wraps a tree that is already in the stored form.
    pub(crate) fn from_tree(tree: Value) -> Self {
        Self(tree)
    }

    /// This config without the cleartext that an earlier version left in it; `None` if there is none.
    pub(super) fn redacted(&self, lineage: &Lineage) -> Option<Self> {
        let mut tree = self.0.clone();
        secret::replace_secrets(&mut tree, &mut |name, text| {
            if is_hidden(text) {
                text.to_owned()
            } else {
                hidden_value(lineage, name, text)
            }
        });
        (tree != self.0).then_some(Self(tree))
    }

    /// The JSON tree.
    pub fn tree(&self) -> &Value {
        &self.0
    }

    /// The same config without this field.
    #[must_use]
    pub fn without_field(&self, field: &str) -> Self {
        let mut tree = self.0.clone();
        if let Value::Object(fields) = &mut tree {
            fields.remove(field);
        }
        Self(tree)
    }

    /// Whether both configs mean the same, even if the versions that stored them normalised differently.
    pub fn is_equivalent_to(&self, other: &Self) -> bool {
        self == other || normalise::renormalise(&self.0) == normalise::renormalise(&other.0)
    }

    /// The digest that identifies this config in the state.
    pub fn digest(&self) -> ConfigDigest {
        let text = serde_json::to_vec(&self.0).expect("a JSON tree always serialises");
        ConfigDigest(HEXLOWER.encode(&Sha256::digest(text)[..16]))
    }
}

impl ConfigDigest {
    /// Parses a digest from the state file (32 hex characters).
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The hex characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a stored text is the digest of a hidden value.
pub(super) fn is_hidden(text: &str) -> bool {
    text.strip_prefix(HIDDEN_PREFIX).is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Replaces every secret value in a config tree with its hidden form.
pub(super) fn hide_secrets(mut tree: Value, lineage: &Lineage) -> Value {
    secret::replace_secrets(&mut tree, &mut |name, text| {
        hidden_value(lineage, name, text)
    });
    tree
}

/// HMAC-sha256 of a value under a key derived from the lineage. It detects changes and gives no protection,
/// because the lineage is not secret.
pub(super) fn hidden_value(lineage: &Lineage, key: &str, value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(lineage.as_str().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(key.as_bytes());
    mac.update(&[0]);
    mac.update(value.as_bytes());
    format!(
        "{HIDDEN_PREFIX}{}",
        HEXLOWER.encode(&mac.finalize().into_bytes())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests are stored in state files and on Machines, so all versions must compute the same ones.
    #[test]
    fn a_digest_stays_the_same_from_version_to_version() {
        let config = MachineConfig::from_value(serde_json::json!({
            "image": "shop:1@sha256:abc", "env": {"B": "2", "A": "1", "API_TOKEN": "hunter2"},
            "services": [{"internal_port": 80, "autostop": true, "checks": [{"interval": "60s"}]}],
            "new": {"b": [null, 1], "a": 1.5}
        }));
        let stored = StoredConfig::from_config(&config.unwrap(), &Lineage::new("l1").unwrap());
        assert_eq!(stored.digest().as_str(), "e7f7f8fca1e2dd9e2e98000df0bb161f");
        let turned: Value = serde_json::from_str(r#"{"b": 1, "a": 2}"#).unwrap();
        assert_eq!(turned.to_string(), r#"{"a":2,"b":1}"#, "keys are sorted");
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let config = MachineConfig::from_value(serde_json::json!({
            "env": {"CACHE": "redis://:hunter2@cache"},
            "files": [{"guest_path": "/a", "raw_value": "hunter2"}],
            "checks": {"a": {"headers": [{"name": "Authorization", "values": ["hunter2"]}]}},
            "services": [{"checks": [{"headers": [{"name": "X-Api-Key", "values": ["hunter2"]}]}]}],
            "containers": [{"env": {"API_TOKEN": "hunter2"}}],
            "processes": [{"env": {"API_TOKEN": "hunter2"}}]
        }));
        let config = config.unwrap();
        let stored = StoredConfig::from_config(&config, &Lineage::new("l1").unwrap());
        assert!(!stored.tree().to_string().contains("hunter2"));
        let nothing = MachineConfig::default();
        for changes in [
            crate::core::fleet::diff::diff_configs(&nothing, &config),
            crate::core::fleet::diff::diff_configs(&config, &nothing),
            crate::core::fleet::diff::diff_stored(
                stored.tree(),
                StoredConfig::from_config(&nothing, &Lineage::new("l1").unwrap()).tree(),
            ),
        ] {
            let text = serde_json::to_string(&changes).unwrap();
            assert!(
                !text.contains("hunter2") && !text.contains("hmac"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_looking_value_is_not_in_the_stored_form_but_changes_its_digest() {
        let lineage = Lineage::new("l1").unwrap();
        let with = |value: &str| {
            let env = [("API_TOKEN".to_owned(), value.to_owned())].into();
            StoredConfig::from_config(
                &MachineConfig {
                    env: Some(env),
                    ..MachineConfig::default()
                },
                &lineage,
            )
        };
        assert!(!with("hunter2").tree().to_string().contains("hunter2"));
        assert_ne!(with("hunter2").digest(), with("hunter3").digest());
        assert_eq!(
            ConfigDigest::parse(with("a").digest().as_str()),
            Some(with("a").digest())
        );
    }
}
