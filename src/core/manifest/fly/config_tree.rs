//! Reads the JSON of a Machine config as flyctl does: keys in any case, known fields with their types.

use serde_json::Value;

use crate::core::fleet::normalise::parse_duration;
use crate::core::fleet::schema::{FieldRow, FieldType, Spelling, Table};

/// The same with keys in the table's case; flyctl accepts any case.
pub(super) fn in_lower_case(table: &Table, mut tree: Value) -> Value {
    let Some(fields) = tree.as_object_mut() else {
        return tree;
    };
    for row in table.rows {
        let other = fields.keys().find(|key| key.eq_ignore_ascii_case(row.name));
        let there = match (fields.contains_key(row.name), other.cloned()) {
            (true, _) => fields.get_mut(row.name).map(Value::take),
            (false, other) => other.and_then(|key| fields.remove(&key)),
        };
        let Some(there) = there else {
            continue;
        };
        let inner = match (row.kind(), there) {
            (FieldType::Section(table), there) => in_lower_case(table, there),
            (FieldType::List(table), Value::Array(items)) => items
                .into_iter()
                .map(|item| in_lower_case(table, item))
                .collect(),
            (FieldType::Entries(table), Value::Object(entries)) => entries
                .into_iter()
                .map(|(name, entry)| (name, in_lower_case(table, entry)))
                .collect(),
            (_, there) => there,
        };
        fields.insert(row.name.to_owned(), inner);
    }
    tree
}

/// The first field with a value that flyctl's structs reject, and what they accept.
pub(super) fn misfit(table: &Table, tree: &Value, path: &str) -> Option<String> {
    let written = |row: &&FieldRow| tree.get(row.name).is_some_and(|value| !value.is_null());
    table.rows.iter().filter(written).find_map(|row| {
        let path = match path {
            "" => row.name.to_owned(),
            path => format!("{path}.{}", row.name),
        };
        let value = &tree[row.name];
        inside(row, value, &path).unwrap_or_else(|takes| Some(format!("`{path}` takes {takes}")))
    })
}

/// The first mismatch inside a value of the right type; else the type of the field.
fn inside(row: &FieldRow, value: &Value, path: &str) -> Result<Option<String>, &'static str> {
    match (row.kind(), value) {
        (FieldType::Section(table), Value::Object(_)) => Ok(misfit(table, value, path)),
        (FieldType::Section(_), _) => Err("a table"),
        (FieldType::List(table), Value::Array(items)) if items.iter().all(is_table) => {
            let mut items = items.iter().enumerate();
            Ok(items.find_map(|(at, item)| misfit(table, item, &format!("{path}[{at}]"))))
        }
        (FieldType::List(_), _) => Err("a list of tables"),
        // Of these the values may be anything.
        (FieldType::Entries(table), Value::Object(_)) if table.rows.is_empty() => Ok(None),
        (FieldType::Entries(table), Value::Object(entries)) if entries.values().all(is_table) => {
            let mut entries = entries.iter();
            Ok(entries.find_map(|(name, entry)| misfit(table, entry, &format!("{path}.{name}"))))
        }
        (FieldType::Entries(_), _) => Err("a table of tables"),
        (kind, value) => match leaf(row.spec.equals.spelling, kind, value) {
            Some(takes) => Err(takes),
            None => Ok(None),
        },
    }
}

fn is_table(value: &Value) -> bool {
    value.is_object() || value.is_null()
}

/// The type of a leaf, if the value does not have it.
fn leaf(spelling: Spelling, kind: FieldType, value: &Value) -> Option<&'static str> {
    let is_text = |known: &[&str]| value.as_str().is_some_and(|text| known.contains(&text));
    let (fits, takes) = match (spelling, kind) {
        (Spelling::Duration | Spelling::Clamped(..), _) => (
            value
                .as_str()
                .is_some_and(|text| parse_duration(text).is_some()),
            "a duration like \"10s\"",
        ),
        (Spelling::Autostop, _) => (
            value.is_boolean() || is_text(&["off", "stop", "suspend"]),
            "\"off\", \"stop\", \"suspend\", true or false",
        ),
        (Spelling::PersistRootfs, _) => (
            value.is_u64() || is_text(&["", "never", "always", "restart"]),
            "\"never\", \"always\" or \"restart\"",
        ),
        (_, FieldType::Flag) => (value.is_boolean(), "true or false"),
        (_, FieldType::Number(most)) => (
            value.as_u64().is_some_and(|number| number <= most),
            "a whole number",
        ),
        (_, FieldType::Text) => (value.is_string(), "a text"),
        (_, FieldType::Texts) => (
            value
                .as_array()
                .is_some_and(|all| all.iter().all(Value::is_string)),
            "a list of texts",
        ),
        (_, FieldType::TextMap) => (
            value
                .as_object()
                .is_some_and(|all| all.values().all(Value::is_string)),
            "a table of texts",
        ),
        _ => (true, ""),
    };
    (!fits).then_some(takes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::fleet::schema::CONFIG;

    #[test]
    fn what_flyctl_does_not_take_is_named_with_its_place() {
        for (config, message) in [
            (json!({}), None),
            (json!({"dns": null, "rootfs": {"persist": "always"}}), None),
            (json!({"containers": [{"name": "a"}, null], "new": 1}), None),
            (
                json!({"services": [{"autostop": true, "ports": [{"http_options": {"compress": true,
                    "response": {"headers": {"A": false, "B": ["c"]}}}}]}]}),
                None,
            ),
            (json!({"stop_config": {"timeout": "1m30s"}}), None),
            (json!({"guest": {"persist_rootfs": 1}}), None),
            (json!({"dns": "x"}), Some("`dns` takes a table")),
            (json!({"rootfs": []}), Some("`rootfs` takes a table")),
            (
                json!({"containers": ["x"]}),
                Some("`containers` takes a list of tables"),
            ),
            (
                json!({"volumes": [1]}),
                Some("`volumes` takes a list of tables"),
            ),
            (
                json!({"stop_config": {"timeout": "x"}}),
                Some("`stop_config.timeout` takes a duration like \"10s\""),
            ),
            (
                json!({"checks": {"alive": {"interval": "5"}}}),
                Some("`checks.alive.interval` takes a duration like \"10s\""),
            ),
            (
                json!({"guest": {"persist_rootfs": "on"}}),
                Some("`guest.persist_rootfs` takes \"never\", \"always\" or \"restart\""),
            ),
            (
                json!({"services": [{}, {"autostop": "no"}]}),
                Some("`services[1].autostop` takes \"off\", \"stop\", \"suspend\", true or false"),
            ),
            (
                json!({"services": [{"ports": [{"http_options": {"idle_timeout": "9"}}]}]}),
                Some("`services[0].ports[0].http_options.idle_timeout` takes a whole number"),
            ),
            (
                json!({"services": [{"ports": [{"tls_options": {"alpn": "h2"}}]}]}),
                Some("`services[0].ports[0].tls_options.alpn` takes a list of texts"),
            ),
        ] {
            assert_eq!(misfit(CONFIG, &config, "").as_deref(), message, "{config}");
        }
    }
}
