//! Replaces a file atomically: a crash leaves either the old or the new content.
//!
//! It only handles files; stores decide what they contain and who may write them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The stages of a replacement, in order. The process may die between any two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplaceStage {
    /// The current content is the one that the writer read.
    Compared,
    /// The temporary file exists and is empty.
    Created,
    /// The temporary file has the new content, perhaps only in memory.
    Filled,
    /// The temporary file is synced to disk.
    Synced,
    /// It is renamed to the target.
    Renamed,
    /// The rename is synced to disk.
    Durable,
}

/// Called at each stage; an error ends the replacement like an error of the system.
pub(super) type StageHook<'a> = dyn FnMut(ReplaceStage) -> io::Result<()> + 'a;

/// Replaces the content of `target` if `unchanged` returns true; `Ok(false)` if another writer changed it.
/// The target must not be a symbolic link (see [`resolve`]). It keeps its mode; a new file gets 0600.
///
/// # Errors
/// After an error before the rename, the old content and no temporary file remain. After a later error, the
/// new content is in place, but may not survive a power failure.
pub(super) fn replace(
    target: &Path,
    text: &str,
    unchanged: impl FnOnce() -> io::Result<bool>,
    at: &mut StageHook<'_>,
) -> io::Result<bool> {
    let (folder, name) = split(target)?;
    create_folder(folder)?;
    let folder_file = File::open(folder)?;
    // Excludes other writers between the comparison and the rename. On file systems without locks on folders
    // (some network ones), only the run's lock excludes them.
    let alone = folder_file.lock().is_ok();
    if !unchanged()? {
        return Ok(false);
    }
    at(ReplaceStage::Compared)?;
    let mode = writable_mode(target)?;
    if alone {
        remove_leftovers(folder, name);
    }
    let temporary = folder.join(temporary_name(name, &std::process::id().to_string()));
    let renamed = fill(&temporary, text, mode, at).and_then(|()| fs::rename(&temporary, target));
    if let Err(error) = renamed {
        // The first error is reported; the next writer removes a leftover file.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    at(ReplaceStage::Renamed)?;
    folder_file.sync_all()?;
    at(ReplaceStage::Durable)?;
    Ok(true)
}

/// The minimum free space for new content, bytes.
const MIN_FREE_BYTES: u64 = 64 << 10;

/// Checks with a temporary file whether the target could be replaced with content twice as large.
pub(super) fn check_replaceable(target: &Path) -> io::Result<()> {
    let (folder, name) = split(target)?;
    create_folder(folder)?;
    let mode = writable_mode(target)?;
    let size = fs::metadata(target).map_or(0, |there| there.len());
    let text = " "
        .repeat(usize::try_from(size.saturating_mul(2).max(MIN_FREE_BYTES)).unwrap_or(usize::MAX));
    let temporary = folder.join(temporary_name(name, &std::process::id().to_string()));
    let tried = fill(&temporary, &text, mode, &mut |_| Ok(()));
    let _ = fs::remove_file(&temporary);
    tried
}

/// Follows a chain of symbolic links to the file, which need not exist. Replacing that file keeps the links.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // The limit of Linux.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            // Not a link or does not exist: this is the file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Creates a folder and its parents with mode 0700 (rule 42); an existing folder is not changed.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folder and file name of a path.
pub(super) fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::IsADirectory, "the path has no file name"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    Ok((folder, name))
}

/// The mode for the new content. Fails if the old file is not writable, since a rename would bypass a
/// read-only mode.
pub(super) fn writable_mode(target: &Path) -> io::Result<u32> {
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0o600),
        Err(error) => return Err(error),
    };
    if metadata.permissions().readonly() {
        let message = "the file is read-only";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    OpenOptions::new().write(true).open(target)?;
    Ok(metadata.permissions().mode() & 0o7777)
}

fn fill(temporary: &Path, text: &str, mode: u32, at: &mut StageHook<'_>) -> io::Result<()> {
    // A leftover of a killed process with the same pid; it may not exist.
    let _ = fs::remove_file(temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    at(ReplaceStage::Created)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    at(ReplaceStage::Filled)?;
    file.sync_all()?;
    at(ReplaceStage::Synced)
}

/// `.shop.json.PID.tmp`: hidden, in the target's folder, so that the rename stays on one file system.
fn temporary_name(name: &OsStr, pid: &str) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".");
    temporary.push(pid);
    temporary.push(".tmp");
    temporary
}

/// Removes temporary files of killed writers. The caller must be the only writer.
fn remove_leftovers(folder: &Path, name: &OsStr) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let pid = file_name
            .to_str()
            .and_then(|text| text.strip_suffix(".tmp")?.rsplit_once('.'));
        if let Some((_, pid)) = pid
            && pid.bytes().all(|b| b.is_ascii_digit())
            && file_name == temporary_name(name, pid)
        {
            // A remaining file only uses disk space.
            let _ = fs::remove_file(entry.path());
        }
    }
}
