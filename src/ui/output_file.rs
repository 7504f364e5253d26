//! Files that a command line names as outputs.
//!
//! In the folder of a pull request such a name may be a link to another file of the runner, so only
//! regular files are written, and never through a symbolic link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::{Failure, codes};

/// An open output. Until the first write its old content stays; a file that was created for it and never written is
/// deleted.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    is_new: bool,
    is_written: bool,
}

/// Who may read a created file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The user.
    Owner,
    /// Everybody, within the umask.
    All,
}

impl OutputFile {
    /// Opens or creates it without changing its content.
    pub fn open(path: &Path, readers: Readers) -> Result<Self, Failure> {
        check_folders(path).map_err(|error| unwritable_error(path, &error))?;
        let (file, is_new) =
            open_ordinary(path, readers, false).map_err(|error| unwritable_error(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            is_new,
            is_written: false,
        })
    }

    /// Its path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and number: equal for two names of one file.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let found = self.file.metadata()?;
        Ok((found.dev(), found.ino()))
    }

    /// Adds text; the first one replaces the old content.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        if !self.is_written {
            self.file.set_len(0)?;
            self.is_written = true;
        }
        self.file.write_all(text.as_bytes())
    }

    /// Writes what the system still holds back to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The error for a failed write.
    pub fn write_error(&self, error: &io::Error) -> Failure {
        unwritable_error(&self.path, error)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.is_new && !self.is_written {
            // A remaining empty file does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens an existing or new file to add to it, as safely as [`OutputFile::open`].
pub fn open_to_append(path: &Path) -> io::Result<File> {
    open_ordinary(path, Readers::All, true).map(|(file, _)| file)
}

/// Opens an ordinary file, and whether it is new. The last part of the path is never followed, and nothing waits for a
/// reader of a pipe.
fn open_ordinary(path: &Path, readers: Readers, append: bool) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options
        .write(true)
        .append(append)
        .mode(match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o666,
        })
        .custom_flags(i32::try_from(flags.bits()).expect("flags of open fit an int"));
    let (file, is_new) = match options.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path)?;
            if found.is_symlink() {
                return Err(io::Error::other("it is a symbolic link"));
            }
            if !found.is_file() {
                return Err(io::Error::other("it is not an ordinary file"));
            }
            (options.open(path)?, false)
        }
        Err(error) => return Err(error),
    };
    // The name may have been given to something else in between.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not an ordinary file"));
    }
    Ok((file, is_new))
}

/// Refuses a path through a folder that is a symbolic link, where the link may come from a repository: below the
/// current folder, or inside a work tree. Links of the system, such as `/tmp` on some, are followed.
fn check_folders(path: &Path) -> io::Result<()> {
    let is_relative = path.is_relative();
    let mut folder = PathBuf::new();
    let parent = path.parent().unwrap_or(Path::new(""));
    for part in parent.components() {
        let outer = folder.clone();
        folder.push(part);
        if !matches!(part, Component::Normal(_)) {
            continue;
        }
        let is_link = fs::symlink_metadata(&folder).is_ok_and(|found| found.is_symlink());
        if is_link && (is_relative || is_in_work_tree(&outer)) {
            let text = format!("its folder `{}` is a symbolic link", folder.display());
            return Err(io::Error::other(text));
        }
    }
    Ok(())
}

fn is_in_work_tree(folder: &Path) -> bool {
    folder.ancestors().any(|dir| dir.join(".git").exists())
}

fn unwritable_error(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", path.display());
    Failure::from_io(codes::UNWRITABLE, message, error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn cause(path: &Path) -> String {
        OutputFile::open(path, Readers::All)
            .unwrap_err()
            .causes
            .concat()
    }

    #[test]
    fn only_an_ordinary_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("target"), "old").unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink(dir.path(), at("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(cause(&at("link")), "it is a symbolic link");
        assert_eq!(cause(&at("dangling")), "it is a symbolic link");
        assert_eq!(cause(&at("pipe")), "it is not an ordinary file");
        assert_eq!(cause(dir.path()), "it is not an ordinary file");
        assert_eq!(cause(Path::new("/dev/null")), "it is not an ordinary file");
        // Outside a work tree a linked folder is the user's own.
        drop(OutputFile::open(&at("folder/new"), Readers::All).unwrap());
        fs::create_dir(at(".git")).unwrap();
        assert!(cause(&at("folder/new")).ends_with("is a symbolic link"));
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "old");
        assert!(!at("nowhere").exists() && !at("new").exists());
    }

    #[test]
    fn the_old_content_stays_until_the_first_write() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "long old content").unwrap();
        drop(OutputFile::open(&old, Readers::All).unwrap());
        drop(OutputFile::open(&new, Readers::All).unwrap());
        assert_eq!(fs::read_to_string(&old).unwrap(), "long old content");
        assert!(!new.exists());
        let mut file = OutputFile::open(&old, Readers::All).unwrap();
        file.write("a").unwrap();
        file.write("b").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "ab");
    }
}
