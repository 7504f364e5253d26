//! The tree of a manifest with spans, and typed access to its values with diagnostics.
//!
//! Parses once and keeps the span of every key and value. Knows no keys; [`super::fields`] reads the keys of a table.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use crate::core::fleet::Region;
use crate::core::fleet::normalise::is_valid_image_ref;
use crate::core::fleet::profile::profile;

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, SourceLocation, quote_text};
use super::fields::Fields;
use super::format::{self, Format};
use super::source::Source;
use super::suggest::did_you_mean;
use super::value::{Node, Table, Value};

/// Maximum diagnostics of one file with a suggestion.
const MAX_SUGGESTIONS: usize = 50;

/// Maximum diagnostics with a quoted line; fewer are kept.
const MAX_QUOTED: usize = 200;

/// The rules for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// flyctl reads it: keys match in any case, unknown ones are warned about.
    Fly,
    /// The same, with unknown keys as errors.
    FlyStrict,
    /// Ours: keys match exactly, unknown ones are errors.
    Aeroform,
}

/// A value with its span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> Located<T> {
    pub(super) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }

    pub(super) fn map<U>(self, with: impl FnOnce(T) -> U) -> Located<U> {
        Located::new(with(self.value), self.span)
    }
}

/// A manifest with its diagnostics.
pub(super) struct ManifestFile<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) dialect: Dialect,
    provider: OnceCell<String>,
    regions: OnceCell<BTreeSet<Region>>,
    diagnostics: RefCell<Diagnostics>,
}

impl<'s> ManifestFile<'s> {
    pub(super) fn new(source: &'s Source<'s>, dialect: Dialect) -> Self {
        let found = RefCell::default();
        Self {
            source,
            dialect,
            provider: OnceCell::new(),
            regions: OnceCell::new(),
            diagnostics: found,
        }
    }

    /// Sets the provider; the first call wins.
    pub(super) fn set_provider(&self, provider: &str) {
        self.provider.get_or_init(|| provider.to_owned());
    }

    /// Whether Fly's sizes and regions apply; otherwise sizes are only shown, and regions are names.
    pub(super) fn runs_on_fly(&self) -> bool {
        self.provider
            .get()
            .is_some_and(|provider| profile(provider).has_fly_sizes)
    }

    /// Sets the regions that the platform reported, in addition to the built-in list.
    pub(super) fn set_platform_regions(&self, regions: &BTreeSet<Region>) {
        self.regions.get_or_init(|| regions.clone());
    }

    /// Whether the platform's regions were read.
    pub(super) fn has_platform_regions(&self) -> bool {
        self.regions.get().is_some_and(|named| !named.is_empty())
    }

    /// Whether the platform reported this region.
    pub(super) fn is_platform_region(&self, region: &Region) -> bool {
        let named = self.regions.get();
        named.is_some_and(|regions| regions.contains(region))
    }

    /// The file's format.
    pub(super) fn format(&self) -> Format {
        Format::of(self.source.path)
    }

    /// The tree of the file; none after a syntax error, which is reported.
    pub(super) fn parse(&self) -> Option<Table<'_>> {
        format::parse(self)
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    pub(super) fn location(&self, span: Range<usize>, label: impl Into<String>) -> SourceLocation {
        let label = label.into();
        // Searching long lines for secrets is too slow for diagnostics that are not shown.
        let found = self.diagnostics.borrow();
        if found.len() > MAX_QUOTED {
            return self.source.bare_location(span);
        }
        self.source
            .location(span, (!label.is_empty()).then_some(label))
    }

    /// All diagnostics, in the order of the file.
    pub(super) fn into_diagnostics(self) -> Diagnostics {
        let mut found = self.diagnostics.into_inner();
        found.sort_by_location();
        found
    }

