//! `init --json`, and the first document of `import --json`.

use serde::Serialize;

use super::edit::{FileDiff, file_diff};
use crate::core::view::PreparedState;
use crate::core::view::file_edit::FileEdit;

/// What was written.
#[derive(Debug, Serialize)]
pub struct InitDocument<'a> {
    format_version: u32,
    app: &'a str,
    written: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileDiff<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<PreparedPlace<'a>>,
}

/// The place of a state in git, and the ref of its lock.
#[derive(Debug, Serialize)]
pub struct PreparedPlace<'a> {
    place: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<&'a str>,
}

impl<'a> InitDocument<'a> {
    /// The same with the place that was prepared for the state.
    #[must_use]
    pub fn with_state(self, state: Option<&'a PreparedState>) -> Self {
        let state = state.map(|state| PreparedPlace {
            place: &state.place,
            lock: state.lock.as_deref(),
        });
        Self { state, ..self }
    }
}

/// The document of an init: the app and the files that were written or added to.
pub fn init<'a>(app: &'a str, written: &'a [String]) -> InitDocument<'a> {
    InitDocument {
        format_version: super::FORMAT_VERSION,
        app,
        written,
        files: Vec::new(),
        state: None,
    }
}

/// The same with the lines that were written.
pub fn import<'a>(app: &'a str, written: &'a [String], files: &'a [FileEdit]) -> InitDocument<'a> {
    InitDocument {
        files: files.iter().map(file_diff).collect(),
        ..init(app, written)
    }
}
