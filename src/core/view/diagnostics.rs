//! Shows what is wrong with a manifest: for people with the line and a caret, for programs as JSON.

use std::fmt::{self, Write};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::core::manifest::{Diagnostic, Diagnostics, Place, Severity};

/// Most diagnostics that are shown at once.
const SHOWN: usize = 20;

/// Writes the first twenty, errors before warnings, and how many there are.
pub fn render(
    diagnostics: &Diagnostics,
    color: bool,
    width: usize,
    out: &mut dyn Write,
) -> fmt::Result {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer
        .decor_style(DecorStyle::Ascii)
        .term_width(width.max(20));
    for diagnostic in diagnostics.iter().take(SHOWN) {
        writeln!(out, "{}\n", renderer.render(&[group(diagnostic)]))?;
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let hidden = (errors + warnings).saturating_sub(SHOWN);
    if hidden > 0 {
        writeln!(out, "… and {hidden} more: {}", counts(errors, warnings))?;
    }
    Ok(())
}

/// `2 errors, 1 warning`; empty when there is nothing.
pub fn counts(errors: usize, warnings: usize) -> String {
    let part = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    };
    let parts = [part(errors, "error"), part(warnings, "warning")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let primary = diagnostic
        .place
        .iter()
        .map(|place| (AnnotationKind::Primary, place));
    let others = diagnostic
        .also
        .iter()
        .map(|place| (AnnotationKind::Context, place));
    for (kind, place) in primary.chain(others) {
        // The renderer counts columns in what it is given: of a line that is shown in part, it
        // would count wrong.
        group = if is_cut(place) {
            let origin = Origin::path(&place.file)
                .line(place.line)
                .char_column(place.column);
            group.element(origin).element(snippet(kind, place))
        } else {
            group.element(snippet(kind, place).path(&place.file))
        };
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    }
}

fn is_cut(place: &Place) -> bool {
    place.excerpt[..place.caret.start].chars().count() + 1 != place.column
}

fn snippet(kind: AnnotationKind, place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(&place.excerpt)
        .line_start(place.line)
        .annotation(kind.span(place.caret.clone()).label(place.label.as_deref()))
}

/// One diagnostic for programs.
#[derive(Debug, Serialize)]
pub struct DiagnosticView<'d> {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Stable name of this kind of mistake.
    pub code: &'static str,
    /// What is wrong and why.
    pub message: &'d str,
    /// Where, if it is anywhere.
    #[serde(flatten)]
    pub place: Option<PlaceView<'d>>,
    /// Other places that take part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PlaceView<'d>>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'d str>,
}

/// A spot in a file for programs.
#[derive(Debug, Serialize)]
pub struct PlaceView<'d> {
    /// The file, as shown to people.
    pub file: &'d str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte offset of its start.
    pub start: usize,
    /// Byte offset behind its end.
    pub end: usize,
    /// What is said beside the caret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'d str>,
}

/// All of them for programs, errors before warnings.
pub fn json(diagnostics: &Diagnostics) -> Vec<DiagnosticView<'_>> {
    diagnostics.iter().map(view).collect()
}

fn view(diagnostic: &Diagnostic) -> DiagnosticView<'_> {
    DiagnosticView {
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: diagnostic.code,
        message: &diagnostic.message,
        place: diagnostic.place.as_ref().map(place),
        also: diagnostic.also.iter().map(place).collect(),
        help: diagnostic.help.as_deref(),
    }
}

fn place(place: &Place) -> PlaceView<'_> {
    PlaceView {
        file: &place.file,
        line: place.line,
        column: place.column,
        start: place.span.start,
        end: place.span.end,
        label: place.label.as_deref(),
    }
}
