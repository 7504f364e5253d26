//! Texts of the approval prompts; `ui` shows them.

use std::fmt;

use crate::core::plan::{Revert, TypedConfirmation};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::{Label, Style};

/// Prompt for y or n.
pub const CONFIRM_APPLY: &str = "Apply this plan?";

/// Prompt where only files change.
pub const CONFIRM_WRITE: &str = "Write this?";

/// Writes the effect that a typed name approves.
pub fn question(typed: &TypedConfirmation, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let line = Line::new(0)
        .push(Label::Destroy, format!("This {}.", typed.why))
        .push(Label::Plain, " It cannot be undone.");
    page.line(&line)
}

/// Writes the revert that a typed release number approves.
pub fn release_question(revert: &Revert, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let line = Line::new(0)
        .push(Label::Destroy, format!("This {}.", revert.describe()))
        .push(Label::Plain, " Someone else deployed that release.");
    page.line(&line)
}

/// The prompt for a release number.
pub fn release_prompt(number: &str) -> String {
    format!("Type the release's number, {number}, to continue")
}

/// The prompt for a name.
pub fn prompt(typed: &TypedConfirmation) -> String {
    let what = match &typed.group {
        Some(_) => "the group's name",
        None => "the app's name",
    };
    let name = crate::core::view::escape::safe(&typed.name);
    format!("Type {what}, {name}, to continue")
}
