//! Builds a Machine's config: the desired template laid over the existing config.
//!
//! There is no other way to build a config. The table ([`super::schema`]) says who owns a field. Deploy-owned
//! fields that are not desired are removed, field by field; every other field is the platform's unless
//! Aeroform sent it.

use serde_json::{Map, Value};

use super::list_entries::match_entries;
use super::schema::{CONFIG, FieldRow, FieldType, Owner, Table, UNKNOWN};
use super::{MachineConfig, StoredConfig, normalise};

/// The config for a Machine: `template` laid over the existing config. A key in `sent`, the config sent last,
/// that is no longer desired is removed; a key that only the platform has is kept.
pub fn config_for(
    template: &MachineConfig,
    existing: Option<&MachineConfig>,
    sent: Option<&StoredConfig>,
) -> MachineConfig {
    let existing = existing.map_or_else(|| Value::Object(Map::new()), MachineConfig::to_value);
    let mut desired = template.to_value();
    normalise::drop_empty(&mut desired);
    keep_unnamed_mounts(&existing, &mut desired);
    let tree = overlay_by_table(CONFIG, &existing, sent.map(StoredConfig::tree), &desired);
    MachineConfig::from_value(tree)
        .expect("laying two configs over each other keeps every field's type")
}

/// Keeps a mount without a name as it is, except for the fields that extend its volume
/// (docs/platform/fly-toml.md 9).
fn keep_unnamed_mounts(existing: &Value, desired: &mut Value) {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let unnamed = items(&existing["mounts"]).into_iter();
    let unnamed = unnamed.filter(|mount| mount["name"].as_str().is_none_or(str::is_empty));
    let Some(Value::Array(mounts)) = desired.get_mut("mounts") else {
        return;
    };
    for (mount, current) in mounts
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .zip(unnamed)
    {
        for key in ["name", "path"] {
            match current.get(key) {
                Some(value) => mount.insert(key.to_owned(), value.clone()),
                None => mount.remove(key),
            };
        }
    }
}

/// The same for stored configs, where no live config is available or may be shown.
pub fn stored_config_for(
    template: &StoredConfig,
    existing: &StoredConfig,
    sent: &StoredConfig,
) -> Value {
    overlay_by_table(CONFIG, existing.tree(), Some(sent.tree()), template.tree())
}

/// Keeps only the existing keys that `template` writes, for adopting a Machine. An unwritten field never
/// enters the state, because its later absence would become a removal (rule 10).
pub fn restrict_to_template(template: &StoredConfig, existing: &StoredConfig) -> StoredConfig {
    let restricted = match (existing.tree(), template.tree()) {
        (Value::Object(current), Value::Object(written)) => {
            restrict_section(CONFIG, current, written)
        }
        (_, _) => Map::new(),
    };
    StoredConfig::from_tree(Value::Object(restricted))
}

fn restrict_section(
    table: &Table,
    existing: &Map<String, Value>,
    template: &Map<String, Value>,
) -> Map<String, Value> {
    let both = existing.iter().filter_map(|(key, current)| {
        let row = table.row(key).unwrap_or(&UNKNOWN);
        let part = restrict_value(row.kind(), row.spec.entry_keys, current, template.get(key)?);
        Some((key.clone(), part))
    });
    both.collect()
}

/// Keeps the part of one value that `template` writes; list entries are matched by their names.
fn restrict_value(kind: FieldType, keys: &[&str], existing: &Value, template: &Value) -> Value {
    let entry = |table: &'static Table, current: &Value, written: &Value| match (current, written) {
        (Value::Object(current), Value::Object(written)) => {
            restrict_section(table, current, written).into()
        }
        (current, _) => current.clone(),
    };
    match (kind, existing, template) {
        (FieldType::Section(table), _, _) => entry(table, existing, template),
        (
            FieldType::Entries(_) | FieldType::TextMap,
            Value::Object(current),
            Value::Object(written),
        ) => {
            let both = current.iter().filter_map(|(key, value)| {
                let written = written.get(key)?;
                let part = match kind {
                    FieldType::Entries(table) => entry(table, value, written),
                    _ => value.clone(),
                };
                Some((key.clone(), part))
            });
            both.collect::<Map<_, _>>().into()
        }
        (FieldType::List(table), Value::Array(current), Value::Array(written)) => {
            let found = match_entries(keys, written, current);
            let pairs = written.iter().zip(found);
            pairs
                .filter_map(|(written, at)| Some(entry(table, current.get(at?)?, written)))
                .collect::<Vec<_>>()
                .into()
        }
        (_, existing, _) => existing.clone(),
    }
}

