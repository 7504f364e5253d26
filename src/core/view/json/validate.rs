//! `validate --json`.

use serde::Serialize;

use crate::core::manifest;

/// What is wrong with the manifests.
#[derive(Debug, Serialize)]
pub struct ValidateDocument<'a> {
    format_version: u32,
    valid: bool,
    diagnostics: Vec<DiagnosticDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

impl ValidateDocument<'_> {
    /// The same counts for diagnostics beyond the listed ones.
    #[must_use]
    pub fn with_more(mut self, more: usize) -> Self {
        self.more = (more > 0).then_some(more);
        self
    }
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub struct DiagnosticDocument<'a> {
    /// How bad.
    pub severity: Severity,
    /// Stable code.
    pub code: &'a str,
    /// What, for people.
    pub message: &'a str,
    /// Label of the location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// The display name of the file.
    pub file: &'a str,
    /// Line, from 1; none when it is about the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Other places that take part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<LocationDocument<'a>>,
    /// What to do, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'a str>,
}

/// Another place.
#[derive(Debug, Serialize)]
pub struct LocationDocument<'a> {
    /// Label of the location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// The display name of the file.
    pub file: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl<'a> From<&'a manifest::SourceLocation> for LocationDocument<'a> {
    fn from(location: &'a manifest::SourceLocation) -> Self {
        Self {
            label: location.label.as_deref(),
            file: &location.file,
            line: location.line,
            column: location.column,
        }
    }
}

impl<'a> From<&'a manifest::Diagnostic> for DiagnosticDocument<'a> {
    fn from(diagnostic: &'a manifest::Diagnostic) -> Self {
        let location = diagnostic.location.as_ref();
        Self {
            severity: match diagnostic.severity {
                manifest::Severity::Error => Severity::Error,
                manifest::Severity::Warning => Severity::Warning,
            },
            code: diagnostic.code,
            message: &diagnostic.message,
            label: location.and_then(|location| location.label.as_deref()),
            file: location.map_or("", |location| &location.file),
            line: location.map(|location| location.line),
            column: location.map(|location| location.column),
            also: diagnostic.related.iter().map(Into::into).collect(),
            help: diagnostic.help.as_deref(),
        }
    }
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An error: no plan is possible.
    Error,
    /// A warning.
    Warning,
}

/// The document of a validation; valid means without an error.
pub fn validate(diagnostics: Vec<DiagnosticDocument<'_>>) -> ValidateDocument<'_> {
    ValidateDocument {
        format_version: super::FORMAT_VERSION,
        valid: diagnostics.iter().all(|d| d.severity != Severity::Error),
        diagnostics,
        more: None,
    }
}
