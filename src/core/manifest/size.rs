//! Sizes of fly.toml: memory in binary units, volumes in decimal units (docs/platform/fly-toml.md 6.4 and 7.1).

use super::fields::Fields;
use super::tree::Located;
use super::value::Value;

impl Fields<'_, '_> {
    /// A size as text, from a string or a number; none if empty.
    pub(super) fn size(&mut self, key: &'static str, like: &str) -> Option<Located<String>> {
        let node = self.take(key)?;
        let text = match node.get_ref() {
            Value::String(text) => text.clone().into_owned(),
            Value::Integer(integer) if integer.radix() == 10 && self.patches(key) => {
                integer.as_str().to_owned()
            }
            _ => {
                let expected = format!("a size like \"{like}\"");
                self.file.wrong_type(&self.path(key), node, &expected);
                return None;
            }
        };
        (!text.is_empty()).then(|| Located::new(text, node.span()))
    }
}

/// Memory in MiB: a plain integer is MiB, units are powers of 1024, and less than one MiB is 0.
pub fn memory_mb(text: &str) -> Option<u32> {
    if let Ok(mb) = text.parse::<u32>() {
        return Some(mb);
    }
    to_whole(bytes(text, 1024.0)? / (1024.0 * 1024.0))
}

/// A volume's size in GB: a plain integer is GB, units are powers of 1000.
pub(super) fn gigabytes(text: &str) -> Option<u32> {
    if let Ok(gb) = text.parse::<u32>() {
        return Some(gb);
    }
    to_whole(bytes(text, 1000.0)? / 1e9)
}

/// `1.5gb`, `512 MiB`, `1k` in bytes.
fn bytes(text: &str, base: f64) -> Option<f64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = text[digits..]
        .strip_prefix(' ')
        .unwrap_or(&text[digits..])
        .to_ascii_lowercase();
    let letter = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit);
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some(number * base.powi(power))
}

fn to_whole(value: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the guard keeps it within u32, and what is behind the point is meant to go"
    )]
    (value <= f64::from(u32::MAX)).then_some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_in_powers_of_1024() {
        for (text, mb) in [
            ("512", Some(512)),
            ("512mb", Some(512)),
            ("1gb", Some(1024)),
            ("1.5GB", Some(1536)),
            ("2 GiB", Some(2048)),
            ("1024k", Some(1)),
            ("0.5", Some(0)),
            ("1tb", Some(1024 * 1024)),
            ("", None),
            ("gb", None),
            ("1xb", None),
            ("-1gb", None),
            ("99999999999pb", None),
        ] {
            assert_eq!(memory_mb(text), mb, "{text}");
        }
    }

    #[test]
    fn volumes_count_in_powers_of_1000() {
        for (text, gb) in [
            ("20", 20),
            ("20gb", 20),
            ("1tb", 1000),
            ("1500mb", 1),
            ("3GiB", 3),
        ] {
            assert_eq!(gigabytes(text), Some(gb), "{text}");
        }
    }
}