/// Lays the desired tree over the existing one, by any table.
pub fn overlay_by_table(
    table: &Table,
    existing: &Value,
    sent: Option<&Value>,
    desired: &Value,
) -> Value {
    let empty = Map::new();
    let (existing, desired) = (existing.as_object(), desired.as_object().unwrap_or(&empty));
    overlay_section(table, existing, sent, desired, UnwantedLeaves::ByOwner).into()
}

/// What happens to the fields of a section that is not desired.
#[derive(Clone, Copy, PartialEq)]
enum UnwantedLeaves {
    ByOwner,
    Keep,
}

fn overlay_section(
    table: &Table,
    existing: Option<&Map<String, Value>>,
    sent: Option<&Value>,
    desired: &Map<String, Value>,
    leaves: UnwantedLeaves,
) -> Map<String, Value> {
    let mut result = Map::new();
    let mut keys: Vec<&String> = desired.keys().collect();
    keys.extend(
        existing
            .into_iter()
            .flat_map(Map::keys)
            .filter(|key| !desired.contains_key(*key)),
    );
    for key in keys {
        let row = table.row(key).unwrap_or(&UNKNOWN);
        let old = existing.and_then(|existing| existing.get(key));
        let sent = sent.and_then(|sent| sent.get(key));
        let merged = match desired.get(key) {
            None if leaves == UnwantedLeaves::Keep => old.cloned(),
            None => value_if_unwanted(row, old, sent),
            Some(new) => Some(overlay_field(row, old, sent, new)),
        };
        if let Some(value) = merged {
            result.insert(key.clone(), value);
        }
    }
    result
}

/// What remains of a field that is not desired.
fn value_if_unwanted(
    row: &FieldRow,
    existing: Option<&Value>,
    sent: Option<&Value>,
) -> Option<Value> {
    let stays = |sent: Option<&Value>| match row.spec.owner {
        Owner::Deploy => false,
        Owner::Platform => sent.is_none(),
        Owner::Running => true,
    };
    match (row.kind(), existing) {
        // Deploy-owned fields of a table are removed, and the table too if nothing else remains.
        (FieldType::Section(table), Some(Value::Object(old)))
            if row.spec.owner != Owner::Running =>
        {
            let left =
                overlay_section(table, Some(old), sent, &Map::new(), UnwantedLeaves::ByOwner);
            (!left.is_empty() || old.is_empty()).then(|| left.into())
        }
        (FieldType::TextMap, Some(Value::Object(old))) if row.spec.owner == Owner::Platform => {
            let ours = |key: &String| sent.is_some_and(|sent| sent.get(key).is_some());
            let left = old.iter().filter(|(key, _)| !ours(key));
            let left: Map<_, _> = left
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            Some(left.into())
        }
        (_, existing) => existing.filter(|_| stays(sent)).cloned(),
    }
}

