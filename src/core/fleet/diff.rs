//! Compares two configs: which fields differ, and what changing each one forces.
//!
//! Both sides are normalised first, so values that the platform rewrites do not differ. Secret-looking values
//! appear in no change (rule 37).

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::computed::{ComputedFields, without_computed};
use super::list_entries::{entry_names, pair_entries};
use super::schema::{CONFIG, Effect, FieldRow, FieldType, SecretRule, ShrinkRule, Table, UNKNOWN};
use super::secret::{self, HIDDEN, is_secret_name};
use super::{Lineage, MachineConfig, normalise};

/// One changed field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state machine"
)]
pub struct FieldChange {
    /// The path from the top of the config (`["guest", "memory_mb"]`, `["services", "8080 tcp",
    /// "concurrency", "soft_limit"]`).
    pub path: Vec<String>,
    /// The old value; `None` if the field is new. A hidden value is `(hidden)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The new value; `None` if the field is removed. A hidden value is `(hidden)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What the change forces.
    pub effect: Effect,
    /// The values look secret and are hidden (rule 37).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// The change reduces CPU or memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shrinks: bool,
    /// The Machine has the field, and no known call sent it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// Only the line ends differ (CRLF and LF).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub line_ends: bool,
}

/// The differing fields of two configs, normalised, in stable order, secrets hidden.
pub fn diff_configs(before: &MachineConfig, after: &MachineConfig) -> Vec<FieldChange> {
    diff_by_table(
        CONFIG,
        &normalise::normalise_config(before),
        &normalise::normalise_config(after),
    )
}

/// The changes that turn a Machine's config into the desired one, without fields that need no change (rule
/// 10).
pub fn required_changes(
    existing: &MachineConfig,
    after: &MachineConfig,
    computed: &ComputedFields,
    lineage: &Lineage,
) -> Vec<FieldChange> {
    let (before, after) = (
        normalise::normalise_config(existing),
        normalise::normalise_config(after),
    );
    let before = without_computed(CONFIG, &before, &after, computed, lineage);
    diff_by_table(CONFIG, &before, &after)
}

/// Drift: how a Machine's config differs from the sent one. `back` is the config that the Machine would have
/// without the drift.
pub fn drift_changes(
    back: &Value,
    actual: &Value,
    computed: &ComputedFields,
    lineage: &Lineage,
) -> Vec<FieldChange> {
    if back == actual {
        return Vec::new();
    }
    let (back, actual) = (normalise::renormalise(back), normalise::renormalise(actual));
    let actual = without_computed(CONFIG, &actual, &back, computed, lineage);
    diff_by_table(CONFIG, &back, &actual)
}

/// The differing fields of two stored configs, whichever version wrote them.
pub fn diff_stored(before: &Value, after: &Value) -> Vec<FieldChange> {
    if before == after {
        return Vec::new();
    }
    diff_by_table(
        CONFIG,
        &normalise::renormalise(before),
        &normalise::renormalise(after),
    )
}

/// The differing fields of two normalised trees, by any table.
pub fn diff_by_table(table: &Table, before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = DiffCollector::default();
    let empty = Map::new();
    let section = |tree: &'_ Value| tree.as_object().cloned().unwrap_or_else(|| empty.clone());
    if before != after {
        found.section(
            table,
            &section(before),
            &section(after),
            AbsentTable::PerField,
        );
    }
    found.changes
}

/// How to report a table that one side lacks: as one change or per field.
#[derive(Clone, Copy, PartialEq)]
enum AbsentTable {
    OneChange,
    PerField,
}

#[derive(Default)]
struct DiffCollector {
    path: Vec<String>,
    changes: Vec<FieldChange>,
}

