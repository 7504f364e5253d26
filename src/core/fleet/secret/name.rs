//! What the name of a variable, flag, header or field says about its value.

/// What a name says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameHint {
    /// The value is a secret, unless it clearly is not one.
    Secret,
    /// The value may be a secret; the value itself decides.
    Possible,
    /// Nothing.
    Unrelated,
}

/// Whether every value of a variable or header of this name is hidden.
pub fn is_secret_name(name: &str) -> bool {
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

/// Classifies a name.
pub fn classify_name(name: &str) -> NameHint {
    if name.is_empty() || name.len() > 80 {
        return NameHint::Unrelated;
    }
    let words = split_words(name);
    let Some(last) = words
        .iter()
        .rev()
        .find(|word| !word.bytes().all(|b| b.is_ascii_digit()))
    else {
        return NameHint::Unrelated;
    };
    let before = words.iter().rev().skip_while(|word| *word != last).nth(1);
    let before = before.map(String::as_str).unwrap_or_default();
    let last = last.as_str();
    let is_secret = match last {
        "PASSWORD" | "PASSWD" | "PASSPHRASE" | "SECRET" | "SECRETS" | "TOKEN" | "CREDENTIAL"
        | "CREDENTIALS" | "APIKEY" | "PASSCODE" | "AUTHTOKEN" | "ACCESSTOKEN" | "SECRETKEY"
        | "ACCESSKEY" | "PRIVATEKEY" | "PASS" | "PWD" | "AUTHORIZATION" => true,
        "KEY" => matches!(
            before,
            "API"
                | "ACCESS"
                | "SECRET"
                | "PRIVATE"
                | "MASTER"
                | "ENCRYPTION"
                | "SIGNING"
                | "LICENSE"
                | "LICENCE"
        ),
        // Rails: `SECRET_KEY_BASE`.
        "BASE" => before == "KEY",
        _ => last.ends_with("PASSWORD") || last.ends_with("TOKEN") && last.len() > 5,
    };
    if is_secret {
        NameHint::Secret
    } else if is_secret_name(&words.join("_")) {
        NameHint::Possible
    } else {
        NameHint::Unrelated
    }
}

/// Splits `apiKey`, `api-key`, `API_KEY` and `db.api.key` into the same words.
fn split_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        let begins =
            matches!(c, '_' | '-' | '.') || c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words
                .last_mut()
                .expect("there is one")
                .push(c.to_ascii_uppercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
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
            assert!(is_secret_name(name), "{name}");
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
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_says_secret_perhaps_or_nothing() {
        for (name, what) in [
            ("API_TOKEN", NameHint::Secret),
            ("apiKey", NameHint::Secret),
            ("x-api-key", NameHint::Secret),
            ("API_KEY_2", NameHint::Secret),
            ("PGPASSWORD", NameHint::Secret),
            ("SECRET_KEY_BASE", NameHint::Secret),
            ("WORKER_QUEUE_KEY", NameHint::Possible),
            ("AUTH_BACKEND", NameHint::Possible),
            ("TOKEN_TTL", NameHint::Possible),
            ("SECRET_NAME", NameHint::Possible),
            ("PORT", NameHint::Unrelated),
            ("", NameHint::Unrelated),
        ] {
            assert_eq!(classify_name(name), what, "{name}");
        }
    }
}
