//! Writes values of fly.toml: literals, keys, command lines and tables.

use serde_json::{Map, Value};

use super::location::{header_of, key_of, table_of};
use crate::core::fleet::schema::{FieldRow, Form, OPAQUE_TABLE, Toml};

/// The value as in fly.toml, as data.
pub(super) fn to_form(form: Form, value: &Value) -> Value {
    match (form, value) {
        (Form::Memory, Value::Number(mb)) => mb.as_u64().map_or_else(|| value.clone(), memory),
        (Form::Command, Value::Array(words)) => Value::from(command(words)),
        (Form::Policy, Value::String(policy)) if policy == "no" => Value::from("never"),
        (Form::Headers, Value::Array(headers)) => headers_table(headers),
        (
            Form::Plain
            | Form::Manual
            | Form::Memory
            | Form::Duration
            | Form::Command
            | Form::Policy
            | Form::Headers,
            other,
        ) => other.clone(),
    }
}

fn memory(mb: u64) -> Value {
    Value::from(if mb >= 1024 && mb.is_multiple_of(1024) {
        format!("{}gb", mb / 1024)
    } else {
        format!("{mb}mb")
    })
}

/// Quotes words for a command line that splits into them again (google/shlex: in double quotes a backslash makes any
/// next character literal).
fn command(words: &[Value]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| match word {
            Value::String(word) => quote_word(word),
            other => other.to_string(),
        })
        .collect();
    quoted.join(" ")
}

fn quote_word(word: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    if !word.is_empty() && !word.starts_with('#') && !word.contains(special) {
        return word.to_owned();
    }
    if word.contains('\'') {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{word}'")
    }
}

fn headers_table(headers: &[Value]) -> Value {
    headers
        .iter()
        .filter_map(|header| {
            let name = header.get("name")?.as_str()?.to_owned();
            let values = header.get("values").and_then(Value::as_array)?;
            let value = match values.as_slice() {
                [one] => one.clone(),
                several => Value::from(several),
            };
            Some((name, value))
        })
        .collect::<Map<_, _>>()
        .into()
}

/// A key as TOML writes it.
pub(super) fn key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && (key.chars().all(bare) || is_dotted_path(key)) {
        key.to_owned()
    } else {
        string(key)
    }
}

/// A path in the config, written like a TOML key.
fn is_dotted_path(key: &str) -> bool {
    key.split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// A value as TOML writes it, on one line.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{} = {}", key(k), literal(v)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

/// The same without quotes, for a sentence.
pub(super) fn unquoted(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            literal(value)
        }
    }
}

fn string(text: &str) -> String {
    let awkward = text.contains(['"', '\\']);
    if awkward && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"")
}

/// A table, or a list of tables, as lines with their depth: identifying keys first, then plain keys, then tables.
pub(super) fn table_lines(row: &FieldRow, name: &str, value: &Value) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    push_table(row, name, value, 0, &mut lines);
    lines
}

fn push_table(
    row: &FieldRow,
    name: &str,
    value: &Value,
    depth: usize,
    lines: &mut Vec<(usize, String)>,
) {
    match value {
        Value::Array(entries) => {
            for entry in entries {
                push_table(row, name, entry, depth, lines);
            }
        }
        Value::Object(fields) => {
            let table = table_of(row).unwrap_or(&OPAQUE_TABLE);
            // `[[services.http_checks]]` says the type already.
            let by_header = match (row.spec.toml, row.spec.entry_keys) {
                (Toml::Table(header), [first, ..]) if header.contains('*') => Some(*first),
                _ => None,
            };
            let kind = by_header.and_then(|key| fields.get(key)?.as_str());
            lines.extend(header_of(row, kind.unwrap_or(name)).map(|header| (depth, header)));
            let inner = |field: &str| {
                let row = table.row(field)?;
                matches!(row.spec.toml, Toml::Table(_)).then_some(row)
            };
            let mut own: Vec<(&String, &Value)> = fields
                .iter()
                .filter(|(field, _)| inner(field).is_none() && by_header != Some(field.as_str()))
                .collect();
            own.sort_by_key(|(field, _)| !row.spec.entry_keys.contains(&field.as_str()));
            for (field, value) in own {
                let (shown, form) = key_of(table, field);
                let text = format!("{} = {}", key(shown), literal(&to_form(form, value)));
                lines.push((depth + 1, text));
            }
            for (field, value) in fields {
                if let Some(inner) = inner(field) {
                    push_table(inner, "", value, depth + 1, lines);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            lines.push((depth, literal(value)));
        }
    }
}
