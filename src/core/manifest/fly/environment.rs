//! `[env]`: variables of every group.

use std::collections::BTreeMap;

use super::super::fields::Fields;
use super::super::value::{Node, Value};

/// Reads the section. A value that is no string is printed as flyctl prints it, and a list of
/// tables, the form of long ago, is merged with later entries winning.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for table in fields.one_or_more("env") {
        for (key, _, value) in table.entries() {
            match printed(value) {
                Some(text) => {
                    env.insert(key.to_owned(), text);
                }
                None => table.file.wrong_type(&table.path(key), value, "a string"),
            }
        }
    }
    env
}

fn printed(node: &Node<'_>) -> Option<String> {
    Some(match node.get_ref() {
        Value::String(text) => text.clone().into_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(integer) => integer.whole()?.to_string(),
        Value::Float(float) => go_float(float.as_str().parse().ok()?),
        Value::Null | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => return None,
    })
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
    fn a_value_of_many_parts_is_refused() {
        let (_, found) = fly_fields("[env]\nA=[1]\nB={}\n", read);
        assert_eq!(found.errors(), 2);
    }
}
