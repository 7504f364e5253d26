//! The changes of an edit to the files.

use std::fmt;

use crate::core::view::file_edit::{FileEdit, LineKind};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::{Label, Style};

/// Writes the changed lines of each file, followed by an empty line.
pub fn edits(files: &[FileEdit], style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    for file in files {
        let mut line = Line::new(0).push(Label::Strong, &file.path);
        if file.before.is_none() {
            line.add(Label::Dim, "  (new)");
        }
        page.line(&line)?;
        for (at, piece) in file.hunks().into_iter().enumerate() {
            if at > 0 {
                page.line(&Line::new(4).push(Label::Dim, "…"))?;
            }
            for (side, text) in piece {
                let (label, sign) = match side {
                    LineKind::Removed => (Label::Destroy, "-"),
                    LineKind::Added => (Label::Create, "+"),
                    LineKind::Unchanged => (Label::Dim, ""),
                };
                let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
                let text = text.trim_start_matches([' ', '\t']);
                let line = Line::new(2).push(label, sign).pad_to_column(4 + blanks);
                page.line(&line.hang(6 + blanks).push(label, text))?;
            }
        }
        page.blank()?;
    }
    Ok(())
}
