//! A `<details>` element around a fence. Blank lines after the summary and before the end are required: forges show
//! the fence as text without them.

use super::text;

/// A fold with this summary, which is HTML, around the lines of a diff.
pub(super) fn fold(summary: &str, lines: &str) -> String {
    let fence = text::fence("diff", lines);
    format!("<details>\n<summary>{summary}</summary>\n\n{fence}\n</details>\n\n")
}

/// The same around Markdown, which ends with a line end.
pub(super) fn fold_text(summary: &str, markdown: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n\n{markdown}\n</details>\n\n")
}
