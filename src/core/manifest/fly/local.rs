//! The content of a file that fly.toml names; it was read before, inside the project.

use super::super::codes;
use super::super::diagnostics::{Diagnostic, shown};
use super::super::settings::{LocalFile, Overrides};
use super::super::tree::{At, File};

/// What flyctl makes of a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It refuses the fly.toml that names it.
    Refused,
    /// A deploy refuses, and `fly config validate` does not look.
    RefusedByDeploys,
}

/// The content of the file at a path, or none, which is told. One that is missing is an error where
/// Machines would get it.
pub(super) fn content<'o>(
    file: &File<'_>,
    path: &At<String>,
    overrides: &'o Overrides,
    missing: Missing,
) -> Option<&'o [u8]> {
    let name = shown(&path.value);
    let place = file.place(path.span.clone(), "");
    match overrides.files.get(&path.value) {
        Some(LocalFile::Content(bytes)) => {
            if overrides.ignored.contains(&path.value) {
                let message = format!("{name} is ignored by git and would be sent to the Machines");
                file.report(
                    Diagnostic::warning(codes::FILE_IGNORED, message)
                        .at(place)
                        .help("what git ignores is often secret, or differs from one computer to the next: name a file of the repository, or set the value with `fly secrets set` and use `secret_name`"),
                );
            }
            return Some(bytes);
        }
        Some(LocalFile::Refused(why)) => refused(file, path, why),
        Some(LocalFile::Missing)
            if missing == Missing::Refused || file.runs_on_fly() && !overrides.only_validates =>
        {
            absent(file, path);
        }
        Some(LocalFile::Missing) => {
            let message = format!("there is no file {name}: a deploy to Fly refuses without it");
            file.report(
                Diagnostic::warning(codes::NO_LOCAL_FILE, message)
                    .at(place)
                    .help("a path counts from the folder of fly.toml"),
            );
        }
        None => {
            let message = format!("{name} is not read");
            file.report(Diagnostic::warning(codes::FILE_NOT_READ, message).at(place));
        }
    }
    None
}

/// Tells where nothing is at a path that is not read further.
pub(super) fn must_be_there(file: &File<'_>, path: &At<String>, overrides: &Overrides) {
    match overrides.files.get(&path.value) {
        Some(LocalFile::Missing) => absent(file, path),
        Some(LocalFile::Refused(why)) => refused(file, path, why),
        Some(LocalFile::Content(_)) | None => {}
    }
}

fn absent(file: &File<'_>, path: &At<String>) {
    let message = format!("there is no file {}", shown(&path.value));
    file.report(
        Diagnostic::error(codes::NO_LOCAL_FILE, message)
            .at(file.place(path.span.clone(), ""))
            .help("a path counts from the folder of fly.toml"),
    );
}

fn refused(file: &File<'_>, path: &At<String>, why: &str) {
    let message = format!("{} cannot be read: {why}", shown(&path.value));
    let place = file.place(path.span.clone(), "");
    file.report(Diagnostic::error(codes::FILE_NOT_READ, message).at(place));
}
