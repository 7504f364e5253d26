//! From the stored form of a config back to a config: the hidden values are looked up among values that are known
//! otherwise (rule 37).
//!
//! A hidden value is an HMAC of its name and value, so an equal HMAC finds the value wherever it comes from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::digest::{hidden_value, is_hidden};
use super::list_entries::{entry_names, match_entries};
use super::schema::{CONFIG, FieldType, Table, UNKNOWN};
use super::{Lineage, MachineConfig, StoredConfig, normalise, secret};

/// Values of known configs, by their hidden form.
#[derive(Debug)]
pub struct HiddenValues<'l> {
    lineage: &'l Lineage,
    values: BTreeMap<String, String>,
}

/// A config whose hidden values were looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Revealed {
    /// The config.
    pub config: MachineConfig,
    /// Paths of the values that were not found.
    pub unknown: Vec<UnknownValue>,
}

/// A value that was not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownValue {
    /// Its path from the top of the config.
    pub path: Vec<String>,
    /// Whether the other config has a value there, which is used; else there is none.
    pub has_other: bool,
}

impl<'l> HiddenValues<'l> {
    /// Without values yet.
    pub fn new(lineage: &'l Lineage) -> Self {
        Self {
            lineage,
            values: BTreeMap::new(),
        }
    }

    /// Adds the secret values of a config.
    pub fn add(&mut self, config: &MachineConfig) {
        let mut tree = normalise::normalise_config(config);
        secret::replace_secrets(&mut tree, &mut |name, text| {
            let hidden = hidden_value(self.lineage, name, text);
            self.values.insert(hidden.clone(), text.to_owned());
            hidden
        });
    }

