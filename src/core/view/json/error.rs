//! An error of any command.

use serde::Serialize;

use super::validate::DiagnosticDocument;

/// `{"error": {"code", "message", "causes", "hint"?, "exit", "diagnostics"?}}`.
#[derive(Debug, Serialize)]
pub struct ErrorDocument<'a> {
    format_version: u32,
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    causes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    exit: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<DiagnosticDocument<'a>>,
}

impl<'a> ErrorDocument<'a> {
    /// The same with the errors of the manifests, each with its location.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Vec<DiagnosticDocument<'a>>) -> Self {
        self.error.diagnostics = diagnostics;
        self
    }
}

/// The document of an error: its stable code, message, causes (nearest first), hint and exit code.
pub fn error<'a>(
    code: &'a str,
    message: &'a str,
    causes: &'a [String],
    hint: Option<&'a str>,
    exit: u8,
) -> ErrorDocument<'a> {
    ErrorDocument {
        format_version: super::FORMAT_VERSION,
        error: ErrorBody {
            code,
            message,
            causes,
            hint,
            exit,
            diagnostics: Vec::new(),
        },
    }
}
