//! Decides which values of a config are hidden in every output (rule 37).
//!
//! It decides by names ([`name`]) and by patterns in texts ([`patterns`]); it hashes and prints nothing.

mod issuers;
pub mod name;
pub mod patterns;
mod value;

use serde_json::Value;

use super::digest::HIDDEN_PREFIX;
use crate::core::scrub;

pub use name::is_secret_name;

/// The replacement for a hidden value.
pub const HIDDEN: &str = "(hidden)";

/// Whether a text is or contains a recognisable secret: a hidden value, a private key, a token with an
/// issuer's prefix, a URL with a password, a secret flag with its value, or this process's own token.
pub fn text_has_secret(text: &str) -> bool {
    text.starts_with(HIDDEN_PREFIX) || patterns::has_secret(text) || scrub::contains_token(text)
}

/// Whether the value of a variable looks like a secret written into a file.
pub fn is_cleartext_secret(name: &str, value: &str) -> bool {
    value::is_secret(name::classify_name(name), value) || patterns::has_secret(value)
}

/// Replaces every secret value in a config or a part of one, at any depth: variables, file contents, headers,
/// and texts with recognisable secrets. `with` gets the name and the value.
pub fn replace_secrets(value: &mut Value, with: &mut impl FnMut(&str, &str) -> String) {
    replace_under("", value, with);
}

fn replace_under(under: &str, value: &mut Value, with: &mut impl FnMut(&str, &str) -> String) {
    match value {
        Value::String(text) if text_has_secret(text) => *text = with(under, text),
        Value::Array(items) => {
            let words = items.iter().map(|item| item.as_str().unwrap_or_default());
            let announced = patterns::announced_words(words);
            for (item, is_secret) in items.iter_mut().zip(announced) {
                match item {
                    Value::String(text) if is_secret => *text = with(under, text),
                    item => replace_under(under, item, with),
                }
            }
        }
        Value::Object(map) => {
            let header = map.get("name").and_then(Value::as_str).map(str::to_owned);
            for (key, child) in map {
                match (key.as_str(), child) {
                    ("raw_value", Value::String(text)) => *text = with("raw_value", text),
                    ("env", Value::Object(env)) => {
                        for (name, child) in env {
                            match child {
                                Value::String(text)
                                    if is_secret_name(name) || text_has_secret(text) =>
                                {
                                    *text = with(name, text);
                                }
                                child => replace_under(name, child, with),
                            }
                        }
                    }
                    ("values", Value::Array(values))
                        if header.as_deref().is_some_and(is_secret_name) =>
                    {
                        let name = header.as_deref().unwrap_or_default();
                        for child in values {
                            if let Value::String(text) = child {
                                *text = with(name, text);
                            }
                        }
                    }
                    (_, child) => replace_under(key, child, with),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_looking_values() {
        assert!(text_has_secret("redis://:hunter2@cache:6379/0"));
        assert!(text_has_secret("https://ana:hunter2@example.com"));
        for text in [
            "FlyV1 fm2_lJPECAAAAAAAAAAA",
            "fo1_abcdefghijklmnopqrstuvwxyz",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "sk_live_abcdefghijklmnopqrst",
            "AKIAIOSFODNN7EXAMPLE",
            " -----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n",
        ] {
            assert!(text_has_secret(text), "{text}");
        }
        for text in [
            "fm2_short",
            "AKIA-is-no-key-at-all",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "https://example.com/a:b@c",
            "ana:hunter2",
            "redis://cache:6379",
            "",
        ] {
            assert!(!text_has_secret(text), "{text}");
        }
    }
}