    /// A suggestion; none after many diagnostics.
    pub(super) fn suggestion<'c>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<String> {
        if self.diagnostics.borrow().len() > MAX_SUGGESTIONS {
            return None;
        }
        did_you_mean(word, candidates)
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&self, key: &str, node: &Node<'_>, expected: &str) {
        let found = node.get_ref().kind();
        self.report(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!("`{key}` takes {expected}, not {found}"),
            )
            .with_location(self.location(node.span(), found)),
        );
    }

    /// Reports a value of the right type that is not allowed.
    pub(super) fn bad_value(&self, span: Range<usize>, message: String, help: Option<String>) {
        let diagnostic =
            Diagnostic::error(codes::BAD_VALUE, message).with_location(self.location(span, ""));
        self.report(Diagnostic { help, ..diagnostic });
    }

    /// The text, if it is a valid image reference.
    pub(super) fn image(&self, text: Located<String>) -> Option<Located<String>> {
        if is_valid_image_ref(&text.value) {
            return Some(text);
        }
        let message = format!("{} is not an image reference", quote_text(&text.value));
        let help = "write it as `registry/name:tag`, or with its digest: `registry/name@sha256:…`";
        self.bad_value(text.span, message, Some(help.to_owned()));
        None
    }

    pub(super) fn string(&self, key: &str, node: &Node<'_>) -> Option<Located<String>> {
        let Some(text) = node.get_ref().as_str() else {
            self.wrong_type(key, node, "a string");
            return None;
        };
        Some(Located::new(text.to_owned(), node.span()))
    }

    pub(super) fn integer(
        &self,
        key: &str,
        node: &Node<'_>,
        range: Range<u32>,
    ) -> Option<Located<u32>> {
        let Value::Integer(integer) = node.get_ref() else {
            self.wrong_type(key, node, "a number");
            return None;
        };
        let value = integer.as_i64();
        let value = value.and_then(|value| u32::try_from(value).ok());
        let fits = value.filter(|value| range.contains(value));
        if fits.is_none() {
            let (least, most) = (range.start, range.end - 1);
            let number = quote_text(integer.as_str());
            let message = if range.end < u32::MAX {
                format!("`{key}` is from {least} to {most}, not {number}")
            } else if integer.as_str().starts_with('-') {
                format!("`{key}` is at least {least}, not {number}")
            } else {
                format!("`{key}`: {number} is too large")
            };
            self.bad_value(node.span(), message, None);
        }
        Some(Located::new(fits?, node.span()))
    }

    pub(super) fn boolean(&self, key: &str, node: &Node<'_>) -> Option<Located<bool>> {
        let Value::Boolean(value) = node.get_ref() else {
            self.wrong_type(key, node, "true or false");
            return None;
        };
        Some(Located::new(*value, node.span()))
    }

    /// A list of strings.
    pub(super) fn strings(&self, key: &str, node: &Node<'_>) -> Option<Vec<Located<String>>> {
        let Value::Array(items) = node.get_ref() else {
            let found = node.get_ref().kind();
            let message = format!("`{key}` takes a list of strings, not {found}");
            let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message);
            let diagnostic = diagnostic.with_location(self.location(node.span(), found));
            let text = node.get_ref().as_str();
            let help = text.map(|text| format!("write it as [{}]", serde_json::Value::from(text)));
            self.report(Diagnostic { help, ..diagnostic });
            return None;
        };
        let wrong = items.iter().find(|item| item.get_ref().as_str().is_none());
        if let Some(item) = wrong {
            let found = item.get_ref().kind();
            let message = format!("`{key}` takes a list of strings, but one item is {found}");
            self.report(
                Diagnostic::error(codes::WRONG_TYPE, message)
                    .with_location(self.location(item.span(), found)),
            );
            return None;
        }
        let items = items.iter();
        Some(items.filter_map(|item| self.string(key, item)).collect())
    }

    /// The fields of a table.
    pub(super) fn table<'f, 't>(&'f self, key: &str, node: &'t Node<'t>) -> Option<Fields<'f, 't>> {
        let Some(table) = node.get_ref().as_table() else {
            self.wrong_type(key, node, "a table");
            return None;
        };
        Some(Fields::new(self, table, node.span(), key.to_owned()))
    }

    /// The entries of a list of tables; with `single`, one table is a list of one.
    pub(super) fn tables<'f, 't>(
        &'f self,
        key: &str,
        node: &'t Node<'t>,
        single: bool,
    ) -> Vec<Fields<'f, 't>> {
        match node.get_ref() {
            Value::Table(_) if single => self.table(key, node).into_iter().collect(),
            Value::Array(items) => items
                .iter()
                .filter_map(|item| self.table(key, item))
                .collect(),
            _ if single => {
                self.wrong_type(key, node, "a table");
                Vec::new()
            }
            other => {
                let found = other.kind();
                let message = format!("`{key}` takes a list of tables, not {found}");
                let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message)
                    .with_location(self.location(node.span(), found))
                    .help(format!("write it as `[[{key}]]`"));
                self.report(diagnostic);
                Vec::new()
            }
        }
    }
}
