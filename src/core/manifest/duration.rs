//! Durations of fly.toml: strings with units, and numbers whose unit depends on the key.

use crate::core::fleet::normalise::{format_duration, parse_duration};

use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::fields::Fields;
use super::format::Format;
use super::tree::Located;
use super::value::{Node, Value};

/// The unit of a plain number (docs/platform/fly-toml.md 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberUnit {
    /// `kill_timeout`.
    Seconds,
    /// Checks of `[[services]]` and `[checks]`.
    Milliseconds,
    /// All keys that flyctl does not patch; rarely intended.
    Nanoseconds,
}

impl Fields<'_, '_> {
    /// A duration in nanoseconds; an empty string is none.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        number: NumberUnit,
    ) -> Option<Located<u64>> {
        let node = self.take(key)?;
        // Where flyctl does not patch old syntax, Go reads the value.
        let number = if self.patches(key) {
            number
        } else {
            NumberUnit::Nanoseconds
        };
        let patched = number != NumberUnit::Nanoseconds;
        let nanos = match node.get_ref() {
            Value::String(text) if text.is_empty() && patched => return None,
            Value::Integer(integer) if patched && self.file.format() == Format::Yaml => {
                self.number_in_yaml(key, node, integer.as_str(), number);
                return None;
            }
            Value::String(text) => self.read_duration(key, node, text),
            Value::Integer(integer) => {
                let nanos = integer.as_i64().and_then(|value| scaled(value, number));
                if nanos.is_none() {
                    let text = quote_text(integer.as_str());
                    let message = format!("`{}` cannot be {text}", self.path(key));
                    self.file.bad_value(node.span(), message, None);
                }
                nanos.inspect(|nanos| self.warn_nanoseconds(key, node, number, *nanos))
            }
            Value::Float(float) if number != NumberUnit::Nanoseconds => {
                let unit = if number == NumberUnit::Seconds {
                    "s"
                } else {
                    "ms"
                };
                let nanos = parse_duration(&format!("{}{unit}", float.as_str()));
                if nanos.is_none() {
                    let text = quote_text(float.as_str());
                    let message = format!("`{}` cannot be {text}", self.path(key));
                    self.file.bad_value(node.span(), message, None);
                }
                nanos
            }
            Value::Null
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => {
                let path = self.path(key);
                self.file.wrong_type(&path, node, "a duration like \"10s\"");
                None
            }
        };
        Some(Located::new(nanos?, node.span()))
    }

    /// flyctl patches numbers of TOML and JSON; those of YAML have another type in Go.
    fn number_in_yaml(&self, key: &str, node: &Node<'_>, text: &str, number: NumberUnit) {
        let unit = if number == NumberUnit::Seconds {
            "s"
        } else {
            "ms"
        };
        let message = format!(
            "flyctl ignores a whole number in `{}` of a YAML file: no time is set",
            self.path(key)
        );
        self.file.report(
            Diagnostic::warning(codes::NUMBER_IGNORED, message)
                .with_location(self.file.location(node.span(), ""))
                .help(format!("give it a unit: `{key}: \"{text}{unit}\"`")),
        );
    }

    fn read_duration(&self, key: &str, node: &Node<'_>, text: &str) -> Option<u64> {
        let nanos = parse_duration(text);
        if nanos.is_none() {
            let message = format!(
                "`{}`: {} is not a duration",
                self.path(key),
                quote_text(text)
            );
            let help = if text.is_empty() {
                "remove the key, or set a duration".to_owned()
            } else if text.bytes().all(|b| b.is_ascii_digit()) {
                format!("give it a unit: \"{text}s\"")
            } else {
                "write it like \"500ms\", \"10s\", \"1m30s\"".to_owned()
            };
            self.file.bad_value(node.span(), message, Some(help));
        }
        nanos
    }

    /// Warns of a plain number that Fly reads as nanoseconds.
    fn warn_nanoseconds(&self, key: &str, node: &Node<'_>, number: NumberUnit, nanos: u64) {
        if number != NumberUnit::Nanoseconds || nanos == 0 {
            return;
        }
        let path = self.path(key);
        self.file.report(
            Diagnostic::warning(
                codes::NANOSECONDS,
                format!(
                    "Fly reads a number in `{path}` as nanoseconds: this is {}",
                    format_duration(nanos)
                ),
            )
            .with_location(self.file.location(node.span(), ""))
            .help(format!(
                "give it a unit: `{key} = \"{}\"`",
                suggested_duration(nanos)
            )),
        );
    }
}

/// The probable unit of a number: milliseconds, as in Fly's docs, or a few seconds.
fn suggested_duration(number: u64) -> String {
    let unit = if number < 1000 {
        1_000_000_000
    } else {
        1_000_000
    };
    format_duration(number.saturating_mul(unit))
}

fn scaled(value: i64, number: NumberUnit) -> Option<u64> {
    let unit = match number {
        NumberUnit::Seconds => 1_000_000_000,
        NumberUnit::Milliseconds => 1_000_000,
        NumberUnit::Nanoseconds => 1,
    };
    // The maximum Go duration is 2^63 nanoseconds.
    let nanos = u64::try_from(value).ok()?.checked_mul(unit)?;
    i64::try_from(nanos).is_ok().then_some(nanos)
}

/// A duration in the platform's format.
pub(super) fn to_platform_text(Located { value, .. }: Located<u64>) -> String {
    format_duration(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn the_unit_of_a_number_depends_on_the_key() {
        for (value, number, nanos, says) in [
            (
                "\"1m30s\"",
                NumberUnit::Nanoseconds,
                Some(90_000_000_000),
                "",
            ),
            ("5", NumberUnit::Seconds, Some(5_000_000_000), ""),
            ("1.5", NumberUnit::Seconds, Some(1_500_000_000), ""),
            ("10000", NumberUnit::Milliseconds, Some(10_000_000_000), ""),
            (
                "10000",
                NumberUnit::Nanoseconds,
                Some(10_000),
                "this is 10µs",
            ),
            ("\"\"", NumberUnit::Seconds, None, ""),
            ("\"10\"", NumberUnit::Seconds, None, "is not a duration"),
            ("-5", NumberUnit::Seconds, None, "cannot be"),
            (
                "9223372036854775807",
                NumberUnit::Seconds,
                None,
                "cannot be",
            ),
            ("1e400", NumberUnit::Seconds, None, "cannot be"),
            ("true", NumberUnit::Seconds, None, "takes a duration"),
        ] {
            let (read, found) = fly_fields(&format!("d = {value}"), |fields| {
                fields.duration("d", number).map(|at| at.value)
            });
            assert_eq!(read, nanos, "{value} {number:?}");
            let messages: Vec<_> = found.iter().map(|d| d.message.as_str()).collect();
            assert_eq!(
                messages.len(),
                usize::from(!says.is_empty()),
                "{messages:?}"
            );
            assert!(messages.join(" ").contains(says), "{messages:?}");
        }
    }
}
