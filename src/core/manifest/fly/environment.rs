//! `[env]`: variables of every group.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::secret;

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::format::Format;
use super::super::value::{Node, Value};

/// Reads the section. Other types than strings are printed as flyctl prints them. In the old form, a list of tables,
/// later entries override earlier ones.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for table in sections(fields) {
        table.warn_misplaced_keys();
        for (key, span, value) in table.entries() {
            if !table.patches_values() && value.get_ref().as_str().is_none() {
                let path = table.path(key);
                table.file.wrong_type(&path, value, "a string");
                continue;
            }
            match go_print(value, table.file.format()) {
                Some(text) => {
                    warn_variable(&table, key, span, value, &text);
                    env.insert(key.to_owned(), text);
                }
                None => report_invalid_value(&table, key, value),
            }
        }
    }
    env
}

/// One table, or a list of tables where flyctl patches it.
fn sections<'f, 't>(fields: &mut Fields<'f, 't>) -> Vec<Fields<'f, 't>> {
    if fields.patches("env") {
        return fields.one_or_more("env");
    }
    fields.table("env").into_iter().collect()
}

/// Warns of variables that Fly accepts but that are probably mistakes.
fn warn_variable(
    table: &Fields<'_, '_>,
    key: &str,
    span: Range<usize>,
    node: &Node<'_>,
    text: &str,
) {
    let file = table.file;
    if key.starts_with("FLY_") {
        let message = format!(
            "{}: names that begin with `FLY_` are reserved by Fly",
            quote_text(key)
        );
        file.report(
            Diagnostic::warning(codes::RESERVED_NAME, message)
                .with_location(file.location(span, "")),
        );
    } else if node.get_ref().as_str().is_some() && secret::is_cleartext_secret(key, text) {
        let message = format!(
            "{} looks like a secret, and anyone with this file can read it",
            quote_text(key)
        );
        // Quoting its line would print the secret again, in a log that others read.
        let location = file.location(span, "").with_excerpt("(hidden)");
        file.report(
            Diagnostic::warning(codes::SECRET_IN_ENV, message)
                .with_location(location)
                .help("set it with `fly secrets set` and remove this line"),
        );
    }
}

/// Reports a value that a variable cannot have.
fn report_invalid_value(table: &Fields<'_, '_>, key: &str, node: &Node<'_>) {
    let path = table.path(key);
    let Value::Integer(number) = node.get_ref() else {
        table.file.wrong_type(&path, node, "a string");
        return;
    };
    let message = format!("`{path}`: a number this large must be a string");
    let help = format!("write it in quotes: {key} = \"{}\"", number.as_str());
    table.file.bad_value(node.span(), message, Some(help));
}

/// A value as Go's `%v` prints it after parsing: every number of JSON is a float.
pub(super) fn go_print(node: &Node<'_>, format: Format) -> Option<String> {
    Some(match node.get_ref() {
        Value::String(text) => text.clone().into_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(number) if format == Format::Json => go_float(number.as_str().parse().ok()?),
        Value::Integer(number) => number.as_i64()?.to_string(),
        Value::Float(float) => go_float(float.as_str().parse().ok()?),
        Value::Datetime(text) => go_time(text),
        Value::Null | Value::Array(_) | Value::Table(_) => return None,
    })
}

/// A time with an offset as Go prints a `time.Time`; without one, as written.
fn go_time(text: &str) -> String {
    let Some((date, rest)) = text.split_once(['T', 't', ' ']) else {
        return text.to_owned();
    };
    let Some(at) = rest.find(['Z', 'z', '+', '-']) else {
        return format!("{date}T{rest}");
    };
    let (time, offset) = rest.split_at(at);
    let time = match time.split_once('.') {
        Some((whole, part)) => {
            let part = part.trim_end_matches('0');
            let dot = if part.is_empty() { "" } else { "." };
            format!("{whole}{dot}{part}")
        }
        None => time.to_owned(),
    };
    let zone = match offset {
        "Z" | "z" => "+0000 UTC".to_owned(),
        offset => {
            let digits = offset.replace(':', "");
            format!("{digits} {digits}")
        }
    };
    format!("{date} {time} {zone}")
}

/// A float as Go's `%v` prints it: the shortest digits that read back, with an exponent below 1e-4
/// and from 1e6 on.
fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn values_that_are_no_strings_are_printed_as_flyctl_prints_them() {
        let text = "[env]\nA=\"x\"\nB=8080\nC=true\nD=1.5\nE=1e6\nF=0x10\nG=1e-7\nH=123456.7\n";
        let (env, found) = fly_fields(text, read);
        let values: Vec<&str> = env.values().map(String::as_str).collect();
        assert_eq!(
            values,
            [
                "x", "8080", "true", "1.5", "1e+06", "16", "1e-07", "123456.7"
            ]
        );
        assert!(found.is_empty());
    }

    #[test]
    fn a_list_of_tables_is_merged_and_later_entries_win() {
        let (env, _) = fly_fields("[[env]]\nA=\"1\"\nB=\"1\"\n[[env]]\nB=\"2\"\n", read);
        assert_eq!(env["A"], "1");
        assert_eq!(env["B"], "2");
    }

    #[test]
    fn values_that_look_like_secrets_and_names_of_fly_are_reported() {
        for (text, warnings) in [
            ("API_TOKEN = \"sk_live_abcdef\"", 1),
            ("DATABASE_URL = \"postgres://u:p@h/db\"", 1),
            ("DATABASE_URL = \"sqlite:///data/x.db\"", 0),
            ("TOKEN_TTL = \"15m\"", 0),
            ("AUTH_ENABLED = true", 0),
            ("SECRET_KEY_BASE = \"$SECRET_KEY_BASE\"", 0),
            ("PASSWORD_FILE = \"/run/password\"", 0),
            ("FLY_REGION = \"ams\"", 1),
            ("LOG_LEVEL = \"information\"", 0),
            ("CACHE = \"redis://:hunter2@cache:6379/0\"", 1),
            ("CACHE = \"redis://:${PASSWORD}@cache:6379/0\"", 0),
            (
                "AUTH_BACKEND = \"django.contrib.auth.backends.ModelBackend\"",
                0,
            ),
            ("WORKER_QUEUE_KEY = \"jobs:default\"", 0),
            ("SESSION_COOKIE_SECURE = \"true\"", 0),
            ("AUTH_URL = \"https://auth.example.com/oauth/token\"", 0),
            ("SOMETHING = \"https://kjhGFd765@example.com\"", 1),
            ("DEPLOY = \"FlyV1 fm2_lJPECAAAAAAAAAAA\"", 1),
        ] {
            let (_, found) = fly_fields(&format!("[env]\n{text}\n"), read);
            assert_eq!(found.warnings(), warnings, "{text}");
        }
    }

    #[test]
    fn a_value_of_many_parts_is_refused() {
        let (_, found) = fly_fields("[env]\nA=[1]\nB={}\n", read);
        assert_eq!(found.errors(), 2);
    }
}
