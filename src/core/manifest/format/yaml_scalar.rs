//! The type of a plain YAML scalar, as in Go's `yaml.v3`, which flyctl uses.
//!
//! The core schema with two old habits: `010` is octal, and underscores in numbers do not count.
//! `yes` and `on` are texts.

use std::borrow::Cow;

use super::super::value::{Number, Value};

/// The value of a scalar without quotes.
pub(super) fn plain(text: Cow<'_, str>) -> Value<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(Number::new("nan", 10)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            Value::Float(Number::new("inf", 10))
        }
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(Number::new("-inf", 10)),
        _ => number(&text)
            .or_else(|| time(&text))
            .unwrap_or(Value::String(text)),
    }
}

/// A scalar as a key; a list or a table is none.
pub(super) fn key_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A timestamp in one of the forms of Go's `yaml.v3`; UTC without a zone.
fn time(text: &str) -> Option<Value<'static>> {
    let mut parts = text.splitn(3, '-');
    let (year, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(year, 4, 4) || !digits(month, 1, 2) {
        return None;
    }
    let day_end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (day, clock) = rest.split_at(day_end);
    if !digits(day, 1, 2) {
        return None;
    }
    let date: jiff::civil::Date = format!("{year}-{month:0>2}-{day:0>2}").parse().ok()?;
    if clock.is_empty() {
        return Some(Value::Datetime(format!("{date}T00:00:00Z")));
    }
    let clock = clock.strip_prefix(['T', 't', ' '])?;
    let zone_at = clock.find(['Z', 'z', '+', '-']);
    let (time, zone) = clock.split_at(zone_at.unwrap_or(clock.len()));
    let parts: Vec<String> = time.split(':').map(|part| format!("{part:0>2}")).collect();
    let time = parts.join(":");
    let _: jiff::civil::Time = time.parse().ok().filter(|_| parts.len() == 3)?;
    let zone = if zone.is_empty() { "Z" } else { zone };
    Some(Value::Datetime(format!("{date}T{time}{zone}")))
}

fn number(text: &str) -> Option<Value<'static>> {
    let first = text.trim_start_matches(['+', '-']).bytes().next()?;
    if !(first.is_ascii_digit() || first == b'.') || text.starts_with('_') {
        return None;
    }
    let digits = text.replace('_', "");
    let (sign, rest) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let (radix, body) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &rest[2..]),
        [b'0', b'o' | b'O', ..] => (8, &rest[2..]),
        [b'0', b'b' | b'B', ..] => (2, &rest[2..]),
        [b'0', b'0'..=b'7', ..] if rest.bytes().all(|b| (b'0'..=b'7').contains(&b)) => {
            (8, &rest[1..])
        }
        _ => (10, rest),
    };
    if !body.is_empty() && body.chars().all(|c| c.is_digit(radix)) {
        return Some(Value::Integer(Number::new(format!("{sign}{body}"), radix)));
    }
    let is_float = radix == 10
        && body
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && body.parse::<f64>().is_ok();
    is_float.then(|| Value::Float(Number::new(format!("{sign}{body}"), 10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match plain(Cow::Borrowed(text)) {
            Value::Integer(number) => format!("{} base {}", number.as_str(), number.radix()),
            Value::Float(number) => format!("{} float", number.as_str()),
            other => other.kind().to_owned(),
        }
    }

    #[test]
    fn scalars_without_quotes_have_the_type_that_go_gives_them() {
        for (text, value) in [
            ("8080", "8080 base 10"),
            ("+8", "8 base 10"),
            ("-8", "-8 base 10"),
            ("0x1F", "1F base 16"),
            ("010", "10 base 8"),
            ("089", "089 base 10"),
            ("1_000", "1000 base 10"),
            ("1.5", "1.5 float"),
            (".5", ".5 float"),
            ("1e3", "1e3 float"),
            (".inf", "inf float"),
            ("1.2.3", "a string"),
            ("10s", "a string"),
            ("yes", "a string"),
            ("on", "a string"),
            ("-", "a string"),
            ("2024-01-01", "a date or time"),
            ("2024-1-1 7:30:00", "a date or time"),
            ("2024-1-1 7:30", "a string"),
            ("2024-01-01T07:30:00Z", "a date or time"),
            ("2024-01-01 07:30:00", "a date or time"),
            ("2024-13-01", "a string"),
            ("12:30", "a string"),
            ("True", "true or false"),
            ("~", "null"),
        ] {
            assert_eq!(read(text), value, "{text}");
        }
    }
}
