//! Replaces or removes one file of a checkout if its content is still the one that was read.
//!
//! Unlike a state file it belongs to people: a new file gets their default mode, and there is no lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::atomic_replace::{replace, resolve, split};

/// Replaces a file atomically and durably, keeping its mode. `before` is the expected content; `None` creates
/// a new file. `Ok(false)` if the content differs.
///
/// # Errors
/// The file cannot be read or written; it is then unchanged.
pub fn replace_file_if_unchanged(
    path: &Path,
    before: Option<&[u8]>,
    after: &str,
) -> io::Result<bool> {
    let Some(before) = before else {
        return create(path, after);
    };
    let target = resolve(path)?;
    let unchanged = || Ok(fs::read(&target)? == before);
    replace(&target, after, unchanged, &mut |_| Ok(()))
}

/// Removes a file if it still has this text.
pub fn remove_file_if_unchanged(path: &Path, text: &str) -> io::Result<bool> {
    if fs::read(path)? != text.as_bytes() {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

fn create(path: &Path, text: &str) -> io::Result<bool> {
    let (folder, name) = split(path)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(temporary);
    let _ = fs::remove_file(&temporary);
    let written = fill(&temporary, text).and_then(|()| fs::hard_link(&temporary, path));
    // The content remains under the other name.
    let _ = fs::remove_file(&temporary);
    match written {
        Ok(()) => {
            File::open(folder)?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_exchanged_only_for_the_one_that_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aeroform.toml");
        assert!(replace_file_if_unchanged(&path, None, "a").unwrap());
        assert!(!replace_file_if_unchanged(&path, None, "b").unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(!replace_file_if_unchanged(&path, Some(b"x"), "b").unwrap());
        assert!(replace_file_if_unchanged(&path, Some(b"a"), "b").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(!remove_file_if_unchanged(&path, "a").unwrap());
        assert!(remove_file_if_unchanged(&path, "b").unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "a").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        assert!(replace_file_if_unchanged(&link, Some(b"a"), "b").unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "b");
    }
}
