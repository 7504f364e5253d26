//! Computed fields: values in a Machine's config that the platform set, either as a default or on its own
//! (rule 10).
//!
//! They are ignored in one direction only. A value that a file writes and the Machine lacks is a change,
//! whatever the platform's default is. A value that the Machine has and no file sets is no change if it is
//! the default, or if the platform was seen to add it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::list_entries::{entry_names, pair_entries};
use super::schema::{CONFIG, FieldRow, FieldType, Owner, PlatformDefault, Section, Service, Table};
use super::{Lineage, StoredConfig, digest, normalise};

/// The fields that the platform computed on Machines with one config, by path. `/` separates the segments,
/// and list entries are named by their keys (`services/8080 tcp/autostart`). `None` as value means that any
/// value is the platform's, because Machines of that config showed different ones. Secret-looking values are
/// hidden.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComputedFields(BTreeMap<String, Option<Value>>);

impl ComputedFields {
    /// Whether there is no computed field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Paths and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Value>)> {
        self.0
            .iter()
            .map(|(path, value)| (path.as_str(), value.as_ref()))
    }

    /// Whether it has this path with this value or with any value.
    pub fn has(&self, path: &str, value: Option<&Value>) -> bool {
        self.0
            .get(path)
            .is_some_and(|known| known.is_none() || known.as_ref() == value)
    }

    /// Adds what another Machine of the same config showed, or the same Machine at another time. Where the
    /// values of a path differ, the path accepts any value.
    pub fn merge(&mut self, other: &Self) {
        for (path, value) in &other.0 {
            self.0
                .entry(path.clone())
                .and_modify(|known| {
                    if known != value {
                        *known = None;
                    }
                })
                .or_insert_with(|| value.clone());
        }
    }

    /// The fields that are not in the other set.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let own = self.0.iter();
        let own = own.filter(|(path, value)| !other.has(path, value.as_ref()));
        Self(
            own.map(|(path, value)| (path.clone(), value.clone()))
                .collect(),
        )
    }

    /// Adds the paths of another set that are missing here.
    pub fn add_missing(&mut self, other: &Self) {
        for (path, value) in &other.0 {
            let entry = self.0.entry(path.clone());
            entry.or_insert_with(|| value.clone());
        }
    }

    /// Overwrites these paths with the values that a later run saw.
    pub fn update(&mut self, newer: &Self) {
        for (path, value) in &newer.0 {
            self.0.insert(path.clone(), value.clone());
        }
    }

    fn has_hidden(&self) -> bool {
        let hidden = |value: &Value| value.to_string().contains(digest::HIDDEN_PREFIX);
        self.0.values().flatten().any(hidden)
    }
}

/// The computed fields that one Machine showed at the instance that our own call created.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineComputedFields {
    /// The fields and their values.
    #[serde(rename = "filled")]
    pub fields: ComputedFields,
    /// Fields that the Machine had before and that the call was meant to remove.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[serde(rename = "kept")]
    pub not_removed: BTreeSet<String>,
}

/// Joins path segments to a key of [`ComputedFields`].
pub fn join_path<'p>(path: impl IntoIterator<Item = &'p str>) -> String {
    let steps = path.into_iter();
    let steps: Vec<String> = steps
        .map(|step| step.replace('~', "~0").replace('/', "~1"))
        .collect();
    steps.join("/")
}

/// Splits such a key into path segments.
pub fn parse_path(text: &str) -> Vec<String> {
    text.split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// The actual config, normalised, without the fields that the other side lacks and that are no change.
pub fn without_computed<'t>(
    table: &Table,
    actual: &'t Value,
    other: &Value,
    computed: &ComputedFields,
    lineage: &Lineage,
) -> Cow<'t, Value> {
    // Both trees have the same shape, so one path addresses both.
    let hidden = computed
        .has_hidden()
        .then(|| digest::hide_secrets(actual.clone(), lineage));
    let mut paths = Vec::new();
    visit_extra_fields(table, hidden.as_ref().unwrap_or(actual), other, |extra| {
        if extra.is_default || computed.has(&extra.path, Some(extra.value)) {
            paths.push(extra.at.to_vec());
        }
    });
    if paths.is_empty() {
        return Cow::Borrowed(actual);
    }
    let mut left = actual.clone();
    for path in paths.iter().rev() {
        remove_at(&mut left, path);
    }
    Cow::Owned(normalise::normalise_tree(table, left))
}

/// Deploy-owned fields that a Machine shows, that were not sent to it and are not defaults. If read while the
/// Machine is at the instance of our own write, the platform computed them.
pub fn detect_computed(shown: &StoredConfig, sent: &StoredConfig) -> ComputedFields {
    let mut computed = ComputedFields::default();
    visit_extra_fields(CONFIG, shown.tree(), sent.tree(), |extra| {
        if extra.owner == Owner::Deploy && !extra.is_default {
            computed.0.insert(extra.path, Some(extra.value.clone()));
        }
    });
    computed
}

/// A field or entry that the actual config has and the other side lacks.
struct ExtraField<'e> {
    path: String,
    at: &'e [PathSegment],
    value: &'e Value,
    owner: Owner,
    is_default: bool,
}

#[derive(Debug, Clone)]
enum PathSegment {
    Key(String),
    Index(usize),
}

