//! Edited manifests: in memory until approval, then written completely, and reverted if no call was made.

use std::io;
use std::path::PathBuf;

use super::codes;
use crate::core::view::FileEdit;
use crate::store::{remove_file_if_unchanged, replace_file_if_unchanged};
use crate::ui::Failure;
use crate::ui::codes::UNWRITABLE;

/// The edits per file; empty if the files already have them.
#[derive(Debug, Default)]
pub(super) struct FileEdits {
    files: Vec<EditedFile>,
}

#[derive(Debug)]
struct EditedFile {
    path: PathBuf,
    /// Path to show.
    shown: String,
    /// `None` for a new file.
    before: Option<Vec<u8>>,
    after: String,
}

impl FileEdits {
    pub(super) fn add(&mut self, path: PathBuf, before: Option<Vec<u8>>, after: &str) {
        self.files.push(EditedFile {
            shown: path.display().to_string(),
            path,
            before,
            after: after.to_owned(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file names, for a sentence.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("`{}`", file.shown))
            .collect();
        names.join(" and ")
    }

    /// For views.
    pub(super) fn to_view(&self) -> Vec<FileEdit> {
        let files = self.files.iter();
        files
            .map(|file| FileEdit {
                path: file.shown.clone(),
                before: file
                    .before
                    .as_ref()
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
                after: file.after.clone(),
            })
            .collect()
    }

    /// Writes all files or none; each must still be as it was read.
    pub(super) fn write(&self) -> Result<(), Failure> {
        for (at, file) in self.files.iter().enumerate() {
            let failure =
                match replace_file_if_unchanged(&file.path, file.before.as_deref(), &file.after) {
                    Ok(true) => continue,
                    Ok(false) => changed_error(file),
                    Err(error) => unwritable_error(file, &error),
                };
            for file in &self.files[..at] {
                file.revert()?;
            }
            return Err(failure);
        }
        Ok(())
    }

    /// Restores the files, except those that another program changed.
    pub(super) fn revert(&self) -> Result<(), Failure> {
        self.files.iter().try_for_each(EditedFile::revert)
    }
}

impl EditedFile {
    fn revert(&self) -> Result<(), Failure> {
        let done = match &self.before {
            // The bytes were parsed as text before.
            Some(before) => {
                let before = String::from_utf8_lossy(before);
                replace_file_if_unchanged(&self.path, Some(self.after.as_bytes()), &before)
            }
            None => remove_file_if_unchanged(&self.path, &self.after),
        };
        done.map(|_| ())
            .map_err(|error| unwritable_error(self, &error))
    }
}

fn changed_error(file: &EditedFile) -> Failure {
    Failure::new(
        codes::FILE_CHANGED,
        format!(
            "`{}` was changed by another program since it was read; nothing was changed",
            file.shown
        ),
    )
    .hint("run the command again to edit the current file")
}

fn unwritable_error(file: &EditedFile, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", file.shown);
    Failure::from_io(UNWRITABLE, message, error)
}
