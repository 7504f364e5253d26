//! Query strings and bodies of requests.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::Value;

use super::response;
use crate::emulator::world::Refusal;

/// The pairs of a query, in order.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first non-empty value with this name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let named = pairs.find(|(key, value)| key == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// Every value with this name, including comma-separated ones.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
    }

    /// Whether it is set, parsed like a bool in Go.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let text = self.text(name).map(str::to_ascii_lowercase);
        matches!(text.as_deref(), Some("1" | "t" | "true"))
    }

    /// A whole number; an invalid one is refused.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let refused = |_| response::refusal(400, &format!("invalid_argument: invalid {name}"));
        self.text(name).map(str::parse).transpose().map_err(refused)
    }

    /// The pairs whose names have this prefix, without it.
    pub(super) fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let pairs = self.0.iter();
        pairs
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
            .collect()
    }
}

/// A JSON body; an empty one is `{}`.
pub(super) fn parse_body(bytes: &Bytes) -> Result<Value, Refusal> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let refused =
        |error| response::refusal(400, &format!("invalid_argument: invalid JSON: {error}"));
    let value: Value = serde_json::from_slice(bytes).map_err(refused)?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(response::refusal(
            400,
            "invalid_argument: the body is not an object",
        ))
    }
}
