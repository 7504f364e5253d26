//! Edited manifests: in memory until consent, then written whole, and taken back where nothing came of it.

use std::io;
use std::path::PathBuf;

use super::codes;
use crate::core::view::FileEdit;
use crate::store::{remove_file_if_unchanged, replace_file_if_unchanged};
use crate::ui::Failure;

/// What is to be written, file by file; empty when the files say everything already.
#[derive(Debug, Default)]
pub(super) struct FileEdits {
    files: Vec<EditedFile>,
}

#[derive(Debug)]
struct EditedFile {
    path: PathBuf,
    /// As people are shown it.
    shown: String,
    /// None where there is no such file yet.
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

    /// Their names, for a sentence.
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

    /// Writes all of them, or none: each must still be what was read.
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

    /// Makes them what they were, but not one that somebody else has changed since.
    pub(super) fn revert(&self) -> Result<(), Failure> {
        self.files.iter().try_for_each(EditedFile::revert)
    }
}

impl EditedFile {
    fn revert(&self) -> Result<(), Failure> {
        let done = match &self.before {
            // What was read was taken for text, and so it was.
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
            "`{}` was changed by somebody else since it was read; nothing was changed",
            file.shown
        ),
    )
    .hint("run the command again: it edits what is there now")
}

fn unwritable_error(file: &EditedFile, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", file.shown);
    Failure::from_io(codes::UNWRITABLE, message, error)
}
