//! The parts of a service: ports, load limits, autostop (docs/platform/fly-toml.md 4 and 13).

use std::ops::Range;

use serde_json::Value;

use crate::core::fleet::schema::{Concurrency, Port};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::value::Value as Written;
use super::plain_keys;

/// The handlers of Fly Proxy.
const HANDLERS: [&str; 5] = ["http", "tls", "pg_tls", "proxy_proto", "tcp"];

/// A port number; the old quoted form (`"8080"`) only in `[[services]]`, where flyctl patches it.
pub(super) fn port(fields: &mut Fields<'_, '_>, key: &'static str, quoted: bool) -> Option<u16> {
    let node = fields.take(key)?;
    let path = fields.path(key);
    let number = match node.get_ref() {
        Written::String(text) if quoted && fields.patches(key) => {
            let number = text.parse::<u16>().ok();
            if number.is_none() {
                let message = format!("`{path}`: {} is not a port", quote_text(text));
                fields.file.bad_value(node.span(), message, None);
            }
            return number;
        }
        _ => fields.file.integer(&path, node, 0..65536)?.value,
    };
    u16::try_from(number).ok()
}

/// The external ports of a `[[services]]`.
pub(super) fn ports(fields: &mut Fields<'_, '_>) -> Vec<(Port, Range<usize>)> {
    let tables = fields.one_or_more("ports");
    tables.into_iter().map(external).collect()
}

fn external(mut fields: Fields<'_, '_>) -> (Port, Range<usize>) {
    let node = fields.take("port").or_else(|| fields.take("start_port"));
    let location = node.map_or_else(|| fields.span.clone(), super::super::value::Node::span);
    let handlers = fields.strings("handlers");
    for handler in handlers.iter().flatten() {
        fields.warn_unknown_word("handlers", handler, &HANDLERS);
    }
    let port = Port {
        port: port(&mut fields, "port", true),
        start_port: port(&mut fields, "start_port", false),
        end_port: port(&mut fields, "end_port", false),
        handlers: handlers.map(|list| list.into_iter().map(|at| at.value).collect()),
        ..plain_keys::read(&mut fields)
    };
    if let (Some(first), Some(last)) = (port.start_port, port.end_port)
        && first > last
    {
        let message = format!("the port range from {first} to {last} is empty");
        let help = format!("write `start_port = {last}` and `end_port = {first}`");
        fields.file.bad_value(location.clone(), message, Some(help));
    }
    fields.report_unknown_keys();
    (port, location)
}

/// `concurrency`; the old form `"soft,hard"` only in `[[services]]`.
pub(super) fn concurrency(fields: &mut Fields<'_, '_>, quoted: bool) -> Option<Concurrency> {
    let node = fields.take("concurrency")?;
    let path = fields.path("concurrency");
    if let (Written::String(text), true) = (node.get_ref(), quoted && fields.patches("concurrency"))
    {
        let limits = text.split_once(',');
        let number = |text: &str| text.parse::<u32>().ok();
        let Some((soft, hard)) = limits.and_then(|(s, h)| Some((number(s)?, number(h)?))) else {
            let message = format!("`{path}`: {} is not `soft,hard`", quote_text(text));
            let help = "write two numbers without a space, or use [services.concurrency] with type, soft_limit and hard_limit";
            fields
                .file
                .bad_value(node.span(), message, Some(help.to_owned()));
            return None;
        };
        return Some(Concurrency {
            r#type: Some("requests".to_owned()),
            soft_limit: Some(soft),
            hard_limit: Some(hard),
            ..Concurrency::default()
        });
    }
    let mut table = fields.file.table(&path, node)?;
    let limits = Concurrency {
        r#type: table.documented_word("type", &["connections", "requests"]),
        ..plain_keys::read(&mut table)
    };
    table.report_unknown_keys();
    Some(limits)
}

/// `auto_stop_machines` as the platform expects it: false, true or `"suspend"`.
pub(super) fn autostop(fields: &mut Fields<'_, '_>) -> Option<Value> {
    const WORDS: [&str; 3] = ["off", "stop", "suspend"];
    let node = fields.take("auto_stop_machines")?;
    let path = fields.path("auto_stop_machines");
    match node.get_ref() {
        Written::Boolean(value) => Some(Value::from(*value)),
        Written::String(text) => match text.as_ref() {
            "off" => Some(Value::from(false)),
            "stop" => Some(Value::from(true)),
            "suspend" => Some(Value::from("suspend")),
            other => {
                let help = match other {
                    "true" | "false" => Some("remove the quotes".to_owned()),
                    other => fields.file.suggestion(other, WORDS),
                };
                let message = format!(
                    "`{path}` is \"off\", \"stop\" or \"suspend\", not {}",
                    quote_text(other)
                );
                fields.file.bad_value(node.span(), message, help);
                None
            }
        },
        other => {
            let found = other.kind();
            let words = "\"off\", \"stop\" or \"suspend\"";
            fields.file.report(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!("`{path}` takes {words}, not {found}"),
                )
                .with_location(fields.file.location(node.span(), found)),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn autostop_is_written_as_the_platform_writes_it() {
        for (text, wire) in [
            ("true", Some(Value::from(true))),
            ("false", Some(Value::from(false))),
            ("\"off\"", Some(Value::from(false))),
            ("\"stop\"", Some(Value::from(true))),
            ("\"suspend\"", Some(Value::from("suspend"))),
            ("\"on\"", None),
            ("1", None),
        ] {
            let (read, found) = fly_fields(&format!("auto_stop_machines = {text}"), autostop);
            assert_eq!(read, wire, "{text}");
            assert_eq!(found.errors(), usize::from(wire.is_none()), "{text}");
        }
    }

    #[test]
    fn options_of_a_port_are_carried_as_they_are_written() {
        let text = "[[ports]]\nport = 443\nstart_port = 100\nend_port = 200\n\
            tls_options = { alpn = [\"h2\"], default_self_signed = false }\n\
            [ports.http_options.response.headers]\nfly-request-id = false\nn = 1\nx = 1.5\n";
        let (ports, found) = fly_fields(text, ports);
        assert!(found.is_empty());
        let expected = serde_json::json!({
            "port": 443, "start_port": 100, "end_port": 200,
            "tls_options": {"alpn": ["h2"], "default_self_signed": false},
            "http_options": {"response": {"headers": {"fly-request-id": false, "n": 1, "x": 1.5}}}
        });
        assert_eq!(serde_json::to_value(&ports[0].0).unwrap(), expected);
    }

    #[test]
    fn quoted_numbers_are_for_services_only() {
        let read = |quoted| fly_fields("p = \"80\"", |f| port(f, "p", quoted));
        assert_eq!(read(true).0, Some(80));
        let (none, found) = read(false);
        assert_eq!((none, found.errors()), (None, 1));
    }
}
