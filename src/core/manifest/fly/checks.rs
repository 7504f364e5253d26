//! Checks: of services, and the top-level `[checks.NAME]` (docs/platform/fly-toml.md 4.5 and 5).

use crate::core::fleet::schema::{Check, Header};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, shown};
use super::super::duration::{Number, text};
use super::super::fields::Fields;
use super::super::tree::At;
use super::super::value::{Node, Value};
use super::environment;
use super::groups::For;
use super::plain;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// A top-level check with its name; its port may still have to be taken from `[http_service]`.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) check: Check,
}

/// Reads `[checks]`: a table by name, or the old list whose entries have a `name`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<For<Named>> {
    let file = fields.file;
    let Some(node) = fields.take("checks") else {
        return Vec::new();
    };
    if let (Value::Array(_), true) = (node.get_ref(), fields.patches("checks")) {
        let tables = file.tables("checks", node, false).into_iter();
        return tables
            .filter_map(|mut table| {
                let Some(name) = table.string("name") else {
                    let message = "an entry of `[[checks]]` needs a `name`";
                    let place = file.place(table.span.clone(), "");
                    file.report(Diagnostic::error(codes::MISSING_KEY, message).at(place));
                    return None;
                };
                Some(top_level(table.of_section("checks.*"), name.value))
            })
            .collect();
    }
    let Some(table) = file.table("checks", node) else {
        return Vec::new();
    };
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(name, _, value)| {
            let below = file
                .table(&table.path(name), value)?
                .below(fields, "checks");
            Some(top_level(below.of_section("checks.*"), name.to_owned()))
        })
        .collect()
}

fn top_level(mut fields: Fields<'_, '_>, name: String) -> For<Named> {
    let file = fields.file;
    let kind = fields.string("type");
    if kind
        .as_ref()
        .is_none_or(|kind| !matches!(kind.value.as_str(), "http" | "tcp"))
    {
        let span = kind
            .as_ref()
            .map_or(fields.span.clone(), |kind| kind.span.clone());
        file.report(
            Diagnostic::error(
                codes::BAD_CHECK,
                format!("check {} needs the type \"http\" or \"tcp\"", shown(&name)),
            )
            .at(file.place(span, ""))
            .help("add `type = \"http\"`"),
        );
    }
    let mut check = http_parts(&mut fields, Number::Milliseconds);
    if let Some(method) = &mut check.method {
        // flyctl upper-cases the method of these checks, and of no others.
        *method = method.to_uppercase();
    }
    let (interval, timeout, grace) = times(&mut fields, Number::Milliseconds);
    limit(&fields, &name, "interval", interval.as_ref(), |nanos| {
        nanos < 2 * SECOND
    });
    limit(&fields, &name, "timeout", timeout.as_ref(), |nanos| {
        nanos > MINUTE
    });
    let check = Check {
        r#type: kind.map(|kind| kind.value),
        interval: interval.map(text),
        timeout: timeout.map(text),
        grace_period: grace.map(text),
        ..check
    };
    let section = For::of(&mut fields, Named { name, check });
    fields.finish();
    section
}

/// flyctl refuses top-level checks beyond these limits.
fn limit(
    fields: &Fields<'_, '_>,
    name: &str,
    key: &str,
    value: Option<&At<u64>>,
    beyond: fn(u64) -> bool,
) {
    let Some(value) = value.filter(|at| beyond(at.value)) else {
        return;
    };
    let rule = if key == "interval" {
        "at least 2 seconds"
    } else {
        "at most 60 seconds"
    };
    let message = format!("the {key} of check {} has to be {rule}", shown(name));
    fields.file.bad_value(value.span.clone(), message, None);
}

/// The checks of a service under `key`, all of one type.
pub(super) fn of_service(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    kind: &'static str,
    number: Number,
) -> Vec<Check> {
    let tables = match number {
        Number::Milliseconds => fields.one_or_more(key),
        Number::Seconds | Number::Nanoseconds => fields.tables(key),
    };
    let checks = tables.into_iter().map(|mut table| {
        let check = if kind == "http" {
            http_parts(&mut table, number)
        } else {
            Check::default()
        };
        let (interval, timeout, grace) = times(&mut table, number);
        for (key, value) in [("interval", &interval), ("timeout", &timeout)] {
            clamped(&table, key, value.as_ref(), SECOND);
        }
        clamped(&table, "grace_period", grace.as_ref(), 1);
        table.finish();
        Check {
            r#type: Some(kind.to_owned()),
            interval: interval.map(text),
            timeout: timeout.map(text),
            grace_period: grace.map(text),
            ..check
        }
    });
    checks.collect()
}

