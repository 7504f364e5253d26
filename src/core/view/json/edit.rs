//! The changes of an edit to the files: the document of `--plan-only` and `--edit-only`, and the first line of an apply.

use serde::Serialize;
use similar::TextDiff;

use super::FORMAT_VERSION;
use super::plan::{PlanDocument, plan as plan_document};
use crate::core::fleet::AppName;
use crate::core::fleet::secret::patterns;
use crate::core::plan::Plan;
use crate::core::view::file_edit::FileEdit;

/// An edit.
#[derive(Debug, Serialize)]
pub struct EditDocument<'a> {
    event: &'static str,
    format_version: u32,
    app: &'a AppName,
    /// Whether the files were written; not yet before an apply.
    written: bool,
    files: Vec<FileDiff<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanDocument<'a>>,
}

/// The changes of a file.
#[derive(Debug, Serialize)]
pub(super) struct FileDiff<'a> {
    path: &'a str,
    new: bool,
    /// The change as a unified diff.
    diff: String,
}

/// The document of an edit, with its plan if nothing else prints it. Without files, the edit changes nothing.
pub fn edit<'a>(
    app: &'a AppName,
    files: &'a [FileEdit],
    written: bool,
    plan: Option<&'a Plan>,
) -> EditDocument<'a> {
    EditDocument {
        event: "edit",
        format_version: FORMAT_VERSION,
        app,
        written,
        files: files.iter().map(file_diff).collect(),
        plan: plan.map(plan_document),
    }
}

/// What changes in one file.
pub(super) fn file_diff(file: &FileEdit) -> FileDiff<'_> {
    let before = file.before.as_deref().unwrap_or_default();
    let diff = TextDiff::from_lines(before, file.after.as_str());
    FileDiff {
        path: &file.path,
        new: file.before.is_none(),
        diff: patterns::redact(&diff.unified_diff().context_radius(3).to_string()).into_owned(),
    }
}
