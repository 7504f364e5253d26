//! Diagnostics of a manifest as data: severity, stable code, message, locations.
//!
//! `core::view::diagnostics` prints them. Text from a file is passed through `quote_text` before it becomes part of a
//! message.

use std::ops::Range;

use crate::core::code::Code;
use crate::core::escape::safe;
use crate::core::fleet::secret::patterns;

/// Its severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest does not load.
    Error,
    /// The manifest still loads.
    Warning,
}

/// A location in a file, with an excerpt of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The displayed path of the file.
    pub file: String,
    /// Byte range in the file.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, or part of a long line; safe to print.
    pub excerpt: String,
    /// Byte range in `excerpt`.
    pub caret: Range<usize>,
    /// Label of the caret.
    pub label: Option<String>,
}

impl SourceLocation {
    /// The same location, with the rest of its line replaced by `excerpt`.
    pub(super) fn with_excerpt(mut self, excerpt: &str) -> Self {
        let spot = self.excerpt[self.caret].to_owned();
        self.caret = 0..spot.len();
        self.excerpt = format!("{spot} = {excerpt}");
        self
    }
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its severity.
    pub severity: Severity,
    /// Its stable code (`unknown_key`).
    pub code: &'static str,
    /// What is wrong and why.
    pub message: String,
    /// Its location; none if it concerns the whole file or something missing.
    pub location: Option<SourceLocation>,
    /// Other related locations.
    pub related: Vec<SourceLocation>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error, which prevents loading.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.name(),
            message: message.into(),
            location: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning, with which the manifest still loads.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Sets the location.
    #[must_use]
    pub fn with_location(mut self, location: SourceLocation) -> Self {
        self.location = Some(location);
        self
    }

    /// Adds a related location.
    #[must_use]
    pub fn with_related(mut self, location: SourceLocation) -> Self {
        self.related.push(location);
        self
    }

    /// Sets the help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// Maximum diagnostics kept per severity; more are only counted.
const MAX_KEPT: usize = 100;

/// Diagnostics of the manifests: the first of each severity, and total counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MAX_KEPT {
            self.items.push(diagnostic);
        }
    }

    /// Appends another collection.
    pub fn extend(&mut self, other: Self) {
        let (errors, warnings) = (self.errors + other.errors, self.warnings + other.warnings);
        for item in other.items {
            self.push(item);
        }
        (self.errors, self.warnings) = (errors, warnings);
    }

    /// The kept diagnostics: errors first, each kind in the order of the files.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let of = |severity| move |d: &&Diagnostic| d.severity == severity;
        let errors = self.items.iter().filter(of(Severity::Error));
        errors.chain(self.items.iter().filter(of(Severity::Warning)))
    }

    /// The diagnostics without these codes.
    #[must_use]
    pub fn without(&self, kinds: &[Code]) -> Self {
        let is_other = |item: &&Diagnostic| kinds.iter().all(|code| code.name() != item.code);
        let mut rest = self.clone();
        rest.items.retain(|item| is_other(&item));
        let gone = |severity| {
            let of = |items: &[Diagnostic]| items.iter().filter(|d| d.severity == severity).count();
            of(&self.items) - of(&rest.items)
        };
        let (errors, warnings) = (gone(Severity::Error), gone(Severity::Warning));
        rest.errors -= errors;
        rest.warnings -= warnings;
        rest
    }

    /// Makes the diagnostic of this code at this place the first error, and drops what it explains: diagnostics of the
    /// kinds `follow_ups`. Nothing changes where none of these is an error.
    pub(super) fn lead_with(&mut self, code: Code, span: &Range<usize>, follow_ups: &[Code]) {
        let is_cause = |item: &Diagnostic| {
            item.code == code.name() && item.location.as_ref().is_some_and(|at| at.span == *span)
        };
        let is_follow_up =
            |item: &Diagnostic| follow_ups.iter().any(|code| code.name() == item.code);
        let mut follow_ups = self.items.iter().filter(|item| is_follow_up(item));
        if !follow_ups.any(|item| item.severity == Severity::Error) {
            return;
        }
        let Some(at) = self.items.iter().position(is_cause) else {
            return;
        };
        let mut removed = vec![self.items.remove(at)];
        removed.extend(self.items.extract_if(.., |item| is_follow_up(item)));
        for item in &removed {
            match item.severity {
                Severity::Error => self.errors -= 1,
                Severity::Warning => self.warnings -= 1,
            }
        }
        let mut cause = removed.swap_remove(0);
        cause.severity = Severity::Error;
        self.errors += 1;
        self.items.insert(0, cause);
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The number of warnings.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// The number that are counted but not kept.
    pub fn omitted(&self) -> usize {
        self.len() - self.items.len()
    }

    /// Removes quoted text of a file; locations are kept.
    pub(super) fn redact_excerpts(&mut self, file: &str) {
        for item in &mut self.items {
            let locations = item.location.iter_mut().chain(&mut item.related);
            let mut quoted = false;
            for location in locations.filter(|location| location.file == file) {
                location.excerpt.clear();
                location.caret = 0..0;
                location.label = None;
                quoted = true;
            }
            if quoted {
                let line = item.location.as_ref().map_or(0, |location| location.line);
                item.message = format!(
                    "line {line} is invalid; it is not shown, because the file name is not that of a manifest"
                );
                item.help = Some("use a file that ends in `.toml`, `.json` or `.yaml`".to_owned());
            }
        }
    }

    /// Whether the manifest does not load.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.errors + self.warnings
    }

    /// Sorts the diagnostics of one file by location.
    pub(super) fn sort_by_location(&mut self) {
        self.items.sort_by_key(|d| {
            d.location
                .as_ref()
                .map_or(0, |location| location.span.start)
        });
    }
}

