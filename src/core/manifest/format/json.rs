//! JSON as flyctl reads it: nothing beyond the standard, and of two equal keys the last one applies.

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::super::diagnostics::Severity;
use super::super::tree::ManifestFile;
use super::super::value::{Node, Number, Table, Value};

/// The parser accepts extensions of JSON, unless they are turned off.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse<'t>(file: &ManifestFile<'_>, text: &'t str) -> Option<Node<'t>> {
    match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(result) => {
            if result.value.is_none() {
                super::report_syntax(file, 0..0, "it is empty");
            }
            result.value.map(|value| node(file, value))
        }
        Err(error) => {
            let range = error.range();
            let mut why = error.kind().to_string();
            why[..1].make_ascii_lowercase();
            super::report_syntax(file, range.start..range.end, &why);
            None
        }
    }
}

fn node<'t>(file: &ManifestFile<'_>, value: Ast<'t>) -> Node<'t> {
    let range = value.range();
    let value = match value {
        Ast::NullKeyword(_) => Value::Null,
        Ast::StringLit(text) => Value::String(text.value),
        Ast::NumberLit(number) if number.value.contains(['.', 'e', 'E']) => {
            Value::Float(Number::new(number.value, 10))
        }
        Ast::NumberLit(number) => Value::Integer(Number::new(number.value, 10)),
        Ast::BooleanLit(literal) => Value::Boolean(literal.value),
        Ast::Array(array) => {
            let items = array.elements.into_iter();
            Value::Array(items.map(|item| node(file, item)).collect())
        }
        Ast::Object(object) => {
            let mut table = Table::default();
            for property in object.properties {
                let range = property.name.range();
                let span = range.start..range.end;
                let key = match property.name {
                    ObjectPropName::String(text) => text.value,
                    ObjectPropName::Word(word) => word.value.into(),
                };
                let value = node(file, property.value);
                if let Some(first) = table.insert(key.clone(), span.clone(), value) {
                    let mut found = super::duplicate_key(file, &key, first, span);
                    found.severity = Severity::Warning;
                    found.message += ": Fly takes the last one";
                    file.report(found);
                }
            }
            Value::Table(table)
        }
    };
    Node::new(value, range.start..range.end)
}
