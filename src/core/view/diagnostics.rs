//! Prints diagnostics of a manifest with line and caret. For programs see [`super::json::validate`].

use std::borrow::Cow;
use std::fmt::{self, Write};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::core::escape::{safe, safe_lines};
use crate::core::manifest::{Diagnostic, Diagnostics, Severity, SourceLocation};

/// Maximum diagnostics shown.
const MAX_SHOWN: usize = 20;

/// Writes the first twenty, errors before warnings, and the total. Sentences do not wrap.
pub fn render(
    diagnostics: &Diagnostics,
    color: bool,
    width: usize,
    out: &mut dyn Write,
) -> fmt::Result {
    render_wrapped(diagnostics, color, width, usize::MAX, out)
}

/// The same, with snippets truncated at `width` and sentences wrapped at `sentences`.
pub fn render_wrapped(
    diagnostics: &Diagnostics,
    color: bool,
    width: usize,
    sentences: usize,
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
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        writeln!(
            out,
            "{}\n",
            replace_ci_command_marks(&renderer.render(&[annotation_group(diagnostic, sentences)]))
        )?;
    }
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    let hidden = (errors + warnings).saturating_sub(MAX_SHOWN);
    if hidden > 0 {
        writeln!(out, "… and {hidden} more: {}", count_text(errors, warnings))?;
    }
    Ok(())
}

/// The renderer starts the line of another location with `:::`, which a CI runner would read as a command. A line
/// without a location is dropped.
fn replace_ci_command_marks(text: &str) -> String {
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

/// `2 errors, 1 warning`; empty without any.
pub fn count_text(errors: usize, warnings: usize) -> String {
    let part = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    };
    let parts = [part(errors, "error"), part(warnings, "warning")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Wraps the text between words. Text between backquotes is for copying and stays on one line.
fn wrapped(text: Cow<'_, str>, width: usize) -> Cow<'_, str> {
    if text.lines().all(|line| line.chars().count() <= width) {
        return text;
    }
    let lines = text.lines().map(|line| {
        let mut shown = String::new();
        let (mut column, mut in_quotes) = (0, false);
        for (at, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 {
                let rest = &line[shown.len() + 1..];
                let breaks = column > 0 && !in_quotes && column + 1 + unbroken(rest) > width;
                shown.push(if breaks { '\n' } else { ' ' });
                column = if breaks { 0 } else { column + 1 };
            }
            shown.push_str(word);
            column += length;
            in_quotes ^= word.matches('`').count() % 2 == 1;
        }
        shown
    });
    lines.collect::<Vec<_>>().join("\n").into()
}

/// Length of the first word, including a quotation that starts in it.
fn unbroken(rest: &str) -> usize {
    let mut open = false;
    let mut length = 0;
    for part in rest.split(' ') {
        length += part.chars().count();
        open ^= part.matches('`').count() % 2 == 1;
        if !open {
            break;
        }
        length += 1;
    }
    length
}

fn annotation_group(diagnostic: &Diagnostic, sentences: usize) -> Group<'_> {
    let (level, begin) = match diagnostic.severity {
        Severity::Error => (Level::ERROR, "error[]: "),
        Severity::Warning => (Level::WARNING, "warning[]: "),
    };
    let left = |begin: usize| sentences.saturating_sub(begin).max(20);
    let message = left(begin.len() + diagnostic.code.len());
    let title = level
        .primary_title(wrapped(safe_lines(&diagnostic.message), message))
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    let primary = diagnostic
        .location
        .iter()
        .map(|location| (AnnotationKind::Primary, location));
    let others = diagnostic
        .related
        .iter()
        .map(|location| (AnnotationKind::Context, location));
    for (kind, location) in primary.chain(others) {
        // The renderer would count columns wrong in a line that is shown in part.
        group = if is_truncated(location) {
            let origin = Origin::path(safe(&location.file))
                .line(location.line)
                .char_column(location.column);
            group.element(origin).element(snippet(kind, location))
        } else {
            group.element(snippet(kind, location).path(safe(&location.file)))
        };
    }
    match &diagnostic.help {
        Some(help) => {
            let numbers = diagnostic.location.iter().chain(&diagnostic.related);
            let widest = numbers
                .map(|location| location.line.to_string().len())
                .max();
            let help = wrapped(
                safe_lines(help),
                left(widest.unwrap_or(0) + " = help: ".len()),
            );
            group.element(Level::HELP.message(help))
        }
        None => group,
    }
}

fn is_truncated(location: &SourceLocation) -> bool {
    location.excerpt[..location.caret.start].chars().count() + 1 != location.column
}

fn snippet(
    kind: AnnotationKind,
    location: &SourceLocation,
) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let label = location.label.as_deref().map(safe);
    Snippet::source(&location.excerpt)
        .line_start(location.line)
        .annotation(kind.span(location.caret.clone()).label(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_wrap_between_words_and_commands_are_not_split() {
        let wrap = |text: &'static str, width| wrapped(text.into(), width).into_owned();
        assert_eq!(wrap("a few words", 80), "a few words");
        assert_eq!(wrap("a few short words", 9), "a few\nshort\nwords");
        assert_eq!(
            wrap("begin with `aeroform init` now", 20),
            "begin with\n`aeroform init` now"
        );
        assert_eq!(
            wrap("an-extremely-long-word is", 5),
            "an-extremely-long-word\nis"
        );
        assert_eq!(
            wrap("write:\n  a = \"b\"\nor `x", 9),
            "write:\n  a = \"b\"\nor `x"
        );
    }
}
