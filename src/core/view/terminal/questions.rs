//! The words of what is asked before a plan is carried out; asking is the ui's.

use std::fmt;

use crate::core::plan::{Revert, TypedConfirmation};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::{Label, Style};

/// What is asked when y answers it.
pub const CONFIRM_APPLY: &str = "Apply this plan?";

/// What is asked where files change and no Machine does.
pub const CONFIRM_WRITE: &str = "Write this?";

/// Writes what a typed name answers: what goes, and which name.
pub fn question(typed: &TypedConfirmation, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let line = Line::new(0)
        .push(Label::Destroy, format!("This {}.", typed.why))
        .push(Label::Plain, " It cannot be undone.");
    page.line(&line)
}

/// Writes what a typed release number answers: what is taken back.
pub fn release_question(revert: &Revert, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let line = Line::new(0)
        .push(Label::Destroy, format!("This {}.", revert.describe()))
        .push(Label::Plain, " Someone else deployed that release.");
    page.line(&line)
}

/// The prompt at which a release number is typed.
pub fn release_prompt(number: &str) -> String {
    format!("Type the release's number, {number}, to continue")
}

/// The prompt at which it is typed.
pub fn prompt(typed: &TypedConfirmation) -> String {
    let what = match &typed.group {
        Some(_) => "the group's name",
        None => "the app's name",
    };
    let name = crate::core::view::escape::safe(&typed.name);
    format!("Type {what}, {name}, to continue")
}