fn overlay_field(
    row: &FieldRow,
    existing: Option<&Value>,
    sent: Option<&Value>,
    desired: &Value,
) -> Value {
    let entry =
        |table: &'static Table, old: Option<&Value>, sent: Option<&Value>, new: &Value| match new {
            Value::Object(new) => {
                let old = old.and_then(Value::as_object);
                overlay_section(table, old, sent, new, UnwantedLeaves::ByOwner).into()
            }
            new => new.clone(),
        };
    match (row.kind(), desired) {
        (FieldType::Section(table), Value::Object(new)) => {
            let old = existing.and_then(Value::as_object);
            // Without `[[vm]]` the size is kept, whoever set it; only `host_dedication_id` is applied.
            let leaves = if row.spec.owner == Owner::Running && has_no_size(desired) {
                UnwantedLeaves::Keep
            } else {
                UnwantedLeaves::ByOwner
            };
            overlay_section(table, old, sent, new, leaves).into()
        }
        (FieldType::Entries(table), Value::Object(new)) => new
            .iter()
            .map(|(key, new)| {
                let old = existing.and_then(|old| old.get(key));
                let sent = sent.and_then(|sent| sent.get(key));
                (key.clone(), entry(table, old, sent, new))
            })
            .collect::<Map<_, _>>()
            .into(),
        (FieldType::List(table), Value::Array(new)) => {
            let items =
                |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
            let (old, sent) = (items(existing), items(sent));
            let keys = row.spec.entry_keys;
            let (in_old, in_sent) = (
                match_entries(keys, new, &old),
                match_entries(keys, new, &sent),
            );
            let pairs = new.iter().zip(in_old.iter().zip(&in_sent));
            pairs
                .map(|(new, (at_old, at_sent))| {
                    let old = at_old.and_then(|at| old.get(at));
                    entry(table, old, at_sent.and_then(|at| sent.get(at)), new)
                })
                .collect::<Vec<_>>()
                .into()
        }
        (FieldType::TextMap, Value::Object(new)) => {
            let mut result = match value_if_unwanted(row, existing, sent) {
                Some(Value::Object(left)) => left,
                _ => Map::new(),
            };
            result.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
            result.into()
        }
        (_, desired) => desired.clone(),
    }
}

