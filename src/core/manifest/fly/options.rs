//! The options of a port: `http_options`, `tls_options`, `proxy_proto_options`. flyctl knows their keys and
//! drops every other one.

use serde_json::{Map, Value};

use super::super::fields::Fields;
use super::super::value::{Node, Value as Written};

/// What an option takes.
#[derive(Clone, Copy)]
enum Takes {
    Boolean,
    Number,
    Text,
    Texts,
    /// Values of any type by a name of the author's.
    Names,
    Table(&'static [Option_]),
    Tables(&'static [Option_]),
}

/// An option and what it takes.
type Option_ = (&'static str, Takes);

const RESPONSE: &[Option_] = &[("headers", Takes::Names), ("pristine", Takes::Boolean)];

const REPLAY_CACHE: &[Option_] = &[
    ("path_prefix", Takes::Text),
    ("ttl_seconds", Takes::Number),
    ("type", Takes::Text),
    ("name", Takes::Text),
    ("allow_bypass", Takes::Boolean),
];

const HTTP: &[Option_] = &[
    ("compress", Takes::Boolean),
    ("h2_backend", Takes::Boolean),
    ("idle_timeout", Takes::Number),
    ("headers_read_timeout", Takes::Number),
    ("response", Takes::Table(RESPONSE)),
    ("replay_cache", Takes::Tables(REPLAY_CACHE)),
];

const TLS: &[Option_] = &[
    ("alpn", Takes::Texts),
    ("versions", Takes::Texts),
    ("default_self_signed", Takes::Boolean),
];

const PROXY_PROTO: &[Option_] = &[("version", Takes::Text)];

/// `http_options` as JSON.
pub(super) fn http(fields: &mut Fields<'_, '_>) -> Option<Value> {
    table(fields, "http_options", HTTP)
}

/// `tls_options` as JSON.
pub(super) fn tls(fields: &mut Fields<'_, '_>) -> Option<Value> {
    table(fields, "tls_options", TLS)
}

/// `proxy_proto_options` as JSON.
pub(super) fn proxy_proto(fields: &mut Fields<'_, '_>) -> Option<Value> {
    table(fields, "proxy_proto_options", PROXY_PROTO)
}

fn table(fields: &mut Fields<'_, '_>, key: &'static str, options: &[Option_]) -> Option<Value> {
    let below = fields.table(key)?;
    Some(read(below, options))
}

fn read(mut fields: Fields<'_, '_>, options: &[Option_]) -> Value {
    let mut object = Map::new();
    for (key, takes) in options {
        let value = match takes {
            Takes::Boolean => fields.boolean(key).map(Value::from),
            Takes::Number => fields.integer(key, 0..u32::MAX).map(|at| at.value.into()),
            Takes::Text => fields.string(key).map(|at| at.value.into()),
            Takes::Texts => fields.strings(key).map(|list| {
                let texts = list.into_iter().map(|at| Value::from(at.value));
                texts.collect()
            }),
            Takes::Names => fields.table(key).map(|names| {
                let entries = names.entries().into_iter();
                entries
                    .map(|(name, _, node)| (name.to_owned(), json(node)))
                    .collect::<Map<_, _>>()
                    .into()
            }),
            Takes::Table(options) => table(&mut fields, key, options),
            Takes::Tables(options) => fields.has(key).then(|| {
                let tables = fields.tables(key).into_iter();
                tables.map(|table| read(table, options)).collect()
            }),
        };
        if let Some(value) = value {
            object.insert((*key).to_owned(), value);
        }
    }
    fields.finish();
    Value::Object(object)
}

fn json(node: &Node<'_>) -> Value {
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

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

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
