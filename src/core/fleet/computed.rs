//! What of a Machine's config nobody has to change: the platform's defaults, and what it filled in by
//! itself (rule 10).
//!
//! Both count in one direction. A value that a file writes and the Machine lacks is a change whatever the
//! platform's default is; a value that the Machine has and no file writes is none where it is the default,
//! or where the platform was seen to put it there (*echo*).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::list_entries::{entry_names, pair_entries};
use super::schema::{CONFIG, Kind, Owner, PlatformDefault, Row, Section, Service, Table};
use super::{Lineage, StoredConfig, digest, normalise};

/// What the platform filled in at Machines of one config: by the path of the field, in which `/` parts the
/// steps and the entries of lists bear the names of their keys (`services/8080 tcp/autostart`). Without a
/// value any value is the platform's: Machines of that config have shown different ones. Secret-looking
/// values are hidden like all others that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComputedFields(BTreeMap<String, Option<Value>>);

impl ComputedFields {
    /// Whether nothing was filled in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths and the values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Value>)> {
        self.0
            .iter()
            .map(|(path, value)| (path.as_str(), value.as_ref()))
    }

    /// Whether it has this path with this value, or with any.
    pub fn has(&self, path: &str, value: Option<&Value>) -> bool {
        self.0
            .get(path)
            .is_some_and(|known| known.is_none() || known.as_ref() == value)
    }

    /// Takes up what another Machine of the same config has shown, or the same one at another moment: of two
    /// values of one path none is left, and then any value is the platform's.
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

    /// What is not in the other one.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let own = self.0.iter();
        let own = own.filter(|(path, value)| !other.has(path, value.as_ref()));
        Self(
            own.map(|(path, value)| (path.clone(), value.clone()))
                .collect(),
        )
    }

    /// Takes up the paths of another one that are not here.
    pub fn add_missing(&mut self, other: &Self) {
        for (path, value) in &other.0 {
            let entry = self.0.entry(path.clone());
            entry.or_insert_with(|| value.clone());
        }
    }

    /// Takes the place of what was known of these paths: a later run has seen it.
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

/// What one Machine showed at the instance that our own call made, without it having been sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineComputedFields {
    /// The fields and their values.
    #[serde(rename = "filled")]
    pub fields: ComputedFields,
    /// Those that the Machine had before and that the call was to remove.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[serde(rename = "kept")]
    pub not_removed: BTreeSet<String>,
}

/// The steps of a path as a key of [`ComputedFields`].
pub fn join_path<'p>(path: impl IntoIterator<Item = &'p str>) -> String {
    let steps = path.into_iter();
    let steps: Vec<String> = steps
        .map(|step| step.replace('~', "~0").replace('/', "~1"))
        .collect();
    steps.join("/")
}

/// The steps of such a key.
pub fn parse_path(text: &str) -> Vec<String> {
    text.split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// What is there, normalised, without what the other side does not say and nobody has to change.
pub fn without_computed<'t>(
    table: &Table,
    there: &'t Value,
    other: &Value,
    filled: &ComputedFields,
    lineage: &Lineage,
) -> Cow<'t, Value> {
    // Both trees have the same shape, so that a place in one is a place in the other.
    let hidden = filled
        .has_hidden()
        .then(|| digest::hide_secrets(there.clone(), lineage));
    let mut places = Vec::new();
    visit_extra_fields(table, hidden.as_ref().unwrap_or(there), other, |extra| {
        if extra.is_default || filled.has(&extra.path, Some(extra.value)) {
            places.push(extra.at.to_vec());
        }
    });
    if places.is_empty() {
        return Cow::Borrowed(there);
    }
    let mut left = there.clone();
    for place in places.iter().rev() {
        remove_at(&mut left, place);
    }
    Cow::Owned(normalise::normalise_tree(table, left))
}

/// The fields that are ours, that a Machine shows and that were not sent to it, its defaults aside. Read of
/// it while it is at the instance that our own write made, the platform filled them in.
pub fn detect_computed(shown: &StoredConfig, sent: &StoredConfig) -> ComputedFields {
    let mut filled = ComputedFields::default();
    visit_extra_fields(CONFIG, shown.tree(), sent.tree(), |extra| {
        if extra.owner == Owner::Deploy && !extra.is_default {
            filled.0.insert(extra.path, Some(extra.value.clone()));
        }
    });
    filled
}

/// One field or entry that is there and that the other side does not have.
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

fn remove_at(tree: &mut Value, place: &[PathSegment]) {
    let Some((last, way)) = place.split_last() else {
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
    there: &Value,
    other: &Value,
    tell: impl FnMut(ExtraField<'_>),
) {
    let empty = Map::new();
    let mut walk = ExtraFieldVisitor {
        path: Vec::new(),
        at: Vec::new(),
        on_extra: tell,
    };
    if let Value::Object(there) = there {
        walk.section(table, there, other.as_object().unwrap_or(&empty), None);
    }
}

/// The service that a field stands in, if any.
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
        there: &Map<String, Value>,
        other: &Map<String, Value>,
        service: EnclosingService<'_>,
    ) {
        let service = if table.name == Service::TABLE.name {
            Some(there)
        } else {
            service
        };
        // A field that we do not know is the platform's whatever it says.
        let known = there
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
        row: &Row,
        value: &Value,
        other: Option<&Value>,
        service: EnclosingService<'_>,
    ) {
        let empty = Map::new();
        let section = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        match (row.kind(), value) {
            // What is not written stays as it is.
            (_, _) if row.spec.owner == Owner::Running && other.is_none() => {}
            (Kind::Section(table), Value::Object(there)) => {
                let other = other.and_then(Value::as_object).unwrap_or(&empty);
                self.section(table, there, other, service);
            }
            (Kind::Entries(_) | Kind::TextMap, Value::Object(there)) => {
                let other = section(other).unwrap_or_default();
                for (name, value) in there {
                    self.inside(name, PathSegment::Key(name.clone()), |walk| {
                        match (row.kind(), value, other.get(name)) {
                            (_, value, None) => walk.extra(row, value, false),
                            (Kind::Entries(table), Value::Object(a), Some(Value::Object(b))) => {
                                walk.section(table, a, b, service);
                            }
                            (_, _, Some(_)) => {}
                        }
                    });
                }
            }
            (Kind::List(table), Value::Array(there)) => {
                let none = Vec::new();
                let other = other.and_then(Value::as_array).unwrap_or(&none);
                self.list(row, table, there, other, service);
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
        row: &Row,
        table: &Table,
        there: &[Value],
        other: &[Value],
        service: EnclosingService<'_>,
    ) {
        let keys = row.spec.found_by;
        let found = pair_entries(keys, other, there);
        let (names, other_names) = (entry_names(keys, there), entry_names(keys, other));
        for (at, (value, pair)) in there.iter().zip(found).enumerate() {
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

    fn extra(&mut self, row: &Row, value: &Value, is_default: bool) {
        (self.on_extra)(ExtraField {
            path: join_path(self.path.iter().map(String::as_str)),
            at: &self.at,
            value,
            owner: row.spec.owner,
            is_default,
        });
    }
}

fn is_default(row: &Row, value: &Value, service: EnclosingService<'_>) -> bool {
    match row.spec.equals.default {
        PlatformDefault::Nothing => false,
        PlatformDefault::Text(text) => value.as_str() == Some(text),
        PlatformDefault::Number(number) => value.as_u64() == Some(number),
        PlatformDefault::OfService(key) => {
            service.and_then(|service| service.get(key)) == Some(value)
        }
    }
}
