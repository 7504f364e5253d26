//! Replaces a file's content so that a crash at any moment leaves the old or the new content, whole.
//!
//! Knows files only; what stands in them and who may write them is the stores' business.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The moments of a replacement, in order. Between any two the process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplaceStage {
    /// The old content is still the one that the writer has read.
    Compared,
    /// The temporary file exists, empty.
    Created,
    /// It has the new content, perhaps only in memory.
    Filled,
    /// It has it on disk.
    Synced,
    /// It has the target's name.
    Renamed,
    /// That name is on disk.
    Durable,
}

/// Is told each moment; an error from it ends the replacement there, as the system's own would.
pub(super) type StageHook<'a> = dyn FnMut(ReplaceStage) -> io::Result<()> + 'a;

/// Replaces the content of `target` if `unchanged` says that nobody else did; `Ok(false)` when
/// somebody did. The target is no symbolic link (see [`resolve`]). It keeps its mode; a new one gets
/// 0600.
///
/// # Errors
/// After an error before the rename the old content stands and no temporary file is left; after one
/// behind it the new content stands, and only its survival of a power cut is not known.
pub(super) fn replace(
    target: &Path,
    text: &str,
    unchanged: impl FnOnce() -> io::Result<bool>,
    at: &mut StageHook<'_>,
) -> io::Result<bool> {
    let (folder, name) = split(target)?;
    create_folder(folder)?;
    let folder_file = File::open(folder)?;
    // Closes the gap between comparing and renaming against other writers. Where a file system has no
    // locks on folders (some network ones), the lock of the run alone keeps them apart.
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
        // The error that is told is the first one; a leftover is removed by the next writer.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    at(ReplaceStage::Renamed)?;
    folder_file.sync_all()?;
    at(ReplaceStage::Durable)?;
    Ok(true)
}

/// The least room that has to be there for a new content, bytes.
const MIN_FREE_BYTES: u64 = 64 << 10;

/// Whether the target could be replaced by something twice as large, tried out with a temporary file that is gone
/// afterwards.
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

/// The file that a chain of symbolic links ends at; it need not exist. Replacing that one, not the
/// link, keeps a linked state where its owner put it.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // 40 is where Linux itself gives up.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            // Not a link, or not there: this is the file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Creates a folder with its parents, 0700 (rule 42); one that exists stays as it is.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folder and the file name of a path.
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

/// The mode that the new content gets, once the old file is known to accept a writer: a rename would
/// pass over a file that its owner made read-only.
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
    // Of a killed process that had this one's id; one that is not there is no matter.
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

/// `.shop.json.PID.tmp`: hidden, beside the target, so that the rename stays on one file system.
fn temporary_name(name: &OsStr, pid: &str) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".");
    temporary.push(pid);
    temporary.push(".tmp");
    temporary
}

/// Removes the temporary files of writers that were killed. Only a writer that is alone may.
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
            // One that stays only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}
