//! The columns that the cases of single fields do not show: secret, smaller values, keys of entries.

use serde_json::{Value, json};

use super::super::{FieldType, SecretRule, Table};
use super::cases::Case;
use super::{row_of, with};
use crate::core::fleet::diff::{self, FieldChange};
use crate::core::fleet::overlay;

/// Fields whose values are not shown; every other value is.
const SECRETS: [(&str, SecretRule); 4] = [
    ("checks.*.headers.*.values", SecretRule::ByName),
    ("env", SecretRule::ByName),
    ("files.*.raw_value", SecretRule::Always),
    ("metadata", SecretRule::ByName),
];

/// Changes that reduce a field; no other change does.
fn reductions(path: &str) -> Option<(Value, Value)> {
    match path {
        "guest.cpu_kind" => Some((json!("performance"), json!("shared"))),
        "guest.cpus" | "guest.gpus" | "guest.memory_mb" => Some((json!(8), json!(7))),
        _ => None,
    }
}

/// What identifies an entry of each list.
const KEYS: [(&str, &[&str]); 10] = [
    ("checks.*.headers", &["name"]),
    ("containers", &["name"]),
    ("files", &["guest_path"]),
    ("mounts", &["name"]),
    ("services", &["internal_port", "protocol"]),
    (
        "services.*.checks",
        &["type", "path", "method", "protocol", "port"],
    ),
    ("services.*.ports", &["port", "start_port"]),
    (
        "services.*.ports.*.http_options.replay_cache",
        &["path_prefix", "type", "name"],
    ),
    ("statics", &["url_prefix", "guest_path"]),
    ("volumes", &["name"]),
];

/// What the table gets wrong about these columns of the case's field.
pub(super) fn broken(table: &Table, case: &Case) -> Option<String> {
    let (row, _) = row_of(table, case.path)?;
    let compare = |before: Option<&Value>, after: Option<&Value>| -> Vec<FieldChange> {
        diff::diff_by_table(table, &with(case.path, before), &with(case.path, after))
    };
    let is_hidden = |before: Option<&Value>, after: &Value| {
        compare(before, Some(after))
            .iter()
            .any(|change| change.hidden)
    };
    let secret = SECRETS.iter().find(|(path, _)| *path == case.path);
    let secret = secret.map_or(SecretRule::No, |(_, rule)| *rule);
    let (named, unnamed) = match row.kind() {
        FieldType::TextMap => (
            is_hidden(None, &json!({"API_TOKEN": "a"})),
            is_hidden(None, &json!({"PLAIN": "a"})),
        ),
        _ if case.path == "checks.*.headers.*.values" => (
            has_hidden_header(table, "Authorization"),
            has_hidden_header(table, "Accept"),
        ),
        _ => {
            let hidden = is_hidden(Some(&case.one), &case.other);
            (hidden && secret != SecretRule::ByName, hidden)
        }
    };
    if (named, unnamed) != (secret != SecretRule::No, secret == SecretRule::Always) {
        return Some("which of its values are hidden".to_owned());
    }
    if secret == SecretRule::Always {
        let found = compare(Some(&case.one), Some(&case.other));
        let is_own = |change: &FieldChange| change.path.last().is_some_and(|last| last == row.name);
        if !found.iter().all(is_own) {
            return Some("its change is part of another".to_owned());
        }
    }
    let shrinks = |before: &Value, after: &Value| {
        let found = compare(Some(before), Some(after));
        let mut own = found
            .iter()
            .filter(|change| change.path.last().is_some_and(|last| last == row.name));
        own.any(|change| change.shrinks)
    };
    let reduction = reductions(case.path);
    if let Some((more, less)) = &reduction
        && (!shrinks(more, less) || shrinks(less, more))
    {
        return Some("which change reduces it".to_owned());
    }
    if reduction.is_none() && (shrinks(&case.one, &case.other) || shrinks(&case.other, &case.one)) {
        return Some("no change reduces it".to_owned());
    }
    let keys = KEYS.iter().find(|(path, _)| *path == case.path);
    let keys = keys.map_or(&[][..], |(_, keys)| *keys);
    (matches!(row.kind(), FieldType::List(_)) && !matches_by(table, case.path, keys))
        .then(|| "what identifies an entry".to_owned())
}

/// Whether exactly these keys identify the entries of the list.
fn matches_by(table: &Table, path: &str, keys: &[&str]) -> bool {
    let entry = |number: usize| {
        let value = |key: &&str| match *key {
            "internal_port" | "port" | "start_port" => json!(80 + number),
            key => json!(format!("the {key} {number}")),
        };
        let fields = keys.iter().map(|key| ((*key).to_owned(), value(key)));
        fields.collect::<serde_json::Map<String, Value>>()
    };
    let with_unknown = |mut entry: serde_json::Map<String, Value>, value: usize| {
        entry.insert("unknown".to_owned(), json!(value));
        Value::from(entry)
    };
    // The second entry keeps what the platform has added to it, and one that differs in any key gets nothing.
    let there = json!([with_unknown(entry(1), 1), with_unknown(entry(2), 2)]);
    let laid = |desired: Value| {
        let (there, desired) = (
            with(path, Some(&there)),
            with(path, Some(&json!([desired]))),
        );
        overlay::overlay_by_table(table, &there, None, &desired).to_string()
    };
    let keeps = laid(entry(2).into()).contains("\"unknown\":2");
    let others = keys.iter().map(|key| {
        let mut other = entry(2);
        other.insert((*key).to_owned(), entry(3)[*key].clone());
        laid(other.into())
    });
    keeps && others.into_iter().all(|text| !text.contains("\"unknown\""))
}

fn has_hidden_header(table: &Table, name: &str) -> bool {
    let check =
        |value: &str| json!({"checks": {"c": {"headers": [{"name": name, "values": [value]}]}}});
    let found = diff::diff_by_table(table, &check("a"), &check("b"));
    found.iter().any(|change| change.hidden)
}