fn has_no_size(guest: &Value) -> bool {
    guest.get("cpus").is_none() && guest.get("memory_mb").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::fleet::Lineage;
    use crate::core::fleet::diff::{FieldChange, diff_configs};

    fn config(value: Value) -> MachineConfig {
        MachineConfig::from_value(value).unwrap()
    }

    fn sent(value: Value) -> StoredConfig {
        StoredConfig::from_config(&config(value), &Lineage::new("l").unwrap())
    }

    fn lines(changes: &[FieldChange]) -> Vec<String> {
        let text = |v: &Option<Value>| v.as_ref().map_or("-".to_owned(), Value::to_string);
        changes
            .iter()
            .map(|c| {
                format!(
                    "{} {} -> {}",
                    c.path.join("."),
                    text(&c.before),
                    text(&c.after)
                )
            })
            .collect()
    }

    #[test]
    fn laying_over_keeps_what_only_the_platform_has_and_takes_back_what_we_sent() {
        let existing = config(json!({
            "image": "a", "schedule": "daily", "new_thing": {"x": 1},
            "env": {"OLD": "1", "KEEP": "1"},
            "guest": {"cpus": 2, "cpu_kind": "shared", "memory_mb": 512},
            "init": {"cmd": ["old"], "tty": true},
            "restart": {"policy": "always", "max_retries": 3, "platform_says": 1},
            "services": [{"internal_port": 80, "protocol": "tcp", "platform_default": 7,
                "concurrency": {"type": "requests", "soft_limit": 5}}]
        }));
        let desired = config(json!({
            "env": {"KEEP": "2"}, "restart": {"policy": "always"},
            "services": [{"internal_port": 80, "protocol": "tcp", "concurrency": {"type": "requests"}}]
        }));
        let before = sent(json!({"restart": {"policy": "always", "max_retries": 3},
            "services": [{"internal_port": 80, "protocol": "tcp", "concurrency": {"soft_limit": 5}}]}));
        let result = config_for(&desired, Some(&existing), Some(&before));
        assert_eq!(
            lines(&diff_configs(&existing, &result)),
            [
                r#"env.KEEP "1" -> "2""#,
                r#"env.OLD "1" -> -"#,
                r#"init.cmd ["old"] -> -"#,
                "restart.max_retries 3 -> -",
                "services.80 tcp.concurrency.soft_limit 5 -> -",
            ]
        );
    }

    #[test]
    fn an_unwritten_size_stays_even_if_we_sent_it_once() {
        let existing = config(json!({"guest": {"cpus": 4}}));
        let result = config_for(
            &config(json!({})),
            Some(&existing),
            Some(&sent(json!({"guest": {"cpus": 4}}))),
        );
        assert_eq!(result, existing);
    }

    #[test]
    fn a_host_setting_is_merged_into_an_unwritten_size() {
        let size =
            json!({"cpus": 4, "cpu_kind": "performance", "memory_mb": 8192, "gpu_kind": "l40s"});
        let result = config_for(
            &config(json!({"guest": {"host_dedication_id": "h"}})),
            Some(&config(json!({"guest": size}))),
            Some(&sent(json!({"guest": {"cpus": 4, "memory_mb": 8192}}))),
        );
        let mut on_host = size;
        on_host["host_dedication_id"] = json!("h");
        assert_eq!(result.to_value()["guest"], on_host);
    }

    #[test]
    fn a_files_content_has_one_source_and_a_written_size_leaves_no_gpu() {
        let existing = config(json!({
            "files": [{"guest_path": "/a", "raw_value": "aGk=", "mode": 420}],
            "guest": {"cpus": 8, "cpu_kind": "performance", "memory_mb": 16384, "gpu_kind": "l40s",
                "persist_rootfs": "never"},
            "containers": [{"name": "app", "image": "old", "new_thing": 1}, {"name": "gone"}]
        }));
        let desired = config(json!({
            "files": [{"guest_path": "/a", "secret_name": "S"}],
            "guest": {"cpus": 1, "cpu_kind": "shared", "memory_mb": 256},
            "containers": [{"name": "app"}]
        }));
        assert_eq!(
            config_for(&desired, Some(&existing), None).to_value(),
            json!({
                "files": [{"guest_path": "/a", "secret_name": "S"}],
                "guest": {"cpus": 1, "cpu_kind": "shared", "memory_mb": 256},
                "containers": [{"name": "app", "image": "old", "new_thing": 1}]
            })
        );
    }

    #[test]
    fn an_entry_is_found_again_although_the_platform_filled_in_its_keys() {
        let existing = config(json!({"services": [
            {"internal_port": 80, "protocol": "udp", "platform": 1},
            {"internal_port": 80, "protocol": "tcp", "platform": 2,
                "checks": [{"type": "http", "path": "/", "method": "GET", "new": 3}]}]}));
        let desired = config(json!({"services": [
            {"internal_port": 80, "checks": [{"type": "http", "path": "/"}]},
            {"internal_port": 80, "protocol": "udp"}]}));
        let result = config_for(&desired, Some(&existing), None);
        let services = result.to_value()["services"].clone();
        assert_eq!(services[0]["platform"], 2);
        assert_eq!(services[0]["checks"][0]["new"], 3);
        assert_eq!(services[0]["checks"][0].get("method"), None);
        assert_eq!(services[1]["platform"], 1);
        // Overlaying is idempotent.
        assert_eq!(config_for(&desired, Some(&result), None), result);
    }

    #[test]
    fn a_sent_value_that_no_manifest_sets_is_removed_except_the_image() {
        let existing = config(json!({"schedule": "daily", "image": "a", "auto_destroy": true}));
        let before = sent(json!({"schedule": "daily", "image": "a"}));
        let result = config_for(&config(json!({})), Some(&existing), Some(&before));
        assert_eq!(result, config(json!({"image": "a", "auto_destroy": true})));
    }

    #[test]
    fn adopting_remembers_nothing_that_only_the_platform_has_in_lists_either() {
        let current = sent(
            json!({"env": {"A": "1", "B": "2"}, "schedule": "daily", "services": [
            {"internal_port": 80, "autostart": true, "platform": 1},
            {"internal_port": 81, "autostart": true}]}),
        );
        let desired = sent(json!({"env": {"A": "3"}, "services": [
            {"internal_port": 80, "autostart": false}]}));
        let restricted = sent(json!({"env": {"A": "1"}, "services": [
            {"internal_port": 80, "autostart": true}]}));
        assert_eq!(restrict_to_template(&desired, &current), restricted);
    }
}
