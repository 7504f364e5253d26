//! Detects the token in names of a response. A server that echoes it as an id, a name or a region would
//! otherwise put it into the state and a repository.
//!
//! Values of configs may contain it: they are stored as a hash and hidden in output. Texts for people may
//! contain it too and are hidden when shown.

use serde_json::Value;

use super::access::Access;

/// The role of a value in a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldRole {
    /// A name, an id or a time: stored, or used in decisions.
    Name,
    /// A value in a config.
    Config,
    /// A metadata entry; some keys are names.
    Metadata,
    /// A text for people.
    Text,
}

/// The name field that contains the token, if any.
pub(super) fn find_token_field(path: &str, body: &[u8], access: &Access) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    if !access.contains_token(&text) {
        return None;
    }
    // The caller rejects invalid JSON.
    let tree: Value = serde_json::from_str(&text).ok()?;
    let kind = if path.ends_with("/metadata") {
        FieldRole::Metadata
    } else {
        FieldRole::Name
    };
    find(&tree, kind, "", access)
}

fn find(value: &Value, kind: FieldRole, place: &str, access: &Access) -> Option<String> {
    match value {
        Value::String(text) => {
            (kind == FieldRole::Name && access.contains_token(text)).then(|| place.to_owned())
        }
        Value::Array(items) => items
            .iter()
            .find_map(|item| find(item, kind, place, access)),
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            if kind != FieldRole::Text && access.contains_token(key) {
                return Some(format!(
                    "a key of {}",
                    if place.is_empty() { "it" } else { place }
                ));
            }
            find(value, role_of_child(kind, key), key, access)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The role of the value under a key.
fn role_of_child(kind: FieldRole, key: &str) -> FieldRole {
    match (kind, key) {
        (FieldRole::Name, "config" | "incomplete_config") => FieldRole::Config,
        (FieldRole::Name, "checks" | "events" | "error" | "message" | "description" | "nonce") => {
            FieldRole::Text
        }
        (FieldRole::Config, "metadata") => FieldRole::Metadata,
        (FieldRole::Metadata, key) => {
            let is_name = ["fly_", "aeroform_", "process_group"];
            if is_name.iter().any(|lead| key.starts_with(lead)) {
                FieldRole::Name
            } else {
                FieldRole::Config
            }
        }
        (kind, _) => kind,
    }
}
