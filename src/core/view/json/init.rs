//! `init --json`, and the first document of `import --json`.

use serde::Serialize;

use super::edit::{FileDiff, file_diff};
use crate::core::view::file_edit::FileEdit;

/// What was written.
#[derive(Debug, Serialize)]
pub struct InitDocument<'a> {
    format_version: u32,
    app: &'a str,
    written: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileDiff<'a>>,
}

/// The document of an init: the app and the files that were written or added to.
pub fn init<'a>(app: &'a str, written: &'a [String]) -> InitDocument<'a> {
    InitDocument {
        format_version: super::FORMAT_VERSION,
        app,
        written,
        files: Vec::new(),
    }
}

/// The same with the lines that were written.
pub fn import<'a>(app: &'a str, written: &'a [String], files: &'a [FileEdit]) -> InitDocument<'a> {
    InitDocument {
        files: files.iter().map(file_diff).collect(),
        ..init(app, written)
    }
}
