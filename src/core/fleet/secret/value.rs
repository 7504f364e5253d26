//! Whether a single value is a secret, by its name and its content.
//!
//! Placeholders, switches, numbers, paths, classes and functions are not secrets. [`super::name`] judges
//! names, [`super::patterns`] texts that contain a value.

use super::name::NameHint;

/// Whether a value is a secret, given what its name says.
pub(super) fn is_secret(says: NameHint, value: &str) -> bool {
    let plain = is_placeholder(value)
        || is_flag_or_number(value)
        || is_path_or_url(value)
        || is_identifier(value);
    match says {
        NameHint::Secret => value.len() >= 4 && !value.starts_with("--") && !plain,
        NameHint::Possible => !plain && is_random(value),
        NameHint::Unrelated => false,
    }
}

/// A placeholder that a shell, a template or a person fills in later.
pub(super) fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 10] = [
        "secret",
        "changeme",
        "change-me",
        "change_me",
        "todo",
        "dummy",
        "redacted",
        "bearer",
        "basic",
        "token",
    ];
    let lower = value.to_ascii_lowercase();
    let masked = value
        .chars()
        .all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '…' | '•'));
    masked
        || WORDS.contains(&lower.as_str())
        || lower.contains("placeholder")
        || lower.starts_with("your")
        || value.ends_with("...")
        // Already hidden; if words are judged one by one, the bracket may be separate.
        || value.starts_with("(hidden")
        || value.starts_with("(the token")
        || value.starts_with(['$', '<', '%', '@'])
        || value.contains("${")
        || value.contains("$(")
        || value.contains("{{")
        || value.starts_with('{') && value.ends_with('}')
}

/// A switch, a count or a measure.
fn is_flag_or_number(value: &str) -> bool {
    const WORDS: [&str; 12] = [
        "true", "false", "yes", "no", "on", "off", "none", "null", "enabled", "disabled", "auto",
        "default",
    ];
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    WORDS.contains(&value.to_ascii_lowercase().as_str())
        || value.parse::<f64>().is_ok()
        || value.len() - number.len() <= 3
            && !number.is_empty()
            && number.len() < 8
            && number.parse::<f64>().is_ok()
}

/// A path, file or URL; secrets inside a URL are found separately.
fn is_path_or_url(value: &str) -> bool {
    value.contains("://")
        || ["/", "./", "../", "~/"]
            .iter()
            .any(|lead| value.starts_with(lead))
        || value.contains('/') && !is_random(value)
        || value.rsplit_once('.').is_some_and(|(name, ending)| {
            let short =
                (1..=4).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphabetic());
            short && !name.is_empty() && !is_random(name)
        })
}

/// A class, module or function: words separated by `.`, `::` or `#`, or camel case.
fn is_identifier(value: &str) -> bool {
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !is_random(part)
    };
    let mut parts = value
        .split(['.', ':', '#'])
        .filter(|part| !part.is_empty())
        .peekable();
    let dotted = value.contains(['.', ':']) && parts.peek().is_some() && parts.all(is_word);
    let camel = is_word(value)
        && !value.contains(|c: char| c.is_ascii_digit())
        && value.starts_with(|c: char| c.is_ascii_uppercase())
        && value.contains(|c: char| c.is_ascii_lowercase())
        && value.chars().filter(char::is_ascii_uppercase).count() > 1;
    dotted || camel
}

/// Whether it looks randomly generated: mixed letters and digits.
pub(super) fn is_random(value: &str) -> bool {
    const SHORTEST: usize = 12;
    let of_it =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '.');
    if value.len() < SHORTEST || !value.chars().all(of_it) || is_uuid(value) {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    if digits == 0 || letters == 0 {
        // Base64 without a digit is rare and long.
        return false;
    }
    let is_hex = value
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    // Runs of one character class: long in words. A capital belongs to what follows it.
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 'a',
        b'A'..=b'Z' => 'A',
        b'0'..=b'9' => '0',
        _ => '-',
    };
    let kinds: Vec<char> = value
        .bytes()
        .map(kind)
        .filter(|kind| *kind != '-')
        .collect();
    let breaks = kinds
        .windows(2)
        .filter(|pair| pair[0] != pair[1] && *pair != ['A', 'a'])
        .count();
    let runs = breaks + 1;
    let apart = if is_hex {
        kinds.len() <= runs * 4
    } else {
        kinds.len() <= runs * 3
    };
    let pieces = value
        .split(['-', '_', '.'])
        .filter(|piece| !piece.is_empty())
        .count();
    apart && digits * 12 >= kinds.len() && kinds.len() >= pieces * 7
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
