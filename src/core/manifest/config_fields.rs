//! Generates docs/machine-config.md and the JSON Schema of a Machine's config from the table of fields.
//!
//! `machine_config`, the state file and the JSON of a plan use these fields.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::core::fleet::schema::{
    CONFIG, Effect, FieldRow, FieldType, Form, Owner, PlatformDefault, Spelling, Table, Toml,
};

const ABOUT: &str = "\
# Fields of a Machine's config

Every field of a Machine's config that Aeroform knows, printed from the code. These are the platform's names, used in
`machine_config`, the state file and the JSON of a plan; [fly-toml.md](fly-toml.md) has the keys of fly.toml.
A field that is not listed is kept unchanged at every level.

- **Owner**: *deploy* is replaced by `fly deploy` and by an apply, so values that no file sets are removed; *platform*
  is kept unless an apply sent it; *running* is kept even then.
- **Change**: what a change requires. *bookkeeping* fields are not compared.
- **Same**: values with the same meaning. *empty*: `false`, 0 and the empty string equal no field. A *default* is added by
  the platform: on a Machine it equals no value in the files.
";

/// The page.
pub fn page() -> String {
    let mut page = ABOUT.to_owned();
    section(&mut page, CONFIG, "The config", "");
    page
}

fn section(page: &mut String, table: &Table, title: &str, path: &str) {
    let mut write = |text: String| page.push_str(&text);
    write(format!("\n## {title}\n\n"));
    if !path.is_empty() {
        write(format!("{}\n\n", table.doc.trim()));
    }
    write("| field | type | owner | change | in fly.toml | same | |\n".to_owned());
    write("| --- | --- | --- | --- | --- | --- | --- |\n".to_owned());
    for row in table.rows {
        write(format!(
            "| `{}` | {} | {} | {} | {} | {} | {} |\n",
            row.name,
            type_text(row),
            owner_text(row),
            change_text(row),
            fly_toml_text(row),
            equivalent_text(row),
            row.doc.trim().replace('|', "\\|"),
        ));
    }
    for row in table.rows {
        let (inner, list) = match row.kind() {
            FieldType::Section(inner) => (inner, ""),
            FieldType::List(inner) => (inner, "[]"),
            FieldType::Entries(inner) => (inner, ".NAME"),
            FieldType::Flag
            | FieldType::Number(_)
            | FieldType::Text
            | FieldType::Texts
            | FieldType::TextMap
            | FieldType::Any => {
                continue;
            }
        };
        if !inner.rows.is_empty() {
            let path = format!("{path}{}{list}", row.name);
            section(page, inner, &format!("`{path}`"), &format!("{path}."));
        }
    }
}

fn type_text(row: &FieldRow) -> &'static str {
    match (row.kind(), row.spec.equals.spelling) {
        (_, Spelling::Duration | Spelling::Clamped(..)) => "duration",
        (FieldType::Flag, _) => "true or false",
        (FieldType::Number(_), _) => "number",
        (FieldType::Text, _) => "string",
        (FieldType::Texts, _) => "list of strings",
        (FieldType::TextMap, _) => "strings by name",
        (FieldType::Any, _) => "any value",
        (FieldType::Section(_), _) => "table",
        (FieldType::List(_), _) => "list of tables",
        (FieldType::Entries(_), _) => "tables by name",
    }
}

fn owner_text(row: &FieldRow) -> &'static str {
    match row.spec.owner {
        Owner::Deploy => "deploy",
        Owner::Platform => "platform",
        Owner::Running => "running",
    }
}

fn change_text(row: &FieldRow) -> &'static str {
    match row.spec.effect {
        Effect::Bookkeeping => "bookkeeping",
        Effect::InPlace => "in place",
        Effect::Replace => "another Machine",
    }
}

fn fly_toml_text(row: &FieldRow) -> String {
    match row.spec.toml {
        Toml::Nowhere => String::new(),
        Toml::Key(key, _) => format!("`{key}`"),
        Toml::InTable("", key, _) => format!("`{key}` at the top"),
        Toml::InTable(header, "", Form::Command) => format!("`{header}`, under the group's name"),
        Toml::InTable(header, key, _) => format!("`{key}` in `{header}`"),
        Toml::TableOfName(header) => format!("`{}` in `{header}`", row.name),
        Toml::Table(header) => format!("`{header}`"),
    }
}

fn equivalent_text(row: &FieldRow) -> String {
    let equals = row.spec.equals;
    let mut all: Vec<String> = Vec::new();
    if equals.empty_is_absent {
        all.push("empty".to_owned());
    }
    match equals.spelling {
        Spelling::AsIs => {}
        Spelling::Duration => all.push("`60s`, `1m0s`".to_owned()),
        Spelling::Clamped(..) => all.push("`60s`, `1m0s`; of a service at most 1m".to_owned()),
        Spelling::Image => all.push("with a digest: any tag".to_owned()),
        Spelling::AnyCase => all.push("any case".to_owned()),
        Spelling::Autostop => all.push("true, `stop`; false, `off`, none".to_owned()),
        Spelling::PersistRootfs => all.push("the word or its number".to_owned()),
    }
    if equals.any_order {
        all.push("any order".to_owned());
    }
    match equals.default {
        PlatformDefault::Nothing => {}
        PlatformDefault::Text(text) => all.push(format!("default `{text}`")),
        PlatformDefault::Number(number) => all.push(format!("default {number}")),
        PlatformDefault::OfService(key) => all.push(format!("default: the service's `{key}`")),
    }
    all.join("; ")
}

/// The JSON Schema of a config, as text. Other keys are allowed at every level.
pub fn schema() -> String {
    let mut schema = table_schema(CONFIG);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A Machine's config");
    let mut text = String::new();
    let pretty = serde_json::to_string_pretty(&schema).expect("a value of JSON is text");
    writeln!(text, "{pretty}").expect("a string takes any text");
    text
}

fn table_schema(table: &Table) -> Value {
    let fields = table.rows.iter();
    let fields = fields.map(|row| (row.name.to_owned(), row_schema(row)));
    let fields: Map<String, Value> = fields.collect();
    json!({"type": "object", "properties": fields})
}

/// The platform shows an absent field as `null`.
fn row_schema(row: &FieldRow) -> Value {
    let mut schema = match row.kind() {
        FieldType::Flag => json!({"type": ["boolean", "null"]}),
        FieldType::Number(most) => {
            json!({"type": ["integer", "null"], "minimum": 0, "maximum": most})
        }
        FieldType::Text => json!({"type": ["string", "null"]}),
        FieldType::Texts => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        FieldType::TextMap => {
            json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}})
        }
        FieldType::Any => json!({}),
        FieldType::Section(inner) => {
            let mut table = table_schema(inner);
            table["type"] = json!(["object", "null"]);
            table
        }
        FieldType::List(inner) => json!({"type": ["array", "null"], "items": table_schema(inner)}),
        FieldType::Entries(inner) if inner.rows.is_empty() => json!({"type": ["object", "null"]}),
        FieldType::Entries(inner) => {
            json!({"type": ["object", "null"], "additionalProperties": table_schema(inner)})
        }
    };
    schema["description"] = json!(row.doc.trim());
    schema
}