impl DiffCollector {
    fn section(
        &mut self,
        table: &Table,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        whole: AbsentTable,
    ) {
        let known = table.rows.iter().map(|row| row.name);
        let mut keys: Vec<&str> = before
            .keys()
            .chain(after.keys())
            .map(String::as_str)
            .filter(|key| table.row(key).is_none())
            .chain(known)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let (old, new) = (before.get(key), after.get(key));
            if old == new {
                continue;
            }
            self.path.push(key.to_owned());
            self.field(table.row(key).unwrap_or(&UNKNOWN), old, new, whole);
            self.path.pop();
        }
    }

    fn field(
        &mut self,
        row: &FieldRow,
        old: Option<&Value>,
        new: Option<&Value>,
        whole: AbsentTable,
    ) {
        let empty = Value::Object(Map::new());
        // At the top level a missing table equals an empty one, so its fields are reported one by one.
        let (old, new) = match row.kind() {
            FieldType::Section(_) | FieldType::Entries(_) | FieldType::TextMap
                if whole == AbsentTable::PerField =>
            {
                (Some(old.unwrap_or(&empty)), Some(new.unwrap_or(&empty)))
            }
            _ => (old, new),
        };
        match (row.kind(), old, new) {
            (FieldType::Section(table), Some(Value::Object(a)), Some(Value::Object(b))) => {
                self.section(table, a, b, AbsentTable::OneChange);
            }
            (
                FieldType::Entries(_) | FieldType::TextMap,
                Some(Value::Object(a)),
                Some(Value::Object(b)),
            ) => {
                self.entries(row, a, b);
            }
            // Whether a value is secret depends on the name beside it.
            (FieldType::List(table), _, _) if has_named_secrets(table) => {
                self.push_change(row, old, new);
            }
            (FieldType::List(table), Some(Value::Array(a)), Some(Value::Array(b))) => {
                self.list(row, table, a, b);
            }
            (_, old, new) => self.push_change(row, old, new),
        }
    }

    fn entries(&mut self, row: &FieldRow, before: &Map<String, Value>, after: &Map<String, Value>) {
        let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (old, new) = (before.get(key), after.get(key));
            if old == new {
                continue;
            }
            self.path.push(key.clone());
            match (row.kind(), old, new) {
                (FieldType::Entries(table), Some(Value::Object(a)), Some(Value::Object(b))) => {
                    self.section(table, a, b, AbsentTable::OneChange);
                }
                (_, old, new) => self.push_change(row, old, new),
            }
            self.path.pop();
        }
    }

    fn list(&mut self, row: &FieldRow, table: &Table, before: &[Value], after: &[Value]) {
        let keys = row.spec.entry_keys;
        let pairs = pair_entries(keys, before, after);
        let (old_names, new_names) = (entry_names(keys, before), entry_names(keys, after));
        let count_before = self.changes.len();
        for (at, old) in before.iter().enumerate() {
            let new = pairs.iter().position(|pair| *pair == Some(at));
            self.path
                .push(new.map_or(&old_names[at], |new| &new_names[new]).clone());
            match (old, new.map(|new| &after[new])) {
                (old, Some(new)) if old == new => {}
                (Value::Object(a), Some(Value::Object(b))) => {
                    self.section(table, a, b, AbsentTable::OneChange);
                }
                (old, new) => self.push_change(row, Some(old), new),
            }
            self.path.pop();
        }
        for ((new, name), _) in (after.iter().zip(&new_names))
            .zip(&pairs)
            .filter(|(_, pair)| pair.is_none())
        {
            self.path.push(name.clone());
            self.push_change(row, None, Some(new));
            self.path.pop();
        }
        if self.changes.len() == count_before {
            // The order of this list matters (the first of several entries may win); other lists are sorted.
            self.push_change(row, Some(&before.into()), Some(&after.into()));
        }
    }

    fn push_change(&mut self, row: &FieldRow, before: Option<&Value>, after: Option<&Value>) {
        let name = self.path.last().map_or("", String::as_str);
        let by_form = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .is_some_and(secret::text_has_secret)
        };
        let hidden = match row.spec.secret {
            SecretRule::Always => true,
            SecretRule::ByName if matches!(row.kind(), FieldType::TextMap) => {
                is_secret_name(name) || by_form(before) || by_form(after)
            }
            SecretRule::ByName | SecretRule::No => by_form(before) || by_form(after),
        };
        // An entry reported as one value may contain fields that must not be shown.
        let brings = |table: &Table| {
            table
                .rows
                .iter()
                .any(|row| row.spec.secret == SecretRule::Always)
        };
        let whole = match row.kind() {
            FieldType::List(table) => self.path.len() == 1 && brings(table),
            _ => false,
        };
        let show = |value: Option<&Value>| match value {
            Some(_) if hidden => Some(Value::from(HIDDEN)),
            Some(Value::Array(_)) if whole => Some(Value::from(HIDDEN)),
            Some(value) => {
                let mut value = value.clone();
                secret::replace_secrets(&mut value, &mut |_, _| HIDDEN.to_owned());
                Some(value)
            }
            None => None,
        };
        let shrinks = is_smaller(row, before, after);
        let line_ends = only_line_ends(name, before, after);
        let (mut before, mut after) = (show(before), show(after));
        // The difference is inside the hidden part.
        let only_hidden = before == after;
        if only_hidden {
            (before, after) = (Some(Value::from(HIDDEN)), Some(Value::from(HIDDEN)));
        }
        self.changes.push(FieldChange {
            path: self.path.clone(),
            before,
            after,
            effect: row.spec.effect,
            hidden: hidden || only_hidden || whole,
            shrinks,
            unsent: false,
            line_ends,
        });
    }
}

/// Whether two values are equal after CRLF becomes LF. `name` is the field's name, because one field holds a
/// file's content.
fn only_line_ends(name: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return false;
    };
    let content = |value: &Value| {
        let text = value.as_str().filter(|_| name == "raw_value")?;
        String::from_utf8(BASE64.decode(text.as_bytes()).ok()?).ok()
    };
    match (content(before), content(after)) {
        (Some(before), Some(after)) => with_lf(&before) == with_lf(&after),
        (_, _) => all_with_lf(before) == all_with_lf(after),
    }
}

fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn all_with_lf(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(with_lf(text)),
        Value::Array(values) => values.iter().map(all_with_lf).collect(),
        other => other.clone(),
    }
}

fn has_named_secrets(table: &Table) -> bool {
    let named = |row: &FieldRow| {
        row.spec.secret == SecretRule::ByName && !matches!(row.kind(), FieldType::TextMap)
    };
    table.rows.iter().any(named)
}

fn is_smaller(row: &FieldRow, before: Option<&Value>, after: Option<&Value>) -> bool {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    match row.spec.shrinks_by {
        ShrinkRule::Nothing => false,
        ShrinkRule::Number => match (number(before), number(after)) {
            (Some(before), Some(after)) => after < before,
            _ => false,
        },
        ShrinkRule::Words(more, less) => {
            before.and_then(Value::as_str) == Some(more)
                && after.and_then(Value::as_str) == Some(less)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn line_endings_are_shown_as_such() {
        let found = |before: Value, after: Value| {
            let found = diff_configs(&config(before), &config(after));
            found
                .iter()
                .map(|change| change.line_ends)
                .collect::<Vec<_>>()
        };
        let file = |text: &[u8]| json!({"files": [{"guest_path": "/a", "raw_value": BASE64.encode(text)}]});
        assert_eq!(found(file(b"a\r\nb\r\n"), file(b"a\nb\n")), [true]);
        assert_eq!(found(file(b"a\r\nb"), file(b"a\nc")), [false]);
        assert_eq!(found(file(b"a\rb"), file(b"a\nb")), [false]);
        let env = |text: &str| json!({"env": {"MOTD": text}});
        assert_eq!(found(env("a\nb"), env("a\r\nb")), [true]);
        assert_eq!(found(json!({}), env("a\r\nb")), [false]);
        let cmd = |text: &str| json!({"init": {"cmd": ["sh", "-c", text]}});
        assert_eq!(found(cmd("a\r\nb"), cmd("a\nb")), [true]);
    }

    #[test]
    fn a_grace_period_of_nothing_is_none() {
        let with = |grace: Value| {
            let check = json!({"port": 80, "type": "tcp", "grace_period": grace});
            config(
                json!({"checks": {"up": check}, "services": [{"internal_port": 80, "checks": [check]}]}),
            )
        };
        let none = with(Value::Null);
        for zero in ["0s", "0ms", "0", ""] {
            assert_eq!(diff_configs(&none, &with(json!(zero))), [], "{zero}");
            assert_eq!(diff_configs(&with(json!(zero)), &none), [], "{zero}");
        }
        assert_eq!(diff_configs(&none, &with(json!("1s"))).len(), 2);
    }

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
        let found = diff_configs(
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
        let effect = |a: Value, b: Value| diff_configs(&with(a), &with(b))[0].effect;
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
        let found = diff_configs(&file("aGk="), &file("aG8="));
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
        let found = diff_configs(&statics(["/", "/a"]), &statics(["/a", "/"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, ["statics"]);
        let services = |ports: [u16; 2]| {
            config(json!({"services": ports.map(|port| json!({"internal_port": port}))}))
        };
        assert_eq!(diff_configs(&services([1, 2]), &services([2, 1])), []);
    }

    #[test]
    fn what_becomes_of_a_size_says_whether_it_shrinks() {
        let with = |guest: Value| config(json!({"guest": guest}));
        let shrinks =
            |before: Value, after: Value| diff_configs(&with(before), &with(after))[0].shrinks;
        assert!(shrinks(json!({"cpus": 2}), json!({"cpus": 1})));
        assert!(!shrinks(json!({"cpus": 1}), json!({"cpus": 2})));
        let kind = |kind: &str| json!({"cpu_kind": kind});
        assert!(shrinks(kind("performance"), kind("shared")));
        assert!(!shrinks(kind("shared"), kind("performance")));
        let host = diff_configs(&with(json!({})), &with(json!({"host_dedication_id": "h"})));
        assert_eq!(host[0].effect, Effect::Replace);
    }

    #[test]
    fn less_memory_shrinks_and_more_does_not() {
        let with = |mb: u32| config(json!({"guest": {"memory_mb": mb}}));
        assert!(diff_configs(&with(512), &with(256))[0].shrinks);
        assert!(!diff_configs(&with(256), &with(512))[0].shrinks);
    }

    #[test]
    fn what_an_older_version_remembered_is_compared_in_the_spelling_of_this_one() {
        let old = json!({"services": [{"internal_port": 80, "min_machines_running": 0,
            "checks": [{"timeout": "2m0s"}], "ports": [{"port": 443}, {"port": 80, "force_https": false}]}]});
        let new = json!({"services": [{"internal_port": 80, "checks": [{"timeout": "1m0s"}],
            "ports": [{"port": 80}, {"port": 443}]}]});
        assert_eq!(diff_stored(&old, &new), []);
        assert_eq!(diff_stored(&json!({"x": [1]}), &json!({"x": [2]})).len(), 1);
    }
}
