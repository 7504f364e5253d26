//! The tree with spans for all formats of manifests.
//!
//! Numbers stay text, because the type of a key is known only when it is read. [`super::format`] builds the tree.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// A value with its span.
#[derive(Debug, Clone)]
pub(super) struct Node<'t> {
    value: Value<'t>,
    span: Range<usize>,
}

/// A value of any type.
#[derive(Debug, Clone)]
pub(super) enum Value<'t> {
    /// `null` of JSON and YAML: the same as missing.
    Null,
    String(Cow<'t, str>),
    Integer(Number<'t>),
    Float(Number<'t>),
    Boolean(bool),
    /// A date or time of TOML, as it is written.
    Datetime(String),
    Array(Vec<Node<'t>>),
    Table(Table<'t>),
}

/// A number as it is written, without its prefix.
#[derive(Debug, Clone)]
pub(super) struct Number<'t> {
    text: Cow<'t, str>,
    radix: u32,
}

/// A table with spans of its keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Table<'t> {
    entries: BTreeMap<Cow<'t, str>, (Range<usize>, Node<'t>)>,
}

impl<'t> Node<'t> {
    pub(super) fn new(value: Value<'t>, span: Range<usize>) -> Self {
        Self { value, span }
    }

    pub(super) fn get_ref(&self) -> &Value<'t> {
        &self.value
    }

    pub(super) fn into_value(self) -> Value<'t> {
        self.value
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

impl<'t> Value<'t> {
    /// Its type with the article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean(_) => "true or false",
            Self::Datetime(_) => "a date or time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table<'t>> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The same as JSON, without nulls.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::String(text) => Json::from(text.as_ref()),
            Self::Integer(number) => number
                .as_i64()
                .map_or_else(|| Json::from(number.as_str()), Json::from),
            Self::Float(number) => number
                .as_str()
                .parse::<f64>()
                .map_or_else(|_| Json::from(number.as_str()), Json::from),
            Self::Boolean(value) => Json::from(*value),
            Self::Datetime(text) => Json::from(text.as_str()),
            Self::Array(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Table(table) => table.to_json(),
        }
    }

    /// The cost of a copy: the size of all text in it, plus a constant per value.
    pub(super) fn copy_cost(&self) -> usize {
        const NODE_COST: usize = 64;
        NODE_COST
            + match self {
                Self::Null | Self::Boolean(_) => 0,
                Self::String(text) => text.len(),
                Self::Integer(number) | Self::Float(number) => number.text.len(),
                Self::Datetime(text) => text.len(),
                Self::Array(items) => items.iter().map(|item| item.value.copy_cost()).sum(),
                Self::Table(table) => {
                    let entries = table.entries.iter();
                    entries
                        .map(|(key, (_, node))| key.len() + node.value.copy_cost())
                        .sum()
                }
            }
    }

    /// How many levels are below it.
    pub(super) fn depth(&self) -> usize {
        let below = |nodes: &mut dyn Iterator<Item = &Node<'t>>| {
            nodes.map(|node| 1 + node.value.depth()).max().unwrap_or(0)
        };
        match self {
            Self::Array(items) => below(&mut items.iter()),
            Self::Table(table) => below(&mut table.entries.values().map(|(_, node)| node)),
            _ => 0,
        }
    }
}

impl<'t> Number<'t> {
    pub(super) fn new(text: impl Into<Cow<'t, str>>, radix: u32) -> Self {
        Self {
            text: text.into(),
            radix,
        }
    }

    /// Its digits, as `from_str_radix` takes them.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn radix(&self) -> u32 {
        self.radix
    }

    /// The integer, if it fits.
    pub(super) fn as_i64(&self) -> Option<i64> {
        i64::from_str_radix(&self.text, self.radix).ok()
    }
}

impl<'t> Table<'t> {
    /// The same as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let entries = self.entries.iter().filter(|(_, (_, node))| !node.is_null());
        let entries = entries.map(|(key, (_, node))| (key.to_string(), node.value.to_json()));
        serde_json::Value::Object(entries.collect())
    }

    /// Adds an entry; returns the span of the key that it replaces.
    pub(super) fn insert(
        &mut self,
        key: impl Into<Cow<'t, str>>,
        span: Range<usize>,
        node: Node<'t>,
    ) -> Option<Range<usize>> {
        let old = self.entries.insert(key.into(), (span, node));
        old.map(|(span, _)| span)
    }

    /// A key's span and its value.
    pub(super) fn get(&self, key: &str) -> Option<(Range<usize>, &Node<'t>)> {
        let (span, node) = self.entries.get(key)?;
        Some((span.clone(), node))
    }

    /// All entries, by the bytes of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Range<usize>, &Node<'t>)> {
        let entries = self.entries.iter();
        entries.map(|(key, (span, node))| (&**key, span.clone(), node))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds entries of another table that this one lacks.
    pub(super) fn merge_missing(&mut self, other: Self) {
        for (key, entry) in other.entries {
            self.entries.entry(key).or_insert(entry);
        }
    }
}
