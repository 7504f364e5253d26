//! Laying what is wanted over what exists.
//!
//! This is the only way to a config (DESIGN 3): of the fields that `fly deploy` always replaces an entry
//! that is not wanted goes; every other field is the platform's unless we sent it. Whose a field is, says
//! [`super::shape`].

use serde_json::{Map, Value};

use super::shape::{Owner, Shape, TABLE, matches, rules, shape_of};
use super::{MachineConfig, StoredConfig, normal};

/// The config that a Machine gets: `template` laid over what exists. `sent` is what we sent last:
/// a key of it that is not wanted any more is taken back; a key that only the platform has stays.
pub fn config_for(
    template: &MachineConfig,
    existing: Option<&MachineConfig>,
    sent: Option<&StoredConfig>,
) -> MachineConfig {
    let existing = existing.map_or_else(|| Value::Object(Map::new()), MachineConfig::to_value);
    let mut wanted = template.to_value();
    normal::drop_empty(&mut wanted);
    keep_unnamed_mounts(&existing, &mut wanted);
    let tree = lay_config(template, &existing, sent.map(StoredConfig::tree), &wanted);
    MachineConfig::from_value(tree)
        .expect("laying two configs over each other keeps every field's type")
}

/// A mount that has no name is kept as it is, but for what extends its volume
/// (facts/fly-toml-to-machine.md 9).
fn keep_unnamed_mounts(existing: &Value, wanted: &mut Value) {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let unnamed = items(&existing["mounts"]).into_iter();
    let unnamed = unnamed.filter(|mount| mount["name"].as_str().is_none_or(str::is_empty));
    let Some(Value::Array(mounts)) = wanted.get_mut("mounts") else {
        return;
    };
    for (mount, there) in mounts
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .zip(unnamed)
    {
        for key in ["name", "path"] {
            match there.get(key) {
                Some(value) => mount.insert(key.to_owned(), value.clone()),
                None => mount.remove(key),
            };
        }
    }
}

/// The same over remembered forms, where no live config is at hand or none may be shown.
pub fn stored_for(template: &StoredConfig, existing: &StoredConfig, sent: &StoredConfig) -> Value {
    let rule_of = MachineConfig::default();
    lay_config(
        &rule_of,
        existing.tree(),
        Some(sent.tree()),
        template.tree(),
    )
}

/// Of what exists only the keys that `template` writes: what adopting it may remember. A field that
/// nobody writes never enters the state, where its absence would become a removal (RULES 10).
pub fn written_of(template: &StoredConfig, existing: &StoredConfig) -> StoredConfig {
    let empty = Map::new();
    let (there, written) = (existing.tree().as_object(), template.tree().as_object());
    let (there, written) = (there.unwrap_or(&empty), written.unwrap_or(&empty));
    let mut kept = Map::new();
    for (field, _, shape) in rules(&MachineConfig::default()) {
        if let (Some(there), Some(written)) = (there.get(field), written.get(field)) {
            kept.insert(field.to_owned(), written_part(shape, there, written));
        }
    }
    StoredConfig::of_tree(Value::Object(kept))
}

/// The part of one value that `template` writes, too; entries of a list are found again by their names.
fn written_part(shape: Shape, existing: &Value, template: &Value) -> Value {
    match (shape, existing, template) {
        (
            Shape::Table { .. } | Shape::Entries(_),
            Value::Object(existing),
            Value::Object(template),
        ) => existing
            .iter()
            .filter_map(|(key, value)| {
                let shape = match shape {
                    Shape::Table { fields, .. } => shape_of(fields, key),
                    Shape::Entries(entry) => *entry,
                    Shape::Leaf | Shape::List { .. } => Shape::Leaf,
                };
                let part = written_part(shape, value, template.get(key)?);
                Some((key.clone(), part))
            })
            .collect::<Map<_, _>>()
            .into(),
        (Shape::List { keys, entry, .. }, Value::Array(existing), Value::Array(template)) => {
            let found = matches(keys, template, existing);
            let pairs = template.iter().zip(found);
            pairs
                .filter_map(|(written, at)| Some(written_part(*entry, existing.get(at?)?, written)))
                .collect::<Vec<_>>()
                .into()
        }
        (Shape::Leaf | Shape::Table { .. } | Shape::Entries(_) | Shape::List { .. }, _, _) => {
            existing.clone()
        }
    }
}

