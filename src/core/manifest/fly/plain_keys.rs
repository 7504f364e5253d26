//! Keys whose values are copied into the config. The rows of the table of config fields define them with their types.
//! Keys with special rules are read before.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::core::fleet::schema::{FieldRow, FieldType, Form, Section, Table, Toml};

use super::super::fields::Fields;
use super::super::value::{Node, Value as Written};

/// The fields of a section that were not read yet.
pub(super) fn read<T: Section + DeserializeOwned>(fields: &mut Fields<'_, '_>) -> T {
    let tree = tree(fields, T::TABLE).into();
    serde_json::from_value(tree).expect("a row gives its field a value of its own type")
}

/// A table under this key, with only the keys of these rows.
pub(super) fn table(fields: &mut Fields<'_, '_>, key: &'static str, rows: &Table) -> Option<Value> {
    fields.table(key).map(|below| read_table(below, rows))
}

fn read_table(mut fields: Fields<'_, '_>, rows: &Table) -> Value {
    let tree = tree(&mut fields, rows);
    fields.report_unknown_keys();
    tree.into()
}

fn tree(fields: &mut Fields<'_, '_>, table: &Table) -> Map<String, Value> {
    let mut found = Map::new();
    for row in table.rows {
        let Toml::Key(key, Form::Plain) = row.spec.toml else {
            continue;
        };
        if fields.is_unread(key)
            && let Some(value) = value(fields, key, row)
        {
            found.insert(row.name.to_owned(), value);
        }
    }
    found
}

fn value(fields: &mut Fields<'_, '_>, key: &'static str, row: &FieldRow) -> Option<Value> {
    match row.kind() {
        FieldType::Flag => fields.boolean(key).map(Value::from),
        FieldType::Number(most) => {
            let beyond = u32::try_from(most).map_or(u32::MAX, |most| most.saturating_add(1));
            fields.integer(key, 0..beyond).map(|at| at.value.into())
        }
        FieldType::Text => fields.text(key).map(Value::from),
        FieldType::Texts => fields.strings(key).map(|list| {
            let texts = list.into_iter().map(|at| Value::from(at.value));
            texts.collect()
        }),
        FieldType::Section(inner) => table(fields, key, inner),
        FieldType::List(inner) => fields.has(key).then(|| {
            let tables = fields.tables(key).into_iter();
            tables.map(|table| read_table(table, inner)).collect()
        }),
        FieldType::Entries(_) | FieldType::TextMap => fields.table(key).map(|names| {
            let entries = names.entries().into_iter();
            entries
                .map(|(name, _, node)| (name.to_owned(), json(node)))
                .collect::<Map<_, _>>()
                .into()
        }),
        FieldType::Any => fields.take(key).map(json),
    }
}

fn json(node: &Node<'_>) -> Value {
    match node.get_ref() {
        Written::Null => Value::Null,
        Written::String(text) => Value::from(text.as_ref()),
        Written::Integer(integer) => integer
            .as_i64()
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

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;
    use crate::core::fleet::schema::{HttpOptions, ProxyProtoOptions, TlsOptions};

    fn http(fields: &mut Fields<'_, '_>) -> Option<Value> {
        table(fields, "http_options", HttpOptions::TABLE)
    }

    fn tls(fields: &mut Fields<'_, '_>) -> Option<Value> {
        table(fields, "tls_options", TlsOptions::TABLE)
    }

    fn proxy_proto(fields: &mut Fields<'_, '_>) -> Option<Value> {
        table(fields, "proxy_proto_options", ProxyProtoOptions::TABLE)
    }

    #[test]
    fn only_the_keys_that_flyctl_knows_are_sent_and_the_others_are_warned_about() {
        let text = "[http_options]\ncompres = true\nidle_timeout = 120\n\
            [http_options.response]\npristin = true\n[http_options.response.headers]\nx = 1\n";
        let (options, found) = fly_fields(text, http);
        let expected = serde_json::json!({"idle_timeout": 120, "response": {"headers": {"x": 1}}});
        assert_eq!(options, Some(expected));
        assert_eq!((found.errors(), found.warnings()), (0, 2));
    }

    #[test]
    fn an_option_of_another_type_is_refused() {
        for text in [
            "[http_options]\nidle_timeout = \"120s\"",
            "[http_options]\ncompress = \"yes\"",
            "[[http_options.replay_cache]]\nttl_seconds = \"3\"",
        ] {
            assert_eq!(fly_fields(text, http).1.errors(), 1, "{text}");
        }
        assert_eq!(
            fly_fields("[tls_options]\nalpn = \"h2\"", tls).1.errors(),
            1
        );
        let text = "[proxy_proto_options]\nversion = 2";
        assert_eq!(fly_fields(text, proxy_proto).1.errors(), 1);
    }
}
