//! `init --json`.

use serde::Serialize;

/// What was written.
#[derive(Debug, Serialize)]
pub struct InitDocument<'a> {
    format_version: u32,
    app: &'a str,
    written: &'a [String],
}

/// The document of an init: the app and the files that were written or added to.
pub fn init<'a>(app: &'a str, written: &'a [String]) -> InitDocument<'a> {
    InitDocument {
        format_version: super::FORMAT_VERSION,
        app,
        written,
    }
}
