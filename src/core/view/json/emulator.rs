//! `emulator --json`.

use serde::Serialize;

/// Where the emulated API is served.
#[derive(Debug, Serialize)]
pub struct EmulatorDocument<'a> {
    format_version: u32,
    url: &'a str,
}

/// The document that is printed once it listens.
pub fn listening(url: &str) -> EmulatorDocument<'_> {
    EmulatorDocument {
        format_version: super::FORMAT_VERSION,
        url,
    }
}
