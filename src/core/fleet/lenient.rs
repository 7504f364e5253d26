//! Reads configs whose values have another JSON type than the platform's schema.
//!
//! A value with the same meaning is converted: a number for a text, a number of nanoseconds for a duration,
//! digits for a number, an empty list for an empty map, `null` for an absent field. Any other mismatch is
//! reported with its path and the expected type; the value is untrusted and not repeated.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::normalise::format_duration;

/// Duration fields: Go text, or a number of nanoseconds.
const DURATIONS: &[&str] = &["grace_period", "interval", "timeout"];

/// A schema type that can convert equivalent values.
pub(super) trait Lenient {
    /// Converts the value to the schema's type if it has the same meaning; else adds a problem.
    fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>);
}

/// The path of a value in a config.
pub(super) enum ValuePath<'a> {
    /// The config itself.
    Root,
    /// A field or map entry.
    Key(&'a ValuePath<'a>, &'a str),
    /// A list entry.
    Index(&'a ValuePath<'a>, usize),
}

impl ValuePath<'_> {
    fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(Self::Root, key) => (*key).to_owned(),
            Self::Key(parent, key) => format!("{}.{key}", parent.text()),
            Self::Index(parent, index) => format!("{}[{index}]", parent.text()),
        }
    }

    fn is_duration(&self) -> bool {
        matches!(self, Self::Key(_, key) if DURATIONS.contains(key))
    }

    fn problem(&self, expected: &str, value: &Value) -> String {
        let place = match self.text() {
            text if text.is_empty() => "it".to_owned(),
            text => format!("`{text}`"),
        };
        format!("{place} is {}, not {expected}", type_name(value))
    }
}

/// The JSON type of a value.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

impl Lenient for Value {
    fn coerce(_: &mut Value, _: &ValuePath<'_>, _: &mut Vec<String>) {}
}

impl Lenient for String {
    fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>) {
        match value {
            Value::String(_) => {}
            Value::Number(_) if at.is_duration() => match as_whole_number(value) {
                Some(nanos) => *value = format_duration(nanos).into(),
                None => problems.push(at.problem("a duration", value)),
            },
            Value::Number(number) => *value = number.to_string().into(),
            Value::Bool(truth) => *value = truth.to_string().into(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                problems.push(at.problem("text", value));
            }
        }
    }
}

impl Lenient for bool {
    fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>) {
        let truth = match value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                Some(_) | None => None,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        match truth {
            Some(truth) => *value = truth.into(),
            None => problems.push(at.problem("true or false", value)),
        }
    }
}

/// The whole number that this value represents.
pub fn as_whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| integral(number)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn integral(number: &Number) -> Option<u64> {
    // Beyond this range a float cannot represent every whole number.
    let float = number.as_f64()?;
    let fits = float.fract() == 0.0 && (0.0..9.0e15).contains(&float);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is an integer and in range"
    )]
    fits.then_some(float as u64)
}

macro_rules! whole_numbers {
    ($($ty:ty),*) => {$(
        impl Lenient for $ty {
            fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>) {
                match as_whole_number(value).and_then(|number| <$ty>::try_from(number).ok()) {
                    Some(number) => *value = number.into(),
                    None if value.is_number() => {
                        problems.push(format!("`{}` is not a number from 0 to {}", at.text(), <$ty>::MAX));
                    }
                    None => problems.push(at.problem("a number", value)),
                }
            }
        }
    )*};
}

whole_numbers!(u16, u32);

impl<T: Lenient> Lenient for Vec<T> {
    fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>) {
        if is_empty_map(value) {
            *value = Value::Array(Vec::new());
        }
        let Value::Array(items) = value else {
            return problems.push(at.problem("a list", value));
        };
        items.retain(|item| !item.is_null());
        for (index, item) in items.iter_mut().enumerate() {
            T::coerce(item, &ValuePath::Index(at, index), problems);
        }
    }
}

impl<T: Lenient> Lenient for BTreeMap<String, T> {
    fn coerce(value: &mut Value, at: &ValuePath<'_>, problems: &mut Vec<String>) {
        if is_empty_list(value) {
            *value = Value::Object(serde_json::Map::new());
        }
        let Value::Object(entries) = value else {
            return problems.push(at.problem("a map", value));
        };
        entries.retain(|_, entry| !entry.is_null());
        for (key, entry) in entries {
            T::coerce(entry, &ValuePath::Key(at, key), problems);
        }
    }
}

/// Converts the fields of a struct, each by its own type; removes `null`.
pub(super) fn coerce_fields(
    value: &mut Value,
    at: &ValuePath<'_>,
    problems: &mut Vec<String>,
    known: &[(&str, CoerceFn)],
) {
    if is_empty_list(value) {
        *value = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = value else {
        return problems.push(at.problem("a map", value));
    };
    fields.retain(|key, field| !field.is_null() || !known.iter().any(|(name, _)| name == key));
    for (name, coerce) in known {
        if let Some(field) = fields.get_mut(*name) {
            coerce(field, &ValuePath::Key(at, name), problems);
        }
    }
}

/// Converts one field.
pub(super) type CoerceFn = fn(&mut Value, &ValuePath<'_>, &mut Vec<String>);

fn is_empty_map(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// A map's text values; used for metadata whose other values cannot be read.
pub fn as_text_map(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    let texts = entries.filter_map(|(key, value)| Some((key.clone(), as_text(value)?)));
    texts.collect()
}

/// The text that a scalar value represents.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_map_the_scalar_values_become_text() {
        let map =
            json!({"text": "a", "number": 1, "flag": true, "none": null, "list": [], "map": {}});
        let texts = [("flag", "true"), ("number", "1"), ("text", "a")];
        let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
        assert_eq!(as_text_map(&map), texts.into());
        for other in [json!(null), json!("a"), json!([{"a": "b"}])] {
            assert_eq!(as_text_map(&other), BTreeMap::new(), "{other}");
        }
    }
}
