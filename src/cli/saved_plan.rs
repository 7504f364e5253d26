//! Saved plans as files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::codes;
use super::project::read_file;
use crate::core::plan::SavedPlan;
use crate::ui::Failure;

/// The target file of a plan. If it was created for the plan and nothing was written, it is deleted.
#[derive(Debug)]
pub(super) struct PlanFile {
    path: PathBuf,
    file: File,
    created: bool,
}

impl PlanFile {
    /// Opens it without changing its content.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        let opened = match options.clone().create_new(true).open(path) {
            Ok(file) => Ok((file, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                options.open(path).map(|file| (file, false))
            }
            Err(error) => Err(error),
        };
        let (file, made) = opened.map_err(|error| unwritable_error(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            created: made,
        })
    }

    /// Writes the plan and prints the path.
    pub(super) fn write(mut self, plan: &SavedPlan) -> Result<String, Failure> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all(plan.to_json().as_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(|error| unwritable_error(&self.path, &error))?;
        self.created = false;
        Ok(self.path.display().to_string())
    }
}

impl Drop for PlanFile {
    fn drop(&mut self) {
        if self.created {
            // A remaining empty file does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads a saved plan.
pub(super) fn load_plan(path: &Path) -> Result<SavedPlan, Failure> {
    let shown = path.display();
    let bytes = read_file(path)?.ok_or_else(|| {
        Failure::new(
            codes::NO_PLAN_FILE,
            format!("there is no saved plan `{shown}`"),
        )
    })?;
    SavedPlan::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        Failure::new(
            codes::BAD_PLAN_FILE,
            format!("cannot read the plan in `{shown}`"),
        )
        .cause(error)
        .hint("create one with `aeroform plan --out FILE`")
    })
}

fn unwritable_error(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`", path.display());
    Failure::from_io(codes::UNWRITABLE, message, error)
}
