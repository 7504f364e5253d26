//! Laying what is wanted over what exists, and saying field by field what that changes.
//!
//! This is the only way to a config (DESIGN 3) and the only place that knows whose a field is:
//! *ours* are the fields that `fly deploy` always replaces (facts/fly-toml-to-machine.md 3.1), where
//! an entry that is not wanted goes; every other field is the platform's unless we sent it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::secret::{self, hides};
use super::{MachineConfig, StoredConfig, normal};

/// How a field's value is put together from the parts of what exists and what is wanted.
#[derive(Clone, Copy)]
enum Shape {
    /// Taken whole.
    Leaf,
    /// A table: wanted keys win, keys in `owned` go when unwanted, other keys stay unless we sent them.
    Table {
        owned: &'static [&'static str],
        fields: &'static [(&'static str, Shape)],
    },
    /// A map of named entries: unwanted entries go, entries of both are laid over each other.
    Entries(&'static Shape),
    /// A list whose entries are found again by these keys; unwanted entries go.
    List {
        keys: &'static [&'static str],
        entry: &'static Shape,
    },
}

const TABLE: Shape = Shape::Table {
    owned: &[],
    fields: &[],
};
/// Content comes from one source: the one that is wanted takes the others' place.
const FILE: Shape = Shape::Table {
    owned: &["image_config", "raw_value", "secret_name"],
    fields: &[],
};
/// flyctl makes a new guest of a written size, in which no GPU is left over.
const GUEST: Shape = Shape::Table {
    owned: &["gpu_kind", "gpus"],
    fields: &[],
};
const CHECK_LIST: Shape = Shape::List {
    keys: &["type", "path", "method", "protocol", "port"],
    entry: &TABLE,
};
const PORT_LIST: Shape = Shape::List {
    keys: &["port", "start_port"],
    entry: &TABLE,
};
const SERVICE: Shape = Shape::Table {
    owned: &[],
    fields: &[
        ("checks", CHECK_LIST),
        ("ports", PORT_LIST),
        ("concurrency", TABLE),
    ],
};

/// Whose a top-level field is.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    /// Always replaced by `fly deploy`, cleared when absent.
    Ours,
    /// Kept unless wanted or sent by us.
    Platform,
}

/// The rule of every field. Destructures, so that a field added to [`MachineConfig`] cannot be
/// forgotten here.
fn rules(config: &MachineConfig) -> Vec<(&'static str, Owner, Shape)> {
    use Owner::{Ours, Platform};
    let MachineConfig {
        auto_destroy: _,
        cache_drive: _,
        checks: _,
        containers: _,
        disable_machine_autostart: _,
        dns: _,
        env: _,
        files: _,
        guest: _,
        image: _,
        init: _,
        metadata: _,
        metrics: _,
        mounts: _,
        processes: _,
        restart: _,
        rootfs: _,
        schedule: _,
        services: _,
        size: _,
        standbys: _,
        statics: _,
        stop_config: _,
        other: _,
    } = config;
    let init = Shape::Table {
        owned: &["cmd", "entrypoint", "exec", "swap_size_mb"],
        fields: &[],
    };
    vec![
        ("auto_destroy", Platform, Shape::Leaf),
        ("cache_drive", Platform, TABLE),
        ("checks", Ours, Shape::Entries(&TABLE)),
        (
            "containers",
            Platform,
            Shape::List {
                keys: &["name"],
                entry: &TABLE,
            },
        ),
        ("disable_machine_autostart", Platform, Shape::Leaf),
        ("dns", Platform, TABLE),
        ("env", Ours, Shape::Entries(&Shape::Leaf)),
        (
            "files",
            Ours,
            Shape::List {
                keys: &["guest_path"],
                entry: &FILE,
            },
        ),
        ("guest", Platform, GUEST),
        ("image", Platform, Shape::Leaf),
        ("init", Platform, init),
        ("metadata", Platform, TABLE),
        ("metrics", Ours, TABLE),
        (
            "mounts",
            Ours,
            Shape::List {
                keys: &["name"],
                entry: &TABLE,
            },
        ),
        ("processes", Platform, Shape::Leaf),
        ("restart", Ours, TABLE),
        ("rootfs", Platform, TABLE),
        ("schedule", Platform, Shape::Leaf),
        (
            "services",
            Ours,
            Shape::List {
                keys: &["internal_port", "protocol"],
                entry: &SERVICE,
            },
        ),
        ("size", Platform, Shape::Leaf),
        ("standbys", Platform, Shape::Leaf),
        (
            "statics",
            Ours,
            Shape::List {
                keys: &["url_prefix", "guest_path"],
                entry: &TABLE,
            },
        ),
        ("stop_config", Ours, TABLE),
    ]
}

