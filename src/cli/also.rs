//! The files of `--also`: opened before the work, so that a bad path fails early.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::args::{PlanArgs, Verb};
use crate::ui::codes::UNWRITABLE;
use crate::ui::{Exit, Failure, OutputFile, Readers, Ui};

/// Opens the files of this verb and sends its results there, too.
pub(super) fn open(ui: &Ui, verb: &Verb) -> Result<(), Failure> {
    let Some(flags) = verb.report_flags() else {
        return Ok(());
    };
    let mut files = Vec::new();
    let mut seen = Vec::new();
    // Two names of one file would overwrite each other.
    if let Verb::Plan(PlanArgs { out: Some(out), .. }) = verb
        && let Ok(found) = fs::symlink_metadata(out)
    {
        seen.push((found.dev(), found.ino()));
    }
    for also in &flags.also {
        let file = OutputFile::open(&also.path, Readers::All)?;
        let identity = file.identity().map_err(|error| {
            Failure::from_io(
                UNWRITABLE,
                format!("cannot write `{}`", also.path.display()),
                &error,
            )
        })?;
        if seen.contains(&identity) {
            let text = format!("`{}` is named twice", also.path.display());
            let failure = Failure::new(UNWRITABLE, text).hint("each form needs a file of its own");
            return Err(Failure {
                exit: Exit::Usage,
                ..failure
            });
        }
        seen.push(identity);
        files.push((also.format, file));
    }
    ui.add_files(files);
    Ok(())
}
