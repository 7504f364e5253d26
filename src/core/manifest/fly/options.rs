//! Tables that go to the platform as they are written (`tls_options`, `http_options`, …).

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::super::fields::Fields;
use super::super::tree::Node;

/// The table under a key as JSON. Its keys are the platform's business, its being a table is ours.
pub(super) fn carried(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Value> {
    let node = fields.take(key)?;
    if !node.get_ref().is_table() {
        fields.file.wrong_type(&fields.path(key), node, "a table");
        return None;
    }
    Some(json(node))
}

fn json(node: &Node<'_>) -> Value {
    match node.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::from(integer.as_str()), Value::from),
        DeValue::Float(float) => Value::from(float.as_str().parse::<f64>().unwrap_or_default()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(json).collect(),
        DeValue::Table(table) => {
            let entries = table.iter();
            let entries = entries.map(|(key, value)| (key.get_ref().to_string(), json(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
