//! Helpers for this module's tests.

use super::diagnostics::Diagnostics;
use super::fields::Fields;
use super::source::{Source, SourceFile};
use super::tree::{Dialect, ManifestFile};

/// Reads something of a fly.toml; unknown keys are not reported.
pub(super) fn fly_fields<T>(
    text: &str,
    read: impl FnOnce(&mut Fields<'_, '_>) -> T,
) -> (T, Diagnostics) {
    let bytes = text.as_bytes();
    let path = "fly.toml";
    let source = Source::read(SourceFile { path, bytes }).expect("a string is UTF-8");
    let file = ManifestFile::new(&source, Dialect::Fly);
    let tree = file.parse().expect("the test writes valid TOML");
    let value = read(&mut Fields::new(&file, &tree, 0..0, String::new()));
    drop(tree);
    (value, file.into_diagnostics())
}