/// Text from a file in backticks, shortened and safe to print.
pub(super) fn quote_text(text: &str) -> String {
    const LONGEST: usize = 60;
    // More than is shown, so that a secret that starts in it is recognised.
    const ENOUGH: usize = 400;
    let enough = text
        .char_indices()
        .nth(ENOUGH)
        .map_or(text, |(end, _)| &text[..end]);
    let text = patterns::redact(enough);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", safe(&text[..end])),
        None => format!("`{}`", safe(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::manifest::codes;

    #[test]
    fn text_of_a_file_is_short_and_harmless_in_a_message() {
        assert_eq!(quote_text("web"), "`web`");
        assert_eq!(quote_text("a\u{1b}[31m\u{202e}"), "`a\\u{1b}[31m\\u{202e}`");
        assert_eq!(quote_text("::error::x"), "`\\u{3a}:error::x`");
        assert_eq!(quote_text(&"x".repeat(1000)).chars().count(), 63);
    }

    #[test]
    fn of_very_many_the_first_are_kept_and_all_are_counted() {
        let mut found = Diagnostics::default();
        for n in 0..30_000 {
            found.push(Diagnostic::error(codes::SYNTAX, n.to_string()));
        }
        found.push(Diagnostic::warning(codes::CLAMPED, "one"));
        assert_eq!((found.errors(), found.warnings()), (30_000, 1));
        let mut both = found.clone();
        both.extend(found);
        assert_eq!((both.errors(), both.warnings()), (60_000, 2));
        let diagnostics: Vec<_> = both.iter().collect();
        assert_eq!(diagnostics.len(), MAX_KEPT + 2);
        assert_eq!(diagnostics[MAX_KEPT - 1].message, "99");
        let none = both.without(&[codes::CLAMPED]);
        assert_eq!((none.errors(), none.warnings()), (60_000, 0));
    }

    #[test]
    fn errors_come_before_warnings() {
        let mut found = Diagnostics::default();
        found.push(Diagnostic::warning(codes::CLAMPED, "one"));
        found.push(Diagnostic::error(codes::SYNTAX, "two"));
        let codes: Vec<_> = found.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["syntax", "clamped"]);
        assert_eq!((found.errors(), found.warnings()), (1, 1));
    }
}
