//! `docs/schemas/aeroform.schema.json`, printed from the list.
//!
//! It covers checks of this file alone. `aeroform validate` checks what depends on fly.toml or on Fly (whether a group or
//! a region exists, whether counts fit).

use serde_json::{Map, Value, json};

use super::super::aeroform::group_settings::MAX_COUNT;
use super::super::aeroform::hold::MAX_RELEASE;
use super::{AeroformKey, AeroformTable, KeyRule, ValueType, table};

/// Lower-case letters, digits and dashes: the form of regions and of Machine ids.
const SLUG: &str = "^[a-z0-9-]+$";

/// A region, or all others.
const REGION_OR_OTHERS: &str = r"^([a-z0-9-]+|\*)$";

/// Strings that the reader takes as durations: Go's form.
const DURATION: &str = r"^(\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+))?$";

/// Strings that the reader takes as a share: 0 to 100 per cent.
const SHARE: &str = r"^\s*\+?(0*100(\.0*)?|0*[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+)\s*%$";

/// The title of the schema.
const TITLE: &str = "aeroform.toml";

/// Whether this text is the schema of this or of another version.
pub fn is_schema(text: &str) -> bool {
    let value: Option<Value> = serde_json::from_str(text).ok();
    value.is_some_and(|value| value["title"] == TITLE)
}

/// The JSON Schema as text.
///
/// Draft 7, which editors that read `#:schema` support.
pub fn schema() -> String {
    let top = table("").expect("the list begins with the top level");
    let Value::Object(mut schema) = table_schema(top) else {
        unreachable!("the schema of a table is an object");
    };
    schema.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    schema.insert("title".to_owned(), json!(TITLE));
    schema.insert(
        "description".to_owned(),
        json!("How many Machines each process group has, where they run, and what no plan may do."),
    );
    let text = serde_json::to_string_pretty(&Value::Object(schema));
    text.expect("a value of JSON is text") + "\n"
}

fn table_schema(table: &AeroformTable) -> Value {
    let properties: Map<String, Value> = table
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), key_schema(key)))
        .collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    match table.key_rule {
        KeyRule::No => {}
        KeyRule::AtMostOne(keys) => schema["not"] = json!({ "required": keys }),
        KeyRule::OneWith(keys, with) => {
            let one: Vec<Value> = keys
                .iter()
                .map(|key| json!({ "required": [key] }))
                .collect();
            schema["oneOf"] = json!(one);
            schema["required"] = json!([with]);
        }
        KeyRule::Required(key) => schema["required"] = json!([key]),
    }
    schema
}

fn key_schema(key: &AeroformKey) -> Value {
    let mut schema = type_schema(key.value_type);
    let about = without_links(key.about);
    let text = if key.default.is_empty() || key.default == "required" {
        about
    } else {
        format!("{about} Default: {}.", key.default)
    };
    schema["description"] = json!(text);
    schema
}

/// A text of the page with links replaced by their words, for editors.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (_, end) = after.split_once(')').expect("a link of the list is closed");
        let open = before.rfind('[').expect("a link of the list is opened");
        out.push_str(&before[..open]);
        out.push_str(&before[open + 1..]);
        rest = end;
    }
    out + rest
}

fn type_schema(takes: ValueType) -> Value {
    let count = |least: u32| json!({ "type": "integer", "minimum": least, "maximum": MAX_COUNT });
    match takes {
        ValueType::Text => json!({ "type": "string", "minLength": 1 }),
        ValueType::Word(words) => json!({ "enum": words }),
        ValueType::Flag => json!({ "type": "boolean" }),
        ValueType::Count(least) => count(least),
        ValueType::FlagOrCount => json!({ "anyOf": [{ "type": "boolean" }, count(0)] }),
        ValueType::CountOrShare => {
            json!({ "anyOf": [count(0), { "type": "string", "pattern": SHARE }] })
        }
        ValueType::Regions => json!({ "anyOf": [
            {
                "type": "array",
                "items": { "type": "string", "pattern": SLUG, "maxLength": 32 },
                "minItems": 1,
                "uniqueItems": true,
            },
            {
                "type": "object",
                "propertyNames": { "pattern": SLUG, "maxLength": 32 },
                "additionalProperties": count(0),
                "minProperties": 1,
            },
        ] }),
        ValueType::Duration => json!({ "anyOf": [
            { "type": "string", "pattern": DURATION },
            { "type": "number", "minimum": 0 },
        ] }),
        ValueType::Timeout => json!({ "anyOf": [
            { "type": "string", "pattern": DURATION },
            { "type": "number", "exclusiveMinimum": 0 },
        ] }),
        ValueType::Limit => {
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": u32::MAX })
        }
        ValueType::RegionOrder => json!({
            "type": "array",
            "items": { "type": "string", "pattern": REGION_OR_OTHERS, "maxLength": 32 },
            "minItems": 1,
            "uniqueItems": true,
        }),
        ValueType::Group => group(),
        ValueType::Groups => groups(),
        ValueType::GroupLists => json!({ "type": "array", "items": groups(), "minItems": 1 }),
        ValueType::Release => json!({ "type": "integer", "minimum": 1, "maximum": MAX_RELEASE }),
        ValueType::Machine => json!({ "type": "string", "pattern": SLUG, "maxLength": 64 }),
        ValueType::Table(path) => table_schema(table_at(path)),
        ValueType::Named(path) => json!({
            "type": "object",
            "propertyNames": { "minLength": 1, "maxLength": 100 },
            "additionalProperties": table_schema(table_at(path)),
        }),
        ValueType::List(path) => json!({ "type": "array", "items": table_schema(table_at(path)) }),
    }
}

fn groups() -> Value {
    json!({ "type": "array", "items": group(), "minItems": 1 })
}

fn group() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 100 })
}

fn table_at(path: &str) -> &'static AeroformTable {
    table(path).expect("a key names a table of the list")
}
