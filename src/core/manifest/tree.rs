//! One spanned tree of a manifest, and typed access to it that reports what does not fit.
//!
//! Parses once, keeps the place of every key and value, and remembers which keys were asked for, so
//! that whatever is left over is an unknown key. Knows no key by name: see [`super::fly`] and
//! [`super::aeroform`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostics::{Diagnostic, Diagnostics, Place, shown};
use super::nesting;
use super::source::Source;
use super::suggest::did_you_mean;

/// A value and where it stands.
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// Most diagnostics of one file that are worth the search for a similar word.
const SUGGESTED: usize = 50;

/// Whose rules a file obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// flyctl reads it: keys match in any case, unknown ones are warned about.
    Fly,
    /// The same, with unknown keys as errors.
    FlyStrict,
    /// Ours: keys match exactly, unknown ones are errors.
    Aeroform,
}

/// Something read, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    pub(super) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }

    pub(super) fn map<U>(self, with: impl FnOnce(T) -> U) -> At<U> {
        At::new(with(self.value), self.span)
    }
}

/// A manifest that is being read, and what was found wrong with it.
pub(super) struct File<'s> {
    pub(super) source: &'s Source<'s>,
    dialect: Dialect,
    found: RefCell<Diagnostics>,
}

impl<'s> File<'s> {
    pub(super) fn new(source: &'s Source<'s>, dialect: Dialect) -> Self {
        let found = RefCell::default();
        Self {
            source,
            dialect,
            found,
        }
    }

    /// The tree of the whole file; none when its syntax is broken, which is then reported.
    pub(super) fn parse(&self) -> Option<DeTable<'_>> {
        let text = &*self.source.text;
        if let Some(span) = nesting::too_deep(text) {
            self.report(
                Diagnostic::error("too_deep", "the file is nested deeper than any manifest is")
                    .at(self.place(span, "too many levels")),
            );
            return None;
        }
        let (tree, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Some(tree.into_inner());
        }
        super::syntax::report(self, &errors);
        None
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    pub(super) fn place(&self, span: Range<usize>, label: impl Into<String>) -> Place {
        let label = label.into();
        self.source
            .place(span, (!label.is_empty()).then_some(label))
    }

    /// Everything found, in the order of the file.
    pub(super) fn into_diagnostics(self) -> Diagnostics {
        let mut found = self.found.into_inner();
        found.sort_by_place();
        found
    }

