//! Every byte of a clone: work tree, index, stash, refs, config, `HEAD` and objects. No store operation may
//! change any of it, and a killed one may leave nothing but objects (rule 36).

#![allow(dead_code, reason = "each binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// One entry: its mode, and its content or where it points.
type Entry = (u32, Vec<u8>);

/// A clone at one moment.
pub(crate) struct CloneSnapshot {
    folders: Vec<PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
}

impl CloneSnapshot {
    /// Of everything below this folder.
    pub(crate) fn of(clone: &Path) -> Self {
        Self::of_all(&[clone])
    }

    /// Of several folders: those of a linked work tree, or of a submodule.
    pub(crate) fn of_all(folders: &[&Path]) -> Self {
        let folders: Vec<PathBuf> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        let mut entries = BTreeMap::new();
        for folder in &folders {
            read(folder, &mut entries);
        }
        Self { folders, entries }
    }

    /// Fails if anything changed since, besides objects that were added.
    #[track_caller]
    pub(crate) fn assert_unchanged(&self, when: &str) {
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        let now = Self::of_all(&folders).entries;
        let changed: Vec<&PathBuf> = self
            .entries
            .iter()
            .filter(|(path, entry)| now.get(*path) != Some(entry))
            .map(|(path, _)| path)
            .collect();
        assert!(changed.is_empty(), "{when}: {changed:?} changed");
        let is_object = |path: &Path| path.components().any(|part| part.as_os_str() == "objects");
        let added: Vec<&PathBuf> = now
            .keys()
            .filter(|path| !self.entries.contains_key(*path) && !is_object(path))
            .collect();
        assert!(added.is_empty(), "{when}: {added:?} appeared");
    }
}

fn read(path: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode();
    let content = if metadata.is_symlink() {
        fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec()
    } else if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), entries);
        }
        Vec::new()
    } else {
        fs::read(path).unwrap()
    };
    entries.insert(path.to_owned(), (mode, content));
}