/// The platform raises and lowers these times by itself, without a word.
fn clamped(fields: &Fields<'_, '_>, key: &str, value: Option<&At<u64>>, least: u64) {
    let Some(At { value, span }) = value else {
        return;
    };
    let (why, then) = match *value {
        0 if least == 1 => return,
        nanos if nanos < SECOND => ("less than 1 second", "raises it to 1 second"),
        nanos if nanos > MINUTE => ("more than 1 minute", "lowers it to 1 minute"),
        _ => return,
    };
    let message = format!("`{}` is {why}: Fly {then}", fields.path(key));
    let place = fields.file.place(span.clone(), "");
    fields
        .file
        .report(Diagnostic::warning(codes::CLAMPED, message).at(place));
}

type Times = (Option<At<u64>>, Option<At<u64>>, Option<At<u64>>);

fn times(fields: &mut Fields<'_, '_>, number: Number) -> Times {
    (
        fields.duration("interval", number),
        fields.duration("timeout", number),
        fields.duration("grace_period", number),
    )
}

fn http_parts(fields: &mut Fields<'_, '_>, number: Number) -> Check {
    Check {
        protocol: fields.word("protocol", &["http", "https"]),
        headers: headers(fields, number),
        ..plain::read(fields)
    }
}

/// The value of a header; where flyctl patches headers it prints what is no string.
fn value_of(fields: &Fields<'_, '_>, path: &str, node: &Node<'_>, patched: bool) -> Option<String> {
    let file = fields.file;
    if patched && !matches!(node.get_ref(), Value::Array(_) | Value::Table(_)) {
        return environment::printed(node, file.format());
    }
    Some(file.string(path, node)?.value)
}

/// `headers`: a table, or the old list of `{name, value}`, which flyctl patches where it patches numbers.
fn headers(fields: &mut Fields<'_, '_>, number: Number) -> Option<Vec<Header>> {
    let node = fields.take("headers")?;
    let path = fields.path("headers");
    let patched = number != Number::Nanoseconds && fields.patches("headers");
    if let (Value::Array(_), false) = (node.get_ref(), patched) {
        let message = format!("`{path}` takes a table, not a list");
        fields.file.report(
            Diagnostic::error(codes::WRONG_TYPE, message)
                .at(fields.file.place(node.span(), "a list"))
                .help("write it as `headers = { Name = \"value\" }`"),
        );
        return None;
    }
    let header = |name: String, value: String| Header {
        name: Some(name),
        values: Some(vec![value]),
        ..Header::default()
    };
    let mut headers: Vec<Header> = if let Value::Array(_) = node.get_ref() {
        let section = fields.section().map_or("", |section| section.path);
        let tables = fields.file.tables(&path, node, false).into_iter();
        let tables = tables.map(|table| match section {
            "checks.*" => table.of_section("checks.*.headers"),
            _ => table,
        });
        tables
            .filter_map(|mut table| {
                let name = table.string("name");
                let value = table.take("value");
                if name.is_none() && !table.has("name") {
                    let message = format!("an entry of `{path}` needs a `name`");
                    let place = fields.file.place(table.span.clone(), "");
                    let found = Diagnostic::error(codes::MISSING_KEY, message).at(place);
                    fields.file.report(found);
                }
                let value = match value {
                    Some(node) => value_of(fields, &table.path("value"), node, patched),
                    None => Some(String::new()),
                };
                table.finish();
                Some(header(name?.value, value?))
            })
            .collect()
    } else {
        let table = fields.file.table(&path, node)?;
        let entries = table.entries().into_iter();
        entries
            .filter_map(|(name, _, value)| {
                let value = value_of(fields, &table.path(name), value, patched)?;
                Some(header(name.to_owned(), value))
            })
            .collect()
    };
    // flyctl writes them in random order.
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    (!headers.is_empty()).then_some(headers)
}
