//! Configs as they are remembered, and their digests.
//!
//! A [`StoredConfig`] is normalised (RULES 3), without bookkeeping, volume ids and standbys (RULES 2),
//! and holds no value of a secret-looking variable (RULES 37). It is the only form of a config that
//! reaches the state, a plan or the journal, and digests are taken of nothing else.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Lineage, MachineConfig, normal};

/// How a hidden value is written: this and the hex of an HMAC. A literal that begins with it is
/// hidden as well, so that nothing can pass for a hidden value.
pub const HIDDEN_PREFIX: &str = "hmac-sha256:";

/// A config as the state keeps it. Carried as a tree, so that fields which a newer version wrote are
/// kept by an older one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredConfig(Value);

/// The first 128 bits of the sha256 of a [`StoredConfig`], as 32 hex characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigDigest(String);

impl StoredConfig {
    /// The form of this config that may be remembered.
    pub fn of(config: &MachineConfig, lineage: &Lineage) -> Self {
        let mut tree = normal::normalised(config);
        if let Some(Value::Object(env)) = tree.get_mut("env") {
            for (key, value) in env {
                if let Value::String(text) = value
                    && (looks_secret(key) || text.starts_with(HIDDEN_PREFIX))
                {
                    *text = hidden(lineage, key, text);
                }
            }
        }
        // File contents are no configuration that a person reads in a diff, and often are secrets.
        if let Some(Value::Array(files)) = tree.get_mut("files") {
            for file in files {
                if let Some(Value::String(text)) = file.get_mut("raw_value") {
                    *text = hidden(lineage, "raw_value", text);
                }
            }
        }
        Self(tree)
    }

    /// Takes a tree that is in the remembered form already.
    pub(super) fn of_tree(tree: Value) -> Self {
        Self(tree)
    }

    /// The tree itself.
    pub fn tree(&self) -> &Value {
        &self.0
    }

    /// The digest under which the state keeps this config.
    pub fn digest(&self) -> ConfigDigest {
        let text = serde_json::to_vec(&self.0).expect("a JSON tree always serialises");
        ConfigDigest(HEXLOWER.encode(&Sha256::digest(text)[..16]))
    }
}

impl ConfigDigest {
    /// Takes the text of a digest (32 hex characters) as the state file writes it.
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

/// HMAC-sha256 of a value under a key derived from the lineage: it shows that a value changed and
/// protects nothing, since the lineage is no secret.
fn hidden(lineage: &Lineage, key: &str, value: &str) -> String {
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

/// Whether the value of a variable of this name is kept out of every output.
pub fn looks_secret(key: &str) -> bool {
    const WORDS: [&str; 10] = [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "PRIVATE",
        "APIKEY",
        "DSN",
        "DATABASE_URL",
    ];
    let key = key.to_ascii_uppercase();
    WORDS.iter().any(|word| key.contains(word))
        || key
            .split('_')
            .any(|part| matches!(part, "KEY" | "PASS" | "PWD" | "AUTH" | "SALT" | "CERT"))
        || key.ends_with("_URI") && key.contains("DATABASE")
        || key == "REDIS_URL"
        || key == "MONGO_URL"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_looking_value_is_not_in_the_stored_form_but_changes_its_digest() {
        let lineage = Lineage::new("l1").unwrap();
        let with = |value: &str| {
            let env = [("API_TOKEN".to_owned(), value.to_owned())].into();
            StoredConfig::of(
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

    #[test]
    fn secret_looking_names() {
        for name in [
            "API_TOKEN",
            "db_password",
            "STRIPE_KEY",
            "SECRET_KEY_BASE",
            "DATABASE_URL",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "PORT",
            "RAILS_ENV",
            "LOG_LEVEL",
            "MONKEY",
            "PRIMARY_REGION",
            "BASE_URL",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
