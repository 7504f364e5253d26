//! Names in answers that have the token in them: whoever shows it back as an id, a name or a region would have it
//! written into the state, and from there into a repository.
//!
//! Values of configs may have it: they are kept as a hash and leave the program hidden. Texts for people may
//! have it, too, and are hidden where they are shown.

use serde_json::Value;

use super::access::Access;

/// What stands at a place of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldRole {
    /// A name, an id, a time: all of it is remembered or decides something.
    Name,
    /// The value of a config.
    Config,
    /// An entry of metadata, of which ours and Fly's are names.
    Metadata,
    /// For people.
    Text,
}

/// Where the answer has the token in a name; none where it has not.
pub(super) fn find_token_field(path: &str, body: &[u8], access: &Access) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    if !access.contains_token(&text) {
        return None;
    }
    // What is no JSON is refused by who reads it.
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

/// What stands under a key.
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
