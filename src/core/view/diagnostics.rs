//! Shows people what is wrong with a manifest, with the line and a caret. What programs get is
//! [`super::json::validate`].

use std::borrow::Cow;
use std::fmt::{self, Write};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::core::escape::{safe, safe_lines};
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
        writeln!(out, "{}\n", arrows(&renderer.render(&[group(diagnostic)])))?;
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let hidden = (errors + warnings).saturating_sub(SHOWN);
    if hidden > 0 {
        writeln!(out, "… and {hidden} more: {}", counts(errors, warnings))?;
    }
    Ok(())
}

/// The renderer begins the line of another place with `:::`, which a CI runner takes for the beginning of a command;
/// where it names no place the line says nothing.
fn arrows(text: &str) -> String {
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    for line in text.lines() {
        let color =
            |c: char| c.is_whitespace() || matches!(c, '\u{1b}' | '[' | ';' | 'm' | '0'..='9');
        match line.trim_start_matches(color).strip_prefix(":::") {
            None => lines.push(line.into()),
            Some(rest) if rest.trim_matches(color).is_empty() => {}
            Some(_) => lines.push(line.replacen(":::", "-->", 1).into()),
        }
    }
    lines.join("\n")
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
    let title = level
        .primary_title(safe_lines(&diagnostic.message))
        .id(diagnostic.code);
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
            let origin = Origin::path(safe(&place.file))
                .line(place.line)
                .char_column(place.column);
            group.element(origin).element(snippet(kind, place))
        } else {
            group.element(snippet(kind, place).path(safe(&place.file)))
        };
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(safe_lines(help))),
        None => group,
    }
}

fn is_cut(place: &Place) -> bool {
    place.excerpt[..place.caret.start].chars().count() + 1 != place.column
}

fn snippet(kind: AnnotationKind, place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let label = place.label.as_deref().map(safe);
    Snippet::source(&place.excerpt)
        .line_start(place.line)
        .annotation(kind.span(place.caret.clone()).label(label))
}