    /// A hint at what was meant; nothing once so much is wrong that nobody will read it.
    pub(super) fn suggestion<'c>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<String> {
        if self.found.borrow().len() > SUGGESTED {
            return None;
        }
        did_you_mean(word, candidates)
    }

    /// Reports a value of another type than the key takes.
    pub(super) fn wrong_type(&self, key: &str, node: &Node<'_>, wanted: &str) {
        let found = kind(node.get_ref());
        self.report(
            Diagnostic::error("wrong_type", format!("`{key}` takes {wanted}, not {found}"))
                .at(self.place(node.span(), found)),
        );
    }

    /// Reports a value that has the right type and cannot be.
    pub(super) fn bad_value(&self, span: Range<usize>, message: String, help: Option<String>) {
        let diagnostic = Diagnostic::error("bad_value", message).at(self.place(span, ""));
        self.report(Diagnostic { help, ..diagnostic });
    }

    pub(super) fn string(&self, key: &str, node: &Node<'_>) -> Option<At<String>> {
        let Some(text) = node.get_ref().as_str() else {
            self.wrong_type(key, node, "a string");
            return None;
        };
        Some(At::new(text.to_owned(), node.span()))
    }

    pub(super) fn integer(&self, key: &str, node: &Node<'_>, range: Range<u32>) -> Option<At<u32>> {
        let Some(integer) = node.get_ref().as_integer() else {
            self.wrong_type(key, node, "a number");
            return None;
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.and_then(|value| u32::try_from(value).ok());
        let fits = value.filter(|value| range.contains(value));
        if fits.is_none() {
            let (least, most) = (range.start, range.end - 1);
            let number = shown(integer.as_str());
            let message = format!("`{key}` is from {least} to {most}, not {number}");
            self.bad_value(node.span(), message, None);
        }
        Some(At::new(fits?, node.span()))
    }

    pub(super) fn boolean(&self, key: &str, node: &Node<'_>) -> Option<At<bool>> {
        let Some(value) = node.get_ref().as_bool() else {
            self.wrong_type(key, node, "true or false");
            return None;
        };
        Some(At::new(value, node.span()))
    }

    /// A list of strings.
    pub(super) fn strings(&self, key: &str, node: &Node<'_>) -> Option<Vec<At<String>>> {
        let Some(items) = node.get_ref().as_array() else {
            let found = kind(node.get_ref());
            let message = format!("`{key}` takes a list of strings, not {found}");
            let diagnostic = Diagnostic::error("wrong_type", message);
            let diagnostic = diagnostic.at(self.place(node.span(), found));
            let text = node.get_ref().as_str();
            let help = text.map(|text| format!("write it as [{}]", serde_json::Value::from(text)));
            self.report(Diagnostic { help, ..diagnostic });
            return None;
        };
        let wrong = items.iter().find(|item| !item.get_ref().is_str());
        if let Some(item) = wrong {
            let found = kind(item.get_ref());
            let message = format!("`{key}` takes a list of strings, and one of these is {found}");
            self.report(
                Diagnostic::error("wrong_type", message).at(self.place(item.span(), found)),
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

    /// The entries of a list of tables; one table alone counts as a list of one where `single`.
    pub(super) fn tables<'f, 't>(
        &'f self,
        key: &str,
        node: &'t Node<'t>,
        single: bool,
    ) -> Vec<Fields<'f, 't>> {
        match node.get_ref() {
            DeValue::Table(_) if single => self.table(key, node).into_iter().collect(),
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| self.table(key, item))
                .collect(),
            _ if single => {
                self.wrong_type(key, node, "a table");
                Vec::new()
            }
            other => {
                let found = kind(other);
                let message = format!("`{key}` takes a list of tables, not {found}");
                let diagnostic = Diagnostic::error("wrong_type", message)
                    .at(self.place(node.span(), found))
                    .help(format!("write it as `[[{key}]]`"));
                self.report(diagnostic);
                Vec::new()
            }
        }
    }
}

/// The keys of one table, asked for one by one; [`Fields::finish`] reports the rest.
pub(super) struct Fields<'f, 't> {
    pub(super) file: &'f File<'f>,
    /// Where the table is: its header, or the whole of an inline table.
    pub(super) span: Range<usize>,
    /// Its path, as `services.ports`; empty for the file itself.
    name: String,
    table: &'t DeTable<'t>,
    /// The keys that are not in lower case, by their lower-case form.
    folded: BTreeMap<String, &'t Spanned<DeString<'t>>>,
    asked: Vec<&'static str>,
}

impl<'f, 't> Fields<'f, 't> {
    pub(super) fn new(
        file: &'f File<'f>,
        table: &'t DeTable<'t>,
        span: Range<usize>,
        name: String,
    ) -> Self {
        let folded = match file.dialect {
            Dialect::Aeroform => BTreeMap::new(),
            Dialect::Fly | Dialect::FlyStrict => table
                .keys()
                .filter(|key| key.get_ref().contains(|c: char| c.is_ascii_uppercase()))
                .map(|key| (key.get_ref().to_ascii_lowercase(), key))
                .collect(),
        };
        let asked = Vec::new();
        Self {
            file,
            span,
            name,
            table,
            folded,
            asked,
        }
    }

    /// `services.ports`: a key of this table with its path.
    pub(super) fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// The value of a key, and from now on the key is known. `key` is in lower case.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'t Node<'t>> {
        Some(self.take_entry(key)?.1)
    }

    /// The same with the key's own place.
    pub(super) fn take_entry(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Node<'t>)> {
        self.asked.push(key);
        let (key, node) = match self.table.get_key_value(key) {
            Some(found) => found,
            None => self
                .table
                .get_key_value(&**self.folded.get(key)?.get_ref())?,
        };
        Some((key.span(), node))
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.table.contains_key(key) || self.folded.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn string(&mut self, key: &'static str) -> Option<At<String>> {
        let node = self.take(key)?;
        self.file.string(&self.path(key), node)
    }

    /// A string as it goes into a Machine's config: an empty one is none.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let text = self.string(key)?.value;
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn integer(&mut self, key: &'static str, range: Range<u32>) -> Option<At<u32>> {
        let node = self.take(key)?;
        self.file.integer(&self.path(key), node, range)
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        Some(self.file.boolean(&self.path(key), node)?.value)
    }

    pub(super) fn strings(&mut self, key: &'static str) -> Option<Vec<At<String>>> {
        let node = self.take(key)?;
        self.file.strings(&self.path(key), node)
    }

    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        let node = self.take(key)?;
        self.file.table(&self.path(key), node)
    }

    /// The tables of a `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let path = self.path(key);
        let node = self.take(key);
        node.map_or_else(Vec::new, |node| self.file.tables(&path, node, false))
    }

    /// The tables of a `[[key]]` that may also be written as one `[key]`.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Self> {
        let path = self.path(key);
        let node = self.take(key);
        node.map_or_else(Vec::new, |node| self.file.tables(&path, node, true))
    }

    /// Keys that are right and say nothing about Machines.
    pub(super) fn accept(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// All entries, for a table whose keys are names; in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'t str, Range<usize>, &'t Node<'t>)> {
        let entries = self.table.iter();
        let mut entries: Vec<_> = entries
            .map(|(key, node)| (&**key.get_ref(), key.span(), node))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let any_case = self.file.dialect != Dialect::Aeroform;
        let is_asked = |key: &str| {
            let asked = self.asked.iter();
            asked
                .into_iter()
                .any(|k| *k == key || (any_case && k.eq_ignore_ascii_case(key)))
        };
        let unknown = self.entries().into_iter();
        for (key, span, _) in unknown.filter(|(key, _, _)| !is_asked(key)) {
            let what = match self.name.as_str() {
                "" => format!("unknown key {}", shown(key)),
                name => format!("unknown key {} in `{name}`", shown(key)),
            };
            let diagnostic = match self.file.dialect {
                Dialect::Fly => {
                    Diagnostic::warning("unknown_key", format!("{what}: Fly ignores it"))
                }
                Dialect::FlyStrict | Dialect::Aeroform => Diagnostic::error("unknown_key", what),
            };
            let help = self.file.suggestion(key, self.asked.iter().copied());
            let diagnostic = diagnostic.at(self.file.place(span, ""));
            self.file.report(Diagnostic { help, ..diagnostic });
        }
    }
}

/// A value's type with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
