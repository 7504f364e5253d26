//! The content of a file that fly.toml references, read before from inside the project.

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::settings::{LocalFile, Overrides};
use super::super::tree::{Located, ManifestFile};

/// How flyctl handles a missing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingFile {
    /// It rejects the fly.toml.
    Refused,
    /// A deploy fails; `fly config validate` does not check.
    RefusedByDeploys,
}

/// The content of the file at a path; none is reported. A missing file is an error if Machines would get it.
pub(super) fn content<'o>(
    file: &ManifestFile<'_>,
    path: &Located<String>,
    overrides: &'o Overrides,
    missing: MissingFile,
) -> Option<&'o [u8]> {
    let name = quote_text(&path.value);
    let location = file.location(path.span.clone(), "");
    match overrides.files.get(&path.value) {
        Some(LocalFile::Content(bytes)) => {
            if overrides.ignored.contains(&path.value) {
                let message = format!("{name} is ignored by git and would be sent to the Machines");
                file.report(
                    Diagnostic::warning(codes::FILE_IGNORED, message)
                        .with_location(location)
                        .help("ignored files are often secret or differ between computers: use a file of the repository, or `fly secrets set` and `secret_name`"),
                );
            }
            return Some(bytes);
        }
        Some(LocalFile::Refused(why)) => report_refused(file, path, why),
        Some(LocalFile::Missing)
            if missing == MissingFile::Refused
                || file.runs_on_fly() && !overrides.validate_only =>
        {
            report_missing(file, path);
        }
        Some(LocalFile::Missing) => {
            let message = format!("there is no file {name}: a deploy to Fly needs it");
            file.report(
                Diagnostic::warning(codes::NO_LOCAL_FILE, message)
                    .with_location(location)
                    .help("paths are relative to fly.toml's folder"),
            );
        }
        None => {
            let message = format!("{name} is not read");
            file.report(Diagnostic::warning(codes::FILE_NOT_READ, message).with_location(location));
        }
    }
    None
}

/// Reports a missing file whose content is not needed.
pub(super) fn check_exists(file: &ManifestFile<'_>, path: &Located<String>, overrides: &Overrides) {
    match overrides.files.get(&path.value) {
        Some(LocalFile::Missing) => report_missing(file, path),
        Some(LocalFile::Refused(why)) => report_refused(file, path, why),
        Some(LocalFile::Content(_)) | None => {}
    }
}

fn report_missing(file: &ManifestFile<'_>, path: &Located<String>) {
    let message = format!("there is no file {}", quote_text(&path.value));
    file.report(
        Diagnostic::error(codes::NO_LOCAL_FILE, message)
            .with_location(file.location(path.span.clone(), ""))
            .help("paths are relative to fly.toml's folder"),
    );
}

fn report_refused(file: &ManifestFile<'_>, path: &Located<String>, why: &str) {
    let message = format!("{} cannot be read: {why}", quote_text(&path.value));
    let location = file.location(path.span.clone(), "");
    file.report(Diagnostic::error(codes::FILE_NOT_READ, message).with_location(location));
}
