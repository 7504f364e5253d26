//! A command that failed: its document without a plan, and its part of the document of a plan.

use super::MarkdownStyle;
use super::caution::{Caution, CautionKind, CautionLine};
use super::frame::{self, Footer, Marker};
use super::layout::{Layout, OverBudget};
use crate::core::fleet::AppName;
use crate::core::view::phrases::count_noun;

/// The error of a command.
#[derive(Debug, Clone, Copy)]
pub struct FailureText<'a> {
    /// The verb.
    pub command: &'a str,
    /// The app, if it is known already.
    pub app: Option<&'a AppName>,
    /// What happened.
    pub message: &'a str,
    /// Its stable code.
    pub code: &'a str,
    /// Why.
    pub causes: &'a [String],
    /// What to do.
    pub hint: Option<&'a str>,
}

impl FailureText<'_> {
    /// `hint: …`
    pub(super) fn hint_sentence(&self) -> Option<String> {
        self.hint.map(|hint| format!("hint: {hint}"))
    }
}

/// The error and its causes, without those that the document has elsewhere.
pub(super) fn error_lines(
    failed: &FailureText<'_>,
    is_said: impl Fn(&str) -> bool,
    program: &'static str,
) -> CautionKind {
    let line = |head: &str, message: &str| CautionLine {
        head: head.to_owned(),
        message: frame::with_program(message, program),
        ..CautionLine::default()
    };
    let causes = failed.causes.iter().filter(|cause| !is_said(cause));
    let causes = causes.map(|cause| line("caused by:", cause));
    let lines = [line(
        "**Error:**",
        &format!("{} ({})", failed.message, failed.code),
    )];
    CautionKind {
        prefix: "",
        lines: lines.into_iter().chain(causes).collect(),
        fold: |n, _, all| {
            if all {
                "**Error**".to_owned()
            } else {
                format!("and {}", count_noun(n, "more cause"))
            }
        },
    }
}

/// The document of a failure.
pub fn failure(failed: &FailureText<'_>, style: &MarkdownStyle) -> Result<String, OverBudget> {
    let mut caution = Caution::default();
    caution.add(error_lines(failed, |_| false, style.program));
    let mut layout = Layout::default();
    let marker = Marker::new(failed.command, failed.app, None);
    frame::open(&marker, &format!("{} failed", failed.command), &mut layout);
    let block = caution.place(&mut layout);
    let footer = Footer {
        sentences: failed.hint_sentence().into_iter().collect(),
        complete: "The log of the job has everything.".to_owned(),
    };
    let footer = footer.place(style, &mut layout);
    caution.first_cuts(block, &mut layout);
    caution.last_cuts(block, &mut layout);
    footer.last_cut(&mut layout);
    layout.fit(style.budget)
}
