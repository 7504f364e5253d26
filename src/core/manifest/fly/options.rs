//! Tables that go to the platform as they are written (`tls_options`, `http_options`, …).

use serde_json::{Map, Value};

use super::super::fields::Fields;
use super::super::value::{Node, Value as Written};

/// The table under a key as JSON. Its keys are the platform's business, its being a table is ours.
pub(super) fn carried(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Value> {
    let node = fields.take(key)?;
    if node.get_ref().as_table().is_none() {
        fields.file.wrong_type(&fields.path(key), node, "a table");
        return None;
    }
    Some(json(node))
}

pub(super) fn json(node: &Node<'_>) -> Value {
    match node.get_ref() {
        Written::Null => Value::Null,
        Written::String(text) => Value::from(text.as_ref()),
        Written::Integer(integer) => integer
            .whole()
            .map_or_else(|| Value::from(integer.as_str()), Value::from),
        Written::Float(float) => Value::from(float.as_str().parse::<f64>().unwrap_or_default()),
        Written::Boolean(value) => Value::from(*value),
        Written::Datetime(time) => Value::from(time.as_str()),
        Written::Array(items) => items.iter().map(json).collect(),
        Written::Table(table) => {
            let entries = table.iter();
            let entries = entries.map(|(key, _, value)| (key.to_owned(), json(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
