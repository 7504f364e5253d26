//! The defaults and spellings in configs shown by the platform, from responses recorded 2024 to 2026
//! (docs/platform/machines-api.md 15.3, 15.4, 15.6, 15.8; docs/platform/fly-toml.md 3.7).
//!
//! The stored config stays as received; only the shown one is filled in.

use serde_json::{Map, Value, json};

use super::app::EmulatedVolume;

/// The config as shown: with the platform's defaults and properties of these volumes.
pub(super) fn fill_defaults(config: &Value, disks: &[EmulatedVolume]) -> Value {
    let mut config = config.clone();
    let Some(fields) = config.as_object_mut() else {
        return config;
    };
    for key in ["dns", "init"] {
        fill(fields, key, json!({}));
    }
    if !fields.contains_key("size") {
        let guest = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 256});
        fill(fields, "guest", guest);
    }
    restart(fields);
    each(fields, "services", service);
    each(fields, "mounts", |mount| {
        let id = mount.get("volume").and_then(Value::as_str);
        if let Some(disk) = disks.iter().find(|disk| Some(disk.id.as_str()) == id) {
            mount.insert("name".to_owned(), disk.name.as_str().into());
            mount.insert("size_gb".to_owned(), disk.size_gb.into());
            mount.insert("encrypted".to_owned(), disk.encrypted.into());
        }
    });
    config
}

/// Adds missing fields to a config. A list with one entry is added to every existing entry.
pub(super) fn fill_missing(config: &mut Value, added: &Value) {
    match (config, added) {
        (Value::Object(config), Value::Object(added)) => {
            for (key, added) in added {
                match config.get_mut(key) {
                    Some(there) if !there.is_null() => fill_missing(there, added),
                    Some(_) | None if added.is_array() => {}
                    Some(_) | None => {
                        config.insert(key.clone(), added.clone());
                    }
                }
            }
        }
        (Value::Array(entries), Value::Array(added)) => {
            for entry in entries {
                for added in added {
                    fill_missing(entry, added);
                }
            }
        }
        (_, _) => {}
    }
}

/// Reverses lists whose order has no meaning, and formats durations like Go: `90s` becomes `1m30s`.
pub(super) fn respell(config: &mut Value) {
    let Some(fields) = config.as_object_mut() else {
        return;
    };
    for (key, value) in fields {
        match (key.as_str(), &mut *value) {
            (
                "services" | "ports" | "handlers" | "checks" | "headers" | "files",
                Value::Array(list),
            ) => {
                list.reverse();
                list.iter_mut().for_each(respell);
            }
            ("interval" | "timeout" | "grace_period", Value::String(text)) => {
                let seconds = text.strip_suffix('s').and_then(|n| n.parse::<u64>().ok());
                if let Some(seconds) = seconds.filter(|seconds| *seconds >= 60) {
                    *text = format!("{}m{}s", seconds / 60, seconds % 60);
                }
            }
            ("checks" | "stop_config", Value::Object(_)) => respell_all(value),
            (_, _) => {}
        }
    }
}

/// Reformats a table's own fields, or the fields of a map's tables.
fn respell_all(value: &mut Value) {
    respell(value);
    if let Some(entries) = value.as_object_mut() {
        entries.values_mut().for_each(respell);
    }
}

/// Sets only a missing field; `null` counts as missing.
fn fill(fields: &mut Map<String, Value>, key: &str, default: Value) {
    if fields.get(key).is_none_or(Value::is_null) {
        fields.insert(key.to_owned(), default);
    }
}

fn restart(fields: &mut Map<String, Value>) {
    fill(fields, "restart", json!({}));
    let Some(restart) = fields.get_mut("restart").and_then(Value::as_object_mut) else {
        return;
    };
    let unsaid = |policy: &Value| policy.as_str() == Some("");
    if restart.get("policy").is_some_and(unsaid) {
        restart.remove("policy");
    }
    fill(restart, "policy", "on-failure".into());
    if restart["policy"] == "on-failure" {
        fill(restart, "max_retries", 10.into());
    }
}

fn service(service: &mut Map<String, Value>) {
    service.entry("force_instance_key").or_insert(Value::Null);
    // Both spellings are accepted, and these are shown.
    let shown = match service.get("autostop").and_then(Value::as_str) {
        Some("off") => false,
        Some("stop") => true,
        Some(_) | None => return,
    };
    service.insert("autostop".to_owned(), shown.into());
}

fn each(fields: &mut Map<String, Value>, key: &str, with: impl Fn(&mut Map<String, Value>)) {
    let list = fields.get_mut(key).and_then(Value::as_array_mut);
    for entry in list.into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            with(entry);
        }
    }
}
