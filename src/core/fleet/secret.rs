//! Which values of a config are kept out of every output (RULES 37).
//!
//! Names decide, and the form of a value where it gives it away. Nothing here hashes or prints.

use serde_json::Value;

use super::digest::HIDDEN_PREFIX;

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "(hidden)";

/// Whether the value of a variable or header of this name is kept out of every output.
pub fn hides(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "PRIVATE",
        "APIKEY",
        "DSN",
        "DATABASE_URL",
        "AUTHORIZATION",
        "COOKIE",
    ];
    let name = name.to_ascii_uppercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word))
        || name
            .split('_')
            .any(|part| matches!(part, "KEY" | "PASS" | "PWD" | "AUTH" | "SALT" | "CERT"))
        || name.ends_with("_URI") && name.contains("DATABASE")
        || name == "REDIS_URL"
        || name == "MONGO_URL"
}

/// How secrets begin whose issuer marks them: Fly's tokens, those of forges, payment, chat and clouds.
const MARKS: [&str; 20] = [
    "FlyV1 ",
    "fm1_",
    "fm1a_",
    "fm1r_",
    "fm2_",
    "fo1_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk_live_",
    "rk_live_",
    "sk-ant-",
    "sk-proj-",
    "xoxb-",
    "xoxp-",
    "xapp-",
];

/// A mark with less behind it is the beginning of a word.
const SHORTEST_MARKED: usize = 20;

/// Whether a text is a secret by its form: a hidden value, a private key, a token that its issuer marks, or
/// an address with a password in it.
pub fn in_text(text: &str) -> bool {
    let text = text.trim();
    let marked = text.len() >= SHORTEST_MARKED
        && (MARKS.iter().any(|mark| text.starts_with(mark)) || is_cloud_key(text));
    let private_key = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    if marked || private_key {
        return true;
    }
    let password = text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':'))
    });
    password || text.starts_with(HIDDEN_PREFIX)
}

/// The id of an access key of AWS, beside which its secret half tends to stand.
fn is_cloud_key(text: &str) -> bool {
    text.len() == 20
        && ["AKIA", "ASIA"].iter().any(|mark| text.starts_with(mark))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Puts something else in the place of every secret value in a config or a part of one, at any depth:
/// variables, the content of files, headers. `with` gets the name that gives it away and the value.
pub fn replace(value: &mut Value, with: &mut impl FnMut(&str, &str) -> String) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
        Value::Object(map) => {
            let header = map.get("name").and_then(Value::as_str).map(str::to_owned);
            for (key, child) in map {
                match (key.as_str(), child) {
                    ("raw_value", Value::String(text)) => *text = with("raw_value", text),
                    ("env", Value::Object(env)) => {
                        for (name, child) in env {
                            match child {
                                Value::String(text) if hides(name) || in_text(text) => {
                                    *text = with(name, text);
                                }
                                child => replace(child, with),
                            }
                        }
                    }
                    ("values", Value::Array(values)) => {
                        let Some(name) = header.as_deref().filter(|name| hides(name)) else {
                            continue;
                        };
                        for child in values {
                            if let Value::String(text) = child {
                                *text = with(name, text);
                            }
                        }
                    }
                    (_, child) => replace(child, with),
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
    fn secret_looking_names() {
        for name in [
            "API_TOKEN",
            "db_password",
            "STRIPE_KEY",
            "SECRET_KEY_BASE",
            "DATABASE_URL",
            "Authorization",
            "X-Api-Key",
        ] {
            assert!(hides(name), "{name}");
        }
        for name in [
            "PORT",
            "RAILS_ENV",
            "LOG_LEVEL",
            "MONKEY",
            "PRIMARY_REGION",
            "BASE_URL",
            "X-Forwarded-Proto",
        ] {
            assert!(!hides(name), "{name}");
        }
    }

    #[test]
    fn secret_looking_values() {
        assert!(in_text("redis://:hunter2@cache:6379/0"));
        assert!(in_text("https://ana:hunter2@example.com"));
        for text in [
            "FlyV1 fm2_lJPECAAAAAAAAAAA",
            "fo1_abcdefghijklmnopqrstuvwxyz",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "sk_live_abcdefghijklmnopqrst",
            "AKIAIOSFODNN7EXAMPLE",
            " -----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n",
        ] {
            assert!(in_text(text), "{text}");
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
            assert!(!in_text(text), "{text}");
        }
    }
}
