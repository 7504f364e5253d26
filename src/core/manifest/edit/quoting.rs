//! Replaces keys and strings, keeping their quotes.

use super::toml_entries::{toml_key, toml_string};

/// A key with the quotes of the one that it replaces.
pub(super) fn key_like(old: &str, name: &str) -> String {
    match old.chars().next() {
        Some('\'') if !name.contains(['\'', '\n', '\r']) => format!("'{name}'"),
        Some('"') => quoted_double(name),
        _ => toml_key(name),
    }
}

/// A string with the quotes of the one that it replaces.
pub(super) fn string_like(old: &str, text: &str) -> String {
    let plain = !text.contains(['\'', '\n', '\r', '\t']);
    if old.starts_with('\'') && !old.starts_with("'''") && plain {
        format!("'{text}'")
    } else {
        quoted_double(text)
    }
}

fn quoted_double(text: &str) -> String {
    let plain = |c: char| c != '"' && c != '\\' && !c.is_control();
    if text.chars().all(plain) {
        format!("\"{text}\"")
    } else {
        toml_string(text)
    }
}
