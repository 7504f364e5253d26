//! `version --json`.

use serde::Serialize;

/// Which program this is.
#[derive(Debug, Serialize)]
pub struct VersionDocument<'a> {
    format_version: u32,
    name: &'a str,
    version: &'a str,
}

/// The document of the version (`0.1.0`).
pub fn version(version: &str) -> VersionDocument<'_> {
    VersionDocument {
        format_version: super::FORMAT_VERSION,
        name: "aeroform",
        version,
    }
}
