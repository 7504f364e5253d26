//! Turns errors of the TOML parser into diagnostics.
//!
//! The parser continues after an error, and one mistake can cause several on its line, so only the first of each line
//! is reported. A repeated key is reported with both locations.

use std::ops::Range;

use toml::de::Error;

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::tree::ManifestFile;

/// Maximum lines reported; a file with more errors is not TOML.
const MAX_REPORTED: usize = 1000;

/// Maximum errors for which the first of two equal keys is searched.
const MAX_SEARCHED: usize = 20;

pub(super) fn report(file: &ManifestFile<'_>, errors: &[Error]) {
    let mut spans: Vec<(Range<usize>, &Error)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or(0..0), error))
        .collect();
    spans.sort_by_key(|(span, _)| span.start);
    let conflict = spans
        .iter()
        .find(|(span, _)| is_conflict_marker(file.source.line_text(file.source.line(span.start))));
    if let Some((span, _)) = conflict {
        file.report(self::conflict(file, span.clone()));
        return;
    }
    let mut last_line = 0;
    let mut reported = 0;
    for (span, error) in spans {
        let line = file.source.line(span.start);
        if line == last_line {
            continue;
        }
        if reported == MAX_REPORTED {
            break;
        }
        last_line = line;
        reported += 1;
        file.report(if error.message() == "duplicate key" {
            duplicate(file, span, reported <= MAX_SEARCHED)
        } else {
            syntax_error(file, span, error.message())
        });
    }
}

/// A merge that was not finished.
pub(super) fn conflict(file: &ManifestFile<'_>, span: Range<usize>) -> Diagnostic {
    Diagnostic::error(
        codes::MERGE_CONFLICT,
        "the file contains merge conflict markers",
    )
    .with_location(file.location(span, ""))
    .help("resolve the conflict and remove the markers")
}

fn syntax_error(file: &ManifestFile<'_>, span: Range<usize>, message: &str) -> Diagnostic {
    let why = control_character(file, span.start).unwrap_or_else(|| message.to_owned());
    let diagnostic = Diagnostic::error(codes::SYNTAX, format!("the file is not valid TOML: {why}"));
    let text = &file.source.text;
    let opened = match message {
        // The parser reports it at the end of the file; it belongs to the last opening mark.
        _ if message.starts_with("invalid multi-line basic string") => text.rfind("\"\"\""),
        _ if message.starts_with("invalid multi-line literal string") => text.rfind("'''"),
        _ => None,
    };
    match opened {
        Some(opened) if span.start == text.len() => diagnostic
            .with_location(file.location(opened..opened + 3, "opened here and not closed")),
        _ if message.contains("escape") => diagnostic
            .with_location(file.location(span, ""))
            .help("in \"…\" a backslash starts an escape: double it, or use '…'"),
        _ => diagnostic.with_location(file.location(span, "")),
    }
}

/// Whether a line is a merge conflict marker of git.
pub(super) fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<< ", ">>>>>>> "]
        .iter()
        .any(|marker| line.starts_with(marker))
}

/// The parser names what it expected; an invisible character must be named.
fn control_character(file: &ManifestFile<'_>, at: usize) -> Option<String> {
    let c = file.source.text.get(at..)?.chars().next()?;
    let invisible = c.is_control() && !matches!(c, '\n' | '\t');
    invisible.then(|| format!("it contains the control character U+{:04X}", u32::from(c)))
}

fn duplicate(file: &ManifestFile<'_>, span: Range<usize>, search: bool) -> Diagnostic {
    let line = file.source.line(span.start);
    let key = file.source.text.get(span.clone()).unwrap_or_default();
    let text = file.source.line_text(line).trim();
    let what = if text.starts_with('[') {
        let header = text.split('#').next().unwrap_or(text).trim();
        format!("table {}", quote_text(header))
    } else {
        format!("key {}", quote_text(key))
    };
    let diagnostic = Diagnostic::error(codes::DUPLICATE_KEY, format!("{what} is defined twice"))
        .with_location(file.location(span, "again here"))
        .help("keep one of the two");
    match search
        .then(|| find_first_definition(file, line, key))
        .flatten()
    {
        Some(first) => diagnostic.with_related(file.location(first, "first here")),
        None => diagnostic,
    }
}

/// The earlier line that `line` repeats: the same header anywhere above, or the same key in the same table. The parser
/// does not keep its location.
fn find_first_definition(file: &ManifestFile<'_>, line: usize, key: &str) -> Option<Range<usize>> {
    let header = |text: &str| {
        let inside = text.trim().strip_prefix('[')?.trim_start_matches('[');
        Some(inside.split(']').next()?.trim().to_owned())
    };
    let repeated = header(file.source.line_text(line));
    for earlier in (1..line).rev() {
        let text = file.source.line_text(earlier);
        let found = match (&repeated, header(text)) {
            (Some(repeated), found) => found.as_ref() == Some(repeated),
            // A header: lines above belong to another table.
            (None, Some(_)) => return None,
            (None, None) => text
                .trim_start()
                .strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with(['=', '.'])),
        };
        if found {
            let start = file.source.line_start(earlier) + (text.len() - text.trim_start().len());
            return Some(start..file.source.line_start(earlier) + text.trim_end().len());
        }
    }
    None
}
