//! TOML, parsed by the crate `toml` and converted to our tree.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::tree::ManifestFile;
use super::super::value::{Node, Number, Table, Value};
use super::toml_errors;

pub(super) fn parse<'t>(file: &ManifestFile<'_>, text: &'t str) -> Option<Table<'t>> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(table(tree.into_inner()));
    }
    toml_errors::report(file, &errors);
    None
}

fn table(tree: DeTable<'_>) -> Table<'_> {
    let mut table = Table::default();
    for (key, value) in tree {
        let span = key.span();
        table.insert(key.into_inner(), span, node(value));
    }
    table
}

fn node(value: Spanned<DeValue<'_>>) -> Node<'_> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text),
        DeValue::Integer(integer) => {
            Value::Integer(Number::new(integer.as_str().to_owned(), integer.radix()))
        }
        DeValue::Float(float) => Value::Float(Number::new(float.as_str().to_owned(), 10)),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(time) => Value::Datetime(time.to_string()),
        DeValue::Array(items) => Value::Array(items.into_iter().map(node).collect()),
        DeValue::Table(tree) => Value::Table(table(tree)),
    };
    Node::new(value, span)
}