fn lay_config(
    rule_of: &MachineConfig,
    existing: &Value,
    sent: Option<&Value>,
    wanted: &Value,
) -> Value {
    let mut result = match existing {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for (field, owner, shape) in rules(rule_of) {
        let sent = sent.and_then(|tree| tree.get(field));
        let (shape, sent) = match (field, wanted.get(field)) {
            // Without `[[vm]]` a size stays as it is, whoever set it, and a host is laid over it.
            ("guest", Some(guest)) if says_no_size(guest) => (TABLE, None),
            ("guest", None) => (Shape::Leaf, None),
            (_, _) => (shape, sent),
        };
        let laid = match (wanted.get(field), owner) {
            (Some(wanted), _) => Some(lay(shape, existing.get(field), sent, wanted)),
            (None, Owner::Ours) => None,
            (None, Owner::Platform) => {
                let empty = Value::Object(Map::new());
                match (existing.get(field), shape) {
                    // A table of the platform's loses the keys that are always ours and those we sent.
                    (Some(old @ Value::Object(_)), Shape::Table { .. }) => {
                        Some(lay(shape, Some(old), sent, &empty))
                    }
                    // What runs goes on running without a written image; any other value that we sent
                    // is taken back.
                    (Some(_), Shape::Leaf) if sent.is_some() && field != "image" => None,
                    (old, _) => old.cloned(),
                }
            }
        };
        match laid {
            Some(value) => result.insert(field.to_owned(), value),
            None => result.remove(field),
        };
    }
    Value::Object(result)
}

fn says_no_size(guest: &Value) -> bool {
    guest.get("cpus").is_none() && guest.get("memory_mb").is_none()
}

fn lay(shape: Shape, existing: Option<&Value>, sent: Option<&Value>, wanted: &Value) -> Value {
    match (shape, wanted) {
        (Shape::Table { owned, fields }, Value::Object(wanted)) => {
            let mut result = Map::new();
            for (key, old) in existing.and_then(Value::as_object).into_iter().flatten() {
                let ours =
                    owned.contains(&key.as_str()) || sent.is_some_and(|s| s.get(key).is_some());
                if wanted.contains_key(key) || !ours {
                    result.insert(key.clone(), old.clone());
                }
            }
            for (key, new) in wanted {
                let shape = shape_of(fields, key);
                let old = existing.and_then(|e| e.get(key));
                let sent = sent.and_then(|s| s.get(key));
                result.insert(key.clone(), lay(shape, old, sent, new));
            }
            Value::Object(result)
        }
        (Shape::Entries(entry), Value::Object(wanted)) => wanted
            .iter()
            .map(|(key, new)| {
                let old = existing.and_then(|e| e.get(key));
                let sent = sent.and_then(|s| s.get(key));
                (key.clone(), lay(*entry, old, sent, new))
            })
            .collect::<Map<_, _>>()
            .into(),
        (Shape::List { keys, entry, .. }, Value::Array(wanted)) => {
            let items =
                |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
            let (old, sent) = (items(existing), items(sent));
            let (in_old, in_sent) = (matches(keys, wanted, &old), matches(keys, wanted, &sent));
            let pairs = wanted.iter().zip(in_old.iter().zip(&in_sent));
            pairs
                .map(|(new, (at_old, at_sent))| {
                    let old = at_old.and_then(|at| old.get(at));
                    lay(*entry, old, at_sent.and_then(|at| sent.get(at)), new)
                })
                .collect::<Vec<_>>()
                .into()
        }
        (Shape::Leaf | Shape::Table { .. } | Shape::Entries(_) | Shape::List { .. }, _) => {
            wanted.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::fleet::Lineage;
    use crate::core::fleet::difference::{FieldChange, changes};

    fn config(value: Value) -> MachineConfig {
        MachineConfig::from_value(value).unwrap()
    }

    fn sent(value: Value) -> StoredConfig {
        StoredConfig::of(&config(value), &Lineage::new("l").unwrap())
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
        let wanted = config(json!({
            "env": {"KEEP": "2"}, "restart": {"policy": "always"},
            "services": [{"internal_port": 80, "protocol": "tcp", "concurrency": {"type": "requests"}}]
        }));
        let before = sent(json!({"restart": {"policy": "always", "max_retries": 3},
            "services": [{"internal_port": 80, "protocol": "tcp", "concurrency": {"soft_limit": 5}}]}));
        let result = config_for(&wanted, Some(&existing), Some(&before));
        assert_eq!(
            lines(&changes(&existing, &result)),
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
    fn a_size_that_nobody_writes_stays_even_if_we_sent_it_once() {
        let existing = config(json!({"guest": {"cpus": 4}}));
        let result = config_for(
            &config(json!({})),
            Some(&existing),
            Some(&sent(json!({"guest": {"cpus": 4}}))),
        );
        assert_eq!(result, existing);
    }

    #[test]
    fn a_host_is_laid_over_a_size_that_nobody_writes() {
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
        let wanted = config(json!({
            "files": [{"guest_path": "/a", "secret_name": "S"}],
            "guest": {"cpus": 1, "cpu_kind": "shared", "memory_mb": 256},
            "containers": [{"name": "app"}]
        }));
        assert_eq!(
            config_for(&wanted, Some(&existing), None).to_value(),
            json!({
                "files": [{"guest_path": "/a", "secret_name": "S", "mode": 420}],
                "guest": {"cpus": 1, "cpu_kind": "shared", "memory_mb": 256, "persist_rootfs": "never"},
                "containers": [{"name": "app", "image": "old", "new_thing": 1}]
            })
        );
    }

    #[test]
    fn an_entry_is_found_again_although_the_platform_filled_in_its_keys() {
        let existing = config(json!({"services": [
            {"internal_port": 80, "protocol": "udp", "platform": 1},
            {"internal_port": 80, "protocol": "tcp", "platform": 2,
                "checks": [{"type": "http", "path": "/", "method": "GET", "protocol": "http"}]}]}));
        let wanted = config(json!({"services": [
            {"internal_port": 80, "checks": [{"type": "http", "path": "/"}]},
            {"internal_port": 80, "protocol": "udp"}]}));
        let result = config_for(&wanted, Some(&existing), None);
        let services = result.to_value()["services"].clone();
        assert_eq!(services[0]["platform"], 2);
        assert_eq!(services[0]["checks"][0]["method"], "GET");
        assert_eq!(services[1]["platform"], 1);
        // A Machine that was laid over once is as wanted from then on.
        assert_eq!(config_for(&wanted, Some(&result), None), result);
    }

    #[test]
    fn a_value_that_we_sent_and_nobody_wants_is_taken_back_except_the_image() {
        let existing = config(json!({"schedule": "daily", "image": "a", "auto_destroy": true}));
        let before = sent(json!({"schedule": "daily", "image": "a"}));
        let result = config_for(&config(json!({})), Some(&existing), Some(&before));
        assert_eq!(result, config(json!({"image": "a", "auto_destroy": true})));
    }

    #[test]
    fn adopting_remembers_nothing_that_only_the_platform_has_in_lists_either() {
        let there = sent(
            json!({"env": {"A": "1", "B": "2"}, "schedule": "daily", "services": [
            {"internal_port": 80, "autostart": true, "platform": 1},
            {"internal_port": 81, "autostart": true}]}),
        );
        let wanted = sent(json!({"env": {"A": "3"}, "services": [
            {"internal_port": 80, "autostart": false}]}));
        let kept = sent(json!({"env": {"A": "1"}, "services": [
            {"internal_port": 80, "autostart": true}]}));
        assert_eq!(written_of(&wanted, &there), kept);
    }
}
