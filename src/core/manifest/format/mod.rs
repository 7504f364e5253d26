//! Parses manifests: TOML, and JSON and YAML as in flyctl.
//!
//! The file's suffix selects the format, as in flyctl. No format may be nested so deeply that traversing the tree could
//! exhaust the stack.

mod json;
mod toml;
mod toml_errors;
mod yaml;
mod yaml_scalar;

use std::ops::Range;
use std::path::Path;

use super::codes;
use super::diagnostics::Diagnostic;
use super::nesting;
use super::tree::ManifestFile;
use super::value::{Node, Table, Value};

/// The format of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Json,
    Yaml,
}

impl Format {
    pub(super) fn of(path: &str) -> Self {
        match Path::new(path).extension().and_then(|ext| ext.to_str()) {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some(_) | None => Self::Toml,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }
}

/// The tree of a file; none after a syntax error, which is reported.
pub(super) fn parse<'f>(file: &'f ManifestFile<'_>) -> Option<Table<'f>> {
    let text = &*file.source.text;
    let format = Format::of(file.source.path);
    if format != Format::Yaml
        && let Some(span) = nesting::find_too_deep(text)
    {
        report_too_deep(file, span);
        return None;
    }
    let root = match format {
        Format::Toml => return toml::parse(file, text),
        Format::Json => json::parse(file, text)?,
        Format::Yaml => yaml::parse(file, text)?,
    };
    table(file, root)
}

/// The content of the file; an empty file is an empty table.
fn table<'t>(file: &ManifestFile<'_>, root: Node<'t>) -> Option<Table<'t>> {
    let span = root.span();
    match root.into_value() {
        Value::Table(table) => Some(table),
        Value::Null => Some(Table::default()),
        other => {
            if toml_errors::is_conflict_marker(file.source.line_text(1)) {
                file.report(toml_errors::conflict(file, span));
                return None;
            }
            let message = format!("the file must be a table, not {}", other.kind());
            file.report(
                Diagnostic::error(codes::WRONG_TYPE, message)
                    .with_location(file.location(span, "")),
            );
            None
        }
    }
}

fn report_too_deep(file: &ManifestFile<'_>, span: Range<usize>) {
    file.report(
        Diagnostic::error(codes::TOO_DEEP, "the file is nested too deeply")
            .with_location(file.location(span, "too many levels")),
    );
}

/// Reports a syntax error.
fn report_syntax(file: &ManifestFile<'_>, span: Range<usize>, why: &str) {
    let line = file.source.line_text(file.source.line(span.start));
    if toml_errors::is_conflict_marker(line) {
        file.report(toml_errors::conflict(file, span));
        return;
    }
    let format = Format::of(file.source.path).name();
    let message = format!("the file is not valid {format}: {why}");
    file.report(Diagnostic::error(codes::SYNTAX, message).with_location(file.location(span, "")));
}

/// A repeated key.
fn duplicate_key(
    file: &ManifestFile<'_>,
    key: &str,
    first: Range<usize>,
    second: Range<usize>,
) -> Diagnostic {
    let key = super::diagnostics::quote_text(key);
    Diagnostic::error(codes::DUPLICATE_KEY, format!("key {key} is defined twice"))
        .with_location(file.location(second, "again here"))
        .with_related(file.location(first, "first here"))
        .help("keep one of the two")
}
