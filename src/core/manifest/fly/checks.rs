//! Checks: of services, and the top-level `[checks.NAME]` (docs/platform/fly-toml.md 4.5 and 5).

use crate::core::fleet::schema::{Check, Header};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::duration::{NumberUnit, to_platform_text};
use super::super::fields::Fields;
use super::super::tree::Located;
use super::super::value::{Node, Value};
use super::environment;
use super::group_scope::GroupScoped;
use super::plain_keys;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// A top-level check with its name; without a port it uses that of `[http_service]`.
#[derive(Debug, Clone)]
pub(super) struct NamedCheck {
    pub(super) name: String,
    pub(super) check: Check,
}

/// Reads `[checks]`: a table by name, or the old list whose entries have a `name`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupScoped<NamedCheck>> {
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
                    let location = file.location(table.span.clone(), "");
                    file.report(
                        Diagnostic::error(codes::MISSING_KEY, message).with_location(location),
                    );
                    return None;
                };
                Some(top_level(table.with_section("checks.*"), name.value))
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
                .under_parent(fields, "checks");
            Some(top_level(below.with_section("checks.*"), name.to_owned()))
        })
        .collect()
}

fn top_level(mut fields: Fields<'_, '_>, name: String) -> GroupScoped<NamedCheck> {
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
                format!(
                    "check {} needs the type \"http\" or \"tcp\"",
                    quote_text(&name)
                ),
            )
            .with_location(file.location(span, ""))
            .help("add `type = \"http\"`"),
        );
    }
    let mut check = http_parts(&mut fields, NumberUnit::Milliseconds);
    if let Some(method) = &mut check.method {
        // flyctl upper-cases the method of these checks, and of no others.
        *method = method.to_uppercase();
    }
    let (interval, timeout, grace) = times(&mut fields, NumberUnit::Milliseconds);
    check_limit(&fields, &name, "interval", interval.as_ref(), |nanos| {
        nanos < 2 * SECOND
    });
    check_limit(&fields, &name, "timeout", timeout.as_ref(), |nanos| {
        nanos > MINUTE
    });
    let check = Check {
        r#type: kind.map(|kind| kind.value),
        interval: interval.map(to_platform_text),
        timeout: timeout.map(to_platform_text),
        grace_period: grace.map(to_platform_text),
        ..check
    };
    let section = GroupScoped::of(&mut fields, NamedCheck { name, check });
    fields.report_unknown_keys();
    section
}

/// flyctl rejects top-level checks beyond these limits.
fn check_limit(
    fields: &Fields<'_, '_>,
    name: &str,
    key: &str,
    value: Option<&Located<u64>>,
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
    let message = format!("the {key} of check {} must be {rule}", quote_text(name));
    fields.file.bad_value(value.span.clone(), message, None);
}

/// The checks of a service under `key`, all of one type.
pub(super) fn service_checks(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    kind: &'static str,
    number: NumberUnit,
) -> Vec<Check> {
    let tables = match number {
        NumberUnit::Milliseconds => fields.one_or_more(key),
        NumberUnit::Seconds | NumberUnit::Nanoseconds => fields.tables(key),
    };
    let checks = tables.into_iter().map(|mut table| {
        let check = if kind == "http" {
            http_parts(&mut table, number)
        } else {
            Check::default()
        };
        let (interval, timeout, grace) = times(&mut table, number);
        for (key, value) in [("interval", &interval), ("timeout", &timeout)] {
            warn_clamped(&table, key, value.as_ref(), SECOND);
        }
        warn_clamped(&table, "grace_period", grace.as_ref(), 1);
        table.report_unknown_keys();
        Check {
            r#type: Some(kind.to_owned()),
            interval: interval.map(to_platform_text),
            timeout: timeout.map(to_platform_text),
            grace_period: grace.map(to_platform_text),
            ..check
        }
    });
    checks.collect()
}

/// The platform silently clamps these times.
fn warn_clamped(fields: &Fields<'_, '_>, key: &str, value: Option<&Located<u64>>, least: u64) {
    let Some(Located { value, span }) = value else {
        return;
    };
    let (why, then) = match *value {
        0 if least == 1 => return,
        nanos if nanos < SECOND => ("less than 1 second", "raises it to 1 second"),
        nanos if nanos > MINUTE => ("more than 1 minute", "lowers it to 1 minute"),
        _ => return,
    };
    let message = format!("`{}` is {why}: Fly {then}", fields.path(key));
    let location = fields.file.location(span.clone(), "");
    fields
        .file
        .report(Diagnostic::warning(codes::CLAMPED, message).with_location(location));
}

type Times = (
    Option<Located<u64>>,
    Option<Located<u64>>,
    Option<Located<u64>>,
);

fn times(fields: &mut Fields<'_, '_>, number: NumberUnit) -> Times {
    (
        fields.duration("interval", number),
        fields.duration("timeout", number),
        fields.duration("grace_period", number),
    )
}

fn http_parts(fields: &mut Fields<'_, '_>, number: NumberUnit) -> Check {
    Check {
        protocol: fields.documented_word("protocol", &["http", "https"]),
        headers: headers(fields, number),
        ..plain_keys::read(fields)
    }
}

/// The value of a header; where flyctl patches headers it converts other types to strings.
fn value_of(fields: &Fields<'_, '_>, path: &str, node: &Node<'_>, patched: bool) -> Option<String> {
    let file = fields.file;
    if patched && !matches!(node.get_ref(), Value::Array(_) | Value::Table(_)) {
        return environment::go_print(node, file.format());
    }
    Some(file.string(path, node)?.value)
}

/// `headers`: a table, or the old list of `{name, value}`, which flyctl patches where it patches numbers.
fn headers(fields: &mut Fields<'_, '_>, number: NumberUnit) -> Option<Vec<Header>> {
    let node = fields.take("headers")?;
    let path = fields.path("headers");
    let patched = number != NumberUnit::Nanoseconds && fields.patches("headers");
    if let (Value::Array(_), false) = (node.get_ref(), patched) {
        let message = format!("`{path}` takes a table, not a list");
        fields.file.report(
            Diagnostic::error(codes::WRONG_TYPE, message)
                .with_location(fields.file.location(node.span(), "a list"))
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
            "checks.*" => table.with_section("checks.*.headers"),
            _ => table,
        });
        tables
            .filter_map(|mut table| {
                let name = table.string("name");
                let value = table.take("value");
                if name.is_none() && !table.has("name") {
                    let message = format!("an entry of `{path}` needs a `name`");
                    let location = fields.file.location(table.span.clone(), "");
                    let found =
                        Diagnostic::error(codes::MISSING_KEY, message).with_location(location);
                    fields.file.report(found);
                }
                let value = match value {
                    Some(node) => value_of(fields, &table.path("value"), node, patched),
                    None => Some(String::new()),
                };
                table.report_unknown_keys();
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
    // flyctl writes them in random order, so they are sorted.
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    (!headers.is_empty()).then_some(headers)
}