fn remove_at(tree: &mut Value, path: &[PathSegment]) {
    let Some((last, way)) = path.split_last() else {
        return;
    };
    let parent = way.iter().try_fold(tree, |tree, step| match step {
        PathSegment::Key(key) => tree.get_mut(key.as_str()),
        PathSegment::Index(at) => tree.get_mut(*at),
    });
    match (parent, last) {
        (Some(Value::Object(map)), PathSegment::Key(key)) => {
            map.remove(key);
        }
        (Some(Value::Array(items)), PathSegment::Index(at)) => {
            items.remove(*at);
        }
        _ => {}
    }
}

fn visit_extra_fields(
    table: &Table,
    actual: &Value,
    other: &Value,
    on_extra: impl FnMut(ExtraField<'_>),
) {
    let empty = Map::new();
    let mut walk = ExtraFieldVisitor {
        path: Vec::new(),
        at: Vec::new(),
        on_extra,
    };
    if let Value::Object(actual) = actual {
        walk.section(table, actual, other.as_object().unwrap_or(&empty), None);
    }
}

/// The service that contains a field, if any.
type EnclosingService<'s> = Option<&'s Map<String, Value>>;

struct ExtraFieldVisitor<F> {
    path: Vec<String>,
    at: Vec<PathSegment>,
    on_extra: F,
}

impl<F: FnMut(ExtraField<'_>)> ExtraFieldVisitor<F> {
    fn section(
        &mut self,
        table: &Table,
        actual: &Map<String, Value>,
        other: &Map<String, Value>,
        service: EnclosingService<'_>,
    ) {
        let service = if table.name == Service::TABLE.name {
            Some(actual)
        } else {
            service
        };
        // An unknown field belongs to the platform, whatever its value.
        let known = actual
            .iter()
            .filter_map(|(key, value)| Some((key, table.row(key)?, value)));
        for (key, row, value) in known {
            self.inside(key, PathSegment::Key(key.clone()), |walk| {
                walk.field(row, value, other.get(key), service);
            });
        }
    }

    fn inside(&mut self, name: &str, step: PathSegment, then: impl FnOnce(&mut Self)) {
        self.path.push(name.to_owned());
        self.at.push(step);
        then(self);
        self.at.pop();
        self.path.pop();
    }

    fn field(
        &mut self,
        row: &FieldRow,
        value: &Value,
        other: Option<&Value>,
        service: EnclosingService<'_>,
    ) {
        let empty = Map::new();
        let section = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        match (row.kind(), value) {
            // An unwritten field keeps its value.
            (_, _) if row.spec.owner == Owner::Running && other.is_none() => {}
            (FieldType::Section(table), Value::Object(actual)) => {
                let other = other.and_then(Value::as_object).unwrap_or(&empty);
                self.section(table, actual, other, service);
            }
            (FieldType::Entries(_) | FieldType::TextMap, Value::Object(actual)) => {
                let other = section(other).unwrap_or_default();
                for (name, value) in actual {
                    self.inside(name, PathSegment::Key(name.clone()), |walk| {
                        match (row.kind(), value, other.get(name)) {
                            (_, value, None) => walk.extra(row, value, false),
                            (
                                FieldType::Entries(table),
                                Value::Object(a),
                                Some(Value::Object(b)),
                            ) => {
                                walk.section(table, a, b, service);
                            }
                            (_, _, Some(_)) => {}
                        }
                    });
                }
            }
            (FieldType::List(table), Value::Array(actual)) => {
                let none = Vec::new();
                let other = other.and_then(Value::as_array).unwrap_or(&none);
                self.list(row, table, actual, other, service);
            }
            (_, value) if other.is_none() => {
                let is_default = is_default(row, value, service);
                self.extra(row, value, is_default);
            }
            (_, _) => {}
        }
    }

    fn list(
        &mut self,
        row: &FieldRow,
        table: &Table,
        actual: &[Value],
        other: &[Value],
        service: EnclosingService<'_>,
    ) {
        let keys = row.spec.entry_keys;
        let found = pair_entries(keys, other, actual);
        let (names, other_names) = (entry_names(keys, actual), entry_names(keys, other));
        for (at, (value, pair)) in actual.iter().zip(found).enumerate() {
            let name = pair.map_or(&names[at], |pair| &other_names[pair]);
            self.inside(name, PathSegment::Index(at), |walk| {
                match (value, pair.map(|pair| &other[pair])) {
                    (value, None) => walk.extra(row, value, false),
                    (Value::Object(a), Some(Value::Object(b))) => {
                        walk.section(table, a, b, service);
                    }
                    (_, Some(_)) => {}
                }
            });
        }
    }

    fn extra(&mut self, row: &FieldRow, value: &Value, is_default: bool) {
        (self.on_extra)(ExtraField {
            path: join_path(self.path.iter().map(String::as_str)),
            at: &self.at,
            value,
            owner: row.spec.owner,
            is_default,
        });
    }
}

fn is_default(row: &FieldRow, value: &Value, service: EnclosingService<'_>) -> bool {
    match row.spec.equals.default {
        PlatformDefault::Nothing => false,
        PlatformDefault::Text(text) => value.as_str() == Some(text),
        PlatformDefault::Number(number) => value.as_u64() == Some(number),
        PlatformDefault::OfService(key) => {
            service.and_then(|service| service.get(key)) == Some(value)
        }
    }
}
