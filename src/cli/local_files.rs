//! The files that fly.toml names.

use std::collections::BTreeMap;
use std::path::Path;

use super::project::Project;
use crate::core::manifest::{self, LocalFile, Overrides, SourceFile};

/// Reads the files that fly.toml names, and which of them git ignores.
pub(super) fn load_local_files(
    overrides: &mut Overrides,
    project: &Project,
    fly: &Path,
    source: SourceFile<'_>,
) {
    overrides.files = local_files(project, fly, source);
    let folder = fly.with_file_name("");
    let ignored = overrides.files.iter().filter(|(written, found)| {
        matches!(found, LocalFile::Content(_)) && project.is_ignored(&folder.join(written))
    });
    overrides.ignored = ignored.map(|(written, _)| written.clone()).collect();
}

/// The files that fly.toml names, relative to its folder and inside the project.
fn local_files(
    project: &Project,
    fly: &Path,
    source: SourceFile<'_>,
) -> BTreeMap<String, LocalFile> {
    let paths = manifest::referenced_files(source).into_iter();
    paths
        .map(|written| {
            let found = match project.read_data(&fly.with_file_name("").join(&written)) {
                Ok(Some(bytes)) => LocalFile::Content(bytes),
                Ok(None) => LocalFile::Missing,
                Err(failure) => LocalFile::Refused(failure.message),
            };
            (written, found)
        })
        .collect()
}