/// The config that a Machine gets: `template` laid over what exists. `sent` is what we sent last:
/// a key of it that is not wanted any more is taken back; a key that only the platform has stays.
pub fn config_for(
    template: &MachineConfig,
    existing: Option<&MachineConfig>,
    sent: Option<&StoredConfig>,
) -> MachineConfig {
    let mut existing = existing.map_or_else(|| Value::Object(Map::new()), MachineConfig::to_value);
    // Bookkeeping in env belongs to one Machine's creation and never to what is wanted.
    if let Some(Value::Object(env)) = existing.get_mut("env") {
        env.remove("FLY_STANDBY_FOR");
    }
    let mut wanted = template.to_value();
    normal::drop_empty(&mut wanted);
    let tree = lay_config(template, &existing, sent.map(StoredConfig::tree), &wanted);
    MachineConfig::from_value(tree)
        .expect("laying two configs over each other keeps every field's type")
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
        (Shape::List { keys, entry }, Value::Array(existing), Value::Array(template)) => {
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
        let laid = match (wanted.get(field), owner) {
            (Some(wanted), _) => Some(lay(shape, existing.get(field), sent, wanted)),
            (None, Owner::Ours) => None,
            (None, Owner::Platform) => {
                let empty = Value::Object(Map::new());
                match (existing.get(field), shape) {
                    // A table of the platform's loses the keys that are always ours and those we sent,
                    // except `guest`: without `[[vm]]` a size stays as it is, whoever set it.
                    (Some(old @ Value::Object(_)), Shape::Table { .. }) if field != "guest" => {
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
        (Shape::List { keys, entry }, Value::Array(wanted)) => {
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

fn shape_of(fields: &[(&str, Shape)], key: &str) -> Shape {
    fields
        .iter()
        .find(|(name, _)| *name == key)
        .map_or(Shape::Leaf, |(_, shape)| *shape)
}

/// Which of `items` each wanted entry is: the one of the same name; else, of those left over, the first
/// that says nothing else where the wanted one says something. The platform may have filled in a key
/// that nobody wrote, and its entry is the same one all the same.
fn matches(keys: &[&str], wanted: &[Value], items: &[Value]) -> Vec<Option<usize>> {
    let names = entry_names(keys, items);
    let places: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let mut found: Vec<Option<usize>> = entry_names(keys, wanted)
        .iter()
        .map(|name| places.get(name.as_str()).copied())
        .collect();
    let taken: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let mut left: Vec<usize> = (0..items.len()).filter(|at| !taken.contains(at)).collect();
    for (wanted, found) in wanted.iter().zip(&mut found).filter(|(_, f)| f.is_none()) {
        let fits = |at: &usize| {
            let said = |key: &&str| wanted.get(*key).filter(|value| !value.is_null());
            let mut all = keys
                .iter()
                .filter_map(|key| Some((key, said(key)?)))
                .peekable();
            all.peek().is_some() && all.all(|(key, value)| items[*at].get(*key) == Some(value))
        };
        if let Some(place) = left.iter().position(fits) {
            *found = Some(left.remove(place));
        }
    }
    found
}

/// The names by which the entries of a list are found again: the values of their keys, and a number
/// where several entries share them.
fn entry_names(keys: &[&str], items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let parts: Vec<String> = keys
            .iter()
            .filter_map(|key| match item.get(*key) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        let mut name = parts.join(" ");
        let same = names
            .iter()
            .filter(|n| **n == name || n.starts_with(&format!("{name} #")))
            .count();
        if same > 0 {
            name = format!("{name} #{}", same + 1);
        }
        names.push(name);
    }
    names
}

fn named_entries(keys: &[&str], list: Option<&Value>) -> Vec<(String, Value)> {
    let items = list
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    entry_names(keys, items)
        .into_iter()
        .zip(items.iter().cloned())
        .collect()
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where, from the top of the config (`["guest", "memory_mb"]`, `["services", "8080 tcp",
    /// "concurrency", "soft_limit"]`).
    pub path: Vec<String>,
    /// What it is; none when it is new. A hidden value is `(hidden)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it becomes; none when it goes. A hidden value is `(hidden)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What changing it forces.
    pub effect: Effect,
    /// The values are secret-looking and stand nowhere in here (RULES 37).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Less CPU or memory than before: a class of its own (DESIGN 5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shrinks: bool,
}

/// What the change of a field forces (facts/fly-toml-to-machine.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A new version of the same Machine.
    InPlace,
    /// Another Machine.
    Replace,
}

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "(hidden)";

/// The fields in which two configs differ, normalised first, in a stable order, secrets hidden.
pub fn changes(before: &MachineConfig, after: &MachineConfig) -> Vec<FieldChange> {
    tree_changes(&normal::normalised(before), &normal::normalised(after))
}

/// The same for two trees that are normalised already.
pub fn tree_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    let empty = Value::Object(Map::new());
    let mut fields: Vec<(&str, Shape)> = rules(&MachineConfig::default())
        .into_iter()
        .map(|(field, _, shape)| (field, shape))
        .collect();
    // Fields that only the platform has are never in `after` differently from `before`, but a tree of
    // a newer version may carry them.
    for key in before
        .as_object()
        .into_iter()
        .chain(after.as_object())
        .flat_map(Map::keys)
    {
        if !fields.iter().any(|(field, _)| field == key) {
            fields.push((key, Shape::Leaf));
        }
    }
    for (field, shape) in fields {
        let (old, new) = (before.get(field), after.get(field));
        if old == new {
            continue;
        }
        let mut path = vec![field.to_owned()];
        match shape {
            // A missing table and an empty one are the same.
            Shape::Table { .. } | Shape::Entries(_) => {
                compare(
                    shape,
                    Some(old.unwrap_or(&empty)),
                    Some(new.unwrap_or(&empty)),
                    &mut path,
                    &mut found,
                );
            }
            Shape::Leaf | Shape::List { .. } => compare(shape, old, new, &mut path, &mut found),
        }
    }
    found
}

fn compare(
    shape: Shape,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    found: &mut Vec<FieldChange>,
) {
    if old == new {
        return;
    }
    match (shape, old, new) {
        (
            Shape::Table { .. } | Shape::Entries(_),
            Some(Value::Object(a)),
            Some(Value::Object(b)),
        ) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let shape = match shape {
                    Shape::Table { fields, .. } => shape_of(fields, key),
                    Shape::Entries(entry) => *entry,
                    Shape::Leaf | Shape::List { .. } => Shape::Leaf,
                };
                path.push(key.clone());
                compare(shape, a.get(key), b.get(key), path, found);
                path.pop();
            }
        }
        (Shape::List { keys, entry }, Some(Value::Array(_)), Some(Value::Array(_))) => {
            let (a, b) = (named_entries(keys, old), named_entries(keys, new));
            let mut names: Vec<&String> = a.iter().chain(&b).map(|(name, _)| name).collect();
            let mut seen = std::collections::BTreeSet::new();
            names.retain(|name| seen.insert(*name));
            let before = found.len();
            for name in names {
                let side = |list: &[(String, Value)]| {
                    list.iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, value)| value.clone())
                };
                path.push(name.clone());
                compare(*entry, side(&a).as_ref(), side(&b).as_ref(), path, found);
                path.pop();
            }
            if found.len() == before {
                // The same entries in another order.
                found.push(change(path, old, new));
            }
        }
        (Shape::Leaf | Shape::Table { .. } | Shape::Entries(_) | Shape::List { .. }, _, _) => {
            found.push(change(path, old, new));
        }
    }
}

fn change(path: &[String], before: Option<&Value>, after: Option<&Value>) -> FieldChange {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let is_hidden =
        |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(secret::in_text);
    let hidden = match parts.as_slice() {
        ["env" | "metadata", key, ..] => hides(key) || is_hidden(before) || is_hidden(after),
        ["files", .., "raw_value"] => true,
        _ => false,
    };
    let effect = match parts.as_slice() {
        // A mount that comes, goes or has another name needs another Machine; other keys of one that
        // stays do not.
        ["guest", "host_dedication_id"] | ["mounts"] | ["mounts", _] | ["mounts", _, "name"] => {
            Effect::Replace
        }
        _ => Effect::InPlace,
    };
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    let shrinks = match parts.as_slice() {
        ["guest", "cpus" | "memory_mb" | "gpus"] => match (number(before), number(after)) {
            (Some(before), Some(after)) => after < before,
            _ => false,
        },
        ["guest", "cpu_kind"] => {
            before.and_then(Value::as_str) == Some("performance")
                && after.and_then(Value::as_str) == Some("shared")
        }
        _ => false,
    };
    let show = |value: Option<&Value>| match value {
        Some(_) if hidden => Some(Value::from(HIDDEN)),
        Some(Value::Array(_)) if parts == ["files"] => Some(Value::from(HIDDEN)),
        // A whole entry may bring values along that stand deeper.
        Some(value) => {
            let mut value = value.clone();
            secret::replace(&mut value, &mut |_, _| HIDDEN.to_owned());
            Some(value)
        }
        None => None,
    };
    FieldChange {
        path: path.to_vec(),
        before: show(before),
        after: show(after),
        effect,
        hidden: hidden || parts == ["files"],
        shrinks,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::fleet::Lineage;

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

    #[test]
    fn secret_values_stand_in_no_change_nor_where_a_config_is_printed() {
        let printed = format!(
            "{:?}",
            config(json!({"env": {"API_TOKEN": "hunter2", "A": "1"}}))
        );
        assert!(
            !printed.contains("hunter2") && printed.contains("\"A\":\"1\""),
            "{printed}"
        );
        let found = changes(
            &config(
                json!({"env": {"API_TOKEN": "hunter2"}, "files": [{"guest_path": "/a", "raw_value": "aGk="}]}),
            ),
            &config(json!({"env": {"API_TOKEN": "hunter3"}, "files": []})),
        );
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("hunter") && !text.contains("aGk="), "{text}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn mounts_that_come_or_go_replace_and_others_do_not() {
        let with = |value| config(json!({"mounts": value}));
        let data = json!([{"name": "data", "path": "/data"}]);
        let effect = |a: Value, b: Value| changes(&with(a), &with(b))[0].effect;
        assert_eq!(effect(json!([]), data.clone()), Effect::Replace);
        assert_eq!(effect(data.clone(), json!([])), Effect::Replace);
        assert_eq!(
            effect(data.clone(), json!([{"name": "data", "path": "/d"}])),
            Effect::InPlace
        );
        assert_eq!(
            effect(data, json!([{"name": "other", "path": "/data"}])),
            Effect::Replace
        );
    }

    #[test]
    fn less_memory_shrinks_and_more_does_not() {
        let with = |mb: u32| config(json!({"guest": {"memory_mb": mb}}));
        assert!(changes(&with(512), &with(256))[0].shrinks);
        assert!(!changes(&with(256), &with(512))[0].shrinks);
    }
}
