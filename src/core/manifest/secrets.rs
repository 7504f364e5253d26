//! Warns of secrets anywhere in a manifest, except `[env]` of fly.toml, whose reader also checks names of variables.

use std::ops::Range;

use crate::core::fleet::secret::{self, patterns};

use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::tree::{Dialect, ManifestFile};
use super::value::{Node, Table, Value};

/// Warns of each key whose value is or contains a secret.
pub(super) fn warn_secrets(file: &ManifestFile<'_>, tree: &Table<'_>) {
    for (key, span, node) in tree.iter() {
        let has_reader = file.dialect != Dialect::Aeroform && key.eq_ignore_ascii_case("env");
        if !has_reader {
            scan_node(file, key, key, &span, node);
        }
    }
}

fn scan_node(file: &ManifestFile<'_>, path: &str, key: &str, span: &Range<usize>, node: &Node<'_>) {
    match node.get_ref() {
        Value::String(text) if is_secret(key, text) => warn_secret(file, path, span.clone()),
        Value::Array(items) => {
            let words = items
                .iter()
                .map(|item| item.get_ref().as_str().unwrap_or_default());
            let secret = patterns::secret_words(words);
            if secret.contains(&true) {
                warn_secret(file, path, span.clone());
            }
            for item in items {
                if item.get_ref().as_str().is_none() {
                    scan_node(file, path, key, span, item);
                }
            }
        }
        Value::Table(table) => {
            for (key, span, node) in table.iter() {
                scan_node(file, &format!("{path}.{key}"), key, &span, node);
            }
        }
        Value::Null
        | Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => {}
    }
}

fn is_secret(key: &str, text: &str) -> bool {
    match key {
        // The content of a file is often encoded and looks random.
        "raw_value" => !patterns::find_certain(text).is_empty(),
        // It is only the name of a secret.
        "secret_name" => patterns::has_secret(text),
        _ => secret::is_cleartext_secret(key, text) && !text.starts_with('$'),
    }
}

fn warn_secret(file: &ManifestFile<'_>, path: &str, span: Range<usize>) {
    let message = format!(
        "{} looks like or contains a secret, and anyone with this file can read it",
        quote_text(path)
    );
    // Quoting its line would print the secret again, in a log that others read.
    let location = file.location(span, "").with_excerpt("(hidden)");
    file.report(
        Diagnostic::warning(codes::SECRET_IN_TEXT, message)
            .with_location(location)
            .help("set it with `fly secrets set` and read it from the environment"),
    );
}
