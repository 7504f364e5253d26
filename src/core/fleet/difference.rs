//! In which fields two configs differ, and what changing each of them forces.
//!
//! Both sides are normalised first, so that what the platform rewrites is no difference. Values that look
//! secret stand in no change (RULES 37).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::secret::{self, HIDDEN, hides};
use super::shape::{Shape, named_entries, rules, shape_of};
use super::{MachineConfig, normal};

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

/// The fields in which two configs differ, normalised first, in a stable order, secrets hidden.
pub fn changes(before: &MachineConfig, after: &MachineConfig) -> Vec<FieldChange> {
    between(&normal::normalised(before), &normal::normalised(after))
}

/// The same for two remembered forms, whichever version remembered them.
pub fn tree_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    if before == after {
        return Vec::new();
    }
    between(&normal::again(before), &normal::again(after))
}

fn between(before: &Value, after: &Value) -> Vec<FieldChange> {
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
                // The same entries in another order, where the first of several may win; other lists are sorted.
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
        _ => is_hidden(before) || is_hidden(after),
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
    let (mut before, mut after) = (show(before), show(after));
    // What differs is within what is hidden.
    let only_hidden = before == after;
    if only_hidden {
        (before, after) = (Some(Value::from(HIDDEN)), Some(Value::from(HIDDEN)));
    }
    FieldChange {
        path: path.to_vec(),
        before,
        after,
        effect,
        hidden: hidden || only_hidden || parts == ["files"],
        shrinks,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> MachineConfig {
        MachineConfig::from_value(value).unwrap()
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
    fn the_content_of_a_file_stands_in_no_change_of_it() {
        let file = |text: &str| config(json!({"files": [{"guest_path": "/a", "raw_value": text}]}));
        let found = changes(&file("aGk="), &file("aG8="));
        assert_eq!(found[0].path, ["files", "/a", "raw_value"]);
        assert!(found[0].hidden);
        assert_eq!(found[0].after, Some(Value::from(HIDDEN)));
    }

    #[test]
    fn another_order_is_a_change_only_where_the_first_of_several_may_win() {
        let statics = |urls: [&str; 2]| {
            config(
                json!({"statics": urls.map(|url| json!({"url_prefix": url, "guest_path": "/"}))}),
            )
        };
        let found = changes(&statics(["/", "/a"]), &statics(["/a", "/"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, ["statics"]);
        let services = |ports: [u16; 2]| {
            config(json!({"services": ports.map(|port| json!({"internal_port": port}))}))
        };
        assert_eq!(changes(&services([1, 2]), &services([2, 1])), []);
    }

    #[test]
    fn what_becomes_of_a_size_says_whether_it_shrinks() {
        let with = |guest: Value| config(json!({"guest": guest}));
        let shrinks = |before: Value, after: Value| changes(&with(before), &with(after))[0].shrinks;
        assert!(shrinks(json!({"cpus": 2}), json!({"cpus": 1})));
        assert!(!shrinks(json!({"cpus": 1}), json!({"cpus": 2})));
        let kind = |kind: &str| json!({"cpu_kind": kind});
        assert!(shrinks(kind("performance"), kind("shared")));
        assert!(!shrinks(kind("shared"), kind("performance")));
        let host = changes(&with(json!({})), &with(json!({"host_dedication_id": "h"})));
        assert_eq!(host[0].effect, Effect::Replace);
    }

    #[test]
    fn less_memory_shrinks_and_more_does_not() {
        let with = |mb: u32| config(json!({"guest": {"memory_mb": mb}}));
        assert!(changes(&with(512), &with(256))[0].shrinks);
        assert!(!changes(&with(256), &with(512))[0].shrinks);
    }

    #[test]
    fn what_an_older_version_remembered_is_compared_in_the_spelling_of_this_one() {
        let old = json!({"services": [{"internal_port": 80, "min_machines_running": 0,
            "checks": [{"timeout": "2m0s"}], "ports": [{"port": 443}, {"port": 80, "force_https": false}]}]});
        let new = json!({"services": [{"internal_port": 80, "checks": [{"timeout": "1m0s"}],
            "ports": [{"port": 80}, {"port": 443}]}]});
        assert_eq!(tree_changes(&old, &new), []);
        assert_eq!(
            tree_changes(&json!({"x": [1]}), &json!({"x": [2]})).len(),
            1
        );
    }
}