    /// Replaces the hidden parts of a value until one is not found; whether all were.
    fn reveal(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) if is_hidden(text) => {
                let found = self.values.get(text);
                if let Some(found) = found {
                    text.clone_from(found);
                }
                found.is_some()
            }
            Value::Array(items) => items.iter_mut().all(|item| self.reveal(item)),
            Value::Object(map) => map.values_mut().all(|item| self.reveal(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
}

impl StoredConfig {
    /// The config with its hidden values. One that is not among `values` gets the value that `other` has in its place.
    /// None if the stored tree is no config.
    pub fn reveal(&self, values: &HiddenValues<'_>, other: &MachineConfig) -> Option<Revealed> {
        let mut tree = self.tree().clone();
        let other = normalise::normalise_config(other);
        let mut work = Reveal {
            values,
            path: Vec::new(),
            unknown: Vec::new(),
        };
        if let Value::Object(map) = &mut tree {
            work.section(CONFIG, map, Some(&other));
        }
        Some(Revealed {
            config: MachineConfig::from_value(tree).ok()?,
            unknown: work.unknown,
        })
    }
}

/// One walk through a stored tree.
struct Reveal<'v, 'l> {
    values: &'v HiddenValues<'l>,
    path: Vec<String>,
    unknown: Vec<UnknownValue>,
}

impl Reveal<'_, '_> {
    fn section(&mut self, table: &Table, map: &mut Map<String, Value>, other: Option<&Value>) {
        let keys: Vec<String> = map.keys().cloned().collect();
        for key in keys {
            let row = table.row(&key).unwrap_or(&UNKNOWN);
            let other = other.and_then(|other| other.get(&key));
            self.path.push(key.clone());
            let stays = match map.get_mut(&key) {
                Some(value) => self.field(row.kind(), row.spec.entry_keys, value, other),
                None => true,
            };
            if !stays {
                map.remove(&key);
            }
            self.path.pop();
        }
    }

    /// One field; whether it has a value afterwards.
    fn field(
        &mut self,
        kind: FieldType,
        keys: &[&str],
        value: &mut Value,
        other: Option<&Value>,
    ) -> bool {
        match (kind, &mut *value) {
            (FieldType::Section(table), Value::Object(map)) => self.section(table, map, other),
            (FieldType::Entries(table), Value::Object(entries)) => {
                for (name, entry) in entries {
                    let other = other.and_then(|other| other.get(name));
                    self.entry(table, name.clone(), entry, other);
                }
            }
            (FieldType::List(table), Value::Array(entries)) => {
                let others = other
                    .and_then(Value::as_array)
                    .map_or(&[][..], Vec::as_slice);
                let found = match_entries(keys, entries, others);
                let names = entry_names(keys, entries);
                for ((entry, name), at) in entries.iter_mut().zip(names).zip(found) {
                    let other = at.and_then(|at| others.get(at));
                    self.entry(table, name, entry, other);
                }
            }
            (FieldType::TextMap, Value::Object(texts)) => {
                let names: Vec<String> = texts.keys().cloned().collect();
                for name in names {
                    let other = other.and_then(|other| other.get(&name));
                    self.path.push(name.clone());
                    let stays = texts
                        .get_mut(&name)
                        .is_none_or(|text| self.leaf(text, other));
                    if !stays {
                        texts.remove(&name);
                    }
                    self.path.pop();
                }
            }
            (_, value) => return self.leaf(value, other),
        }
        true
    }

    fn entry(&mut self, table: &Table, name: String, entry: &mut Value, other: Option<&Value>) {
        self.path.push(name);
        if let Value::Object(map) = entry {
            self.section(table, map, other);
        }
        self.path.pop();
    }

    fn leaf(&mut self, value: &mut Value, other: Option<&Value>) -> bool {
        if self.values.reveal(value) {
            return true;
        }
        self.unknown.push(UnknownValue {
            path: self.path.clone(),
            has_other: other.is_some(),
        });
        if let Some(other) = other {
            value.clone_from(other);
        }
        other.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> MachineConfig {
        MachineConfig::from_value(value).unwrap()
    }

    fn paths(revealed: &Revealed) -> Vec<(String, bool)> {
        let unknown = revealed.unknown.iter();
        unknown
            .map(|value| (value.path.join("."), value.has_other))
            .collect()
    }

    #[test]
    fn a_hidden_value_is_found_by_its_hash_in_any_config() {
        let lineage = Lineage::new("l").unwrap();
        let old = config(json!({
            "env": {"API_TOKEN": "old", "MODE": "a"},
            "init": {"cmd": ["run", "--token", "s3cr3t"]},
            "files": [{"guest_path": "/a", "raw_value": "b2xk"}],
        }));
        let stored = StoredConfig::from_config(&old, &lineage);
        let mut values = HiddenValues::new(&lineage);
        values.add(&old);
        let revealed = stored.reveal(&values, &MachineConfig::default()).unwrap();
        assert_eq!(revealed.config, old);
        assert_eq!(revealed.unknown, []);
    }

    #[test]
    fn a_value_that_nobody_knows_is_todays_and_named() {
        let lineage = Lineage::new("l").unwrap();
        let old = config(json!({
            "env": {"API_TOKEN": "old", "GONE_TOKEN": "old", "MODE": "a"},
            "init": {"cmd": ["run", "--token", "s3cr3t"]},
            "files": [{"guest_path": "/a", "raw_value": "b2xk"}, {"guest_path": "/b", "raw_value": "Yg=="}],
        }));
        let today = config(json!({
            "env": {"API_TOKEN": "new", "MODE": "b"},
            "init": {"cmd": ["run", "--token", "n3w"]},
            "files": [{"guest_path": "/b", "raw_value": "Yg=="}, {"guest_path": "/a", "raw_value": "bmV3"}],
        }));
        let stored = StoredConfig::from_config(&old, &lineage);
        let mut values = HiddenValues::new(&lineage);
        values.add(&today);
        let revealed = stored.reveal(&values, &today).unwrap();
        assert_eq!(
            paths(&revealed),
            [
                ("env.API_TOKEN".to_owned(), true),
                ("env.GONE_TOKEN".to_owned(), false),
                ("files./a.raw_value".to_owned(), true),
                ("init.cmd".to_owned(), true),
            ]
        );
        assert_eq!(
            revealed.config,
            config(json!({
                "env": {"API_TOKEN": "new", "MODE": "a"},
                "init": {"cmd": ["run", "--token", "n3w"]},
                "files": [{"guest_path": "/a", "raw_value": "bmV3"}, {"guest_path": "/b", "raw_value": "Yg=="}],
            }))
        );
    }
}
