//! Reads the keys of one table, each with its type.
//!
//! Records which keys were read: all others are unknown, and the known ones are candidates for a suggestion.

use std::collections::BTreeMap;
use std::ops::Range;

use super::aeroform_keys;
use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::reference::{self, FlySection, KeySupport};
use super::tree::{Dialect, Located, ManifestFile};
use super::value::{Node, Table, Value};

/// The keys of one table, read one by one; [`Fields::report_unknown_keys`] reports the rest.
pub(super) struct Fields<'f, 't> {
    pub(super) file: &'f ManifestFile<'f>,
    /// The span of its header, or of an inline table.
    pub(super) span: Range<usize>,
    /// Its path (`services.ports`); empty for the file itself.
    name: String,
    /// The path of its section in the reference, if different.
    section: Option<&'static str>,
    table: &'t Table<'t>,
    /// Whether the keys of all parent tables are in lower case.
    patched: bool,
    /// The keys that are not in lower case, by their lower-case form.
    folded: BTreeMap<String, &'t str>,
    requested: Vec<&'static str>,
}

impl<'f, 't> Fields<'f, 't> {
    pub(super) fn new(
        file: &'f ManifestFile<'f>,
        table: &'t Table<'t>,
        span: Range<usize>,
        name: String,
    ) -> Self {
        let folded = match file.dialect {
            Dialect::Aeroform => BTreeMap::new(),
            Dialect::Fly | Dialect::FlyStrict => table
                .iter()
                .map(|(key, _, _)| key)
                .filter(|key| key.contains(|c: char| c.is_ascii_uppercase()))
                .map(|key| (key.to_ascii_lowercase(), key))
                .collect(),
        };
        let requested = Vec::new();
        Self {
            file,
            span,
            name,
            section: None,
            table,
            patched: true,
            folded,
            requested,
        }
    }

    /// Whether flyctl's patches of old syntax reach the value of this key: they know keys in lower case only
    /// (docs/platform/fly-toml.md 13).
    pub(super) fn patches(&self, key: &str) -> bool {
        self.patched && (self.table.get(key).is_some() || !self.folded.contains_key(key))
    }

    /// Whether flyctl's patches reach the values of a table whose keys are names.
    pub(super) fn patches_values(&self) -> bool {
        self.patched
    }

    /// The same fields as those of a table under `key` of `parent`.
    pub(super) fn under_parent(mut self, parent: &Fields<'_, '_>, key: &str) -> Self {
        self.patched = parent.patches(key);
        self
    }

    /// `services.ports`: a key of this table with its path.
    pub(super) fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// Reads the value of a key and marks the key as known. `key` is in lower case.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'t Node<'t>> {
        Some(self.take_entry(key)?.1)
    }

    /// The same with the key's span.
    pub(super) fn take_entry(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Node<'t>)> {
        self.requested.push(key);
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<(Range<usize>, &'t Node<'t>)> {
        let found = match self.table.get(key) {
            Some(found) => found,
            None => self.table.get(self.folded.get(key)?)?,
        };
        Some(found).filter(|(_, node)| !node.is_null())
    }

    /// The value of a key, without marking it as known.
    pub(super) fn peek(&self, key: &str) -> Option<(Range<usize>, &'t Node<'t>)> {
        self.find(key)
    }

    /// Whether this is a supported key of the table that was not read yet.
    pub(super) fn is_unread(&self, key: &str) -> bool {
        let listed = self.section().filter(|section| !section.keys.is_empty());
        let has = |section: &FlySection| {
            let key = section.keys.iter().find(|listed| listed.name == key);
            key.is_some_and(|key| {
                matches!(
                    key.support,
                    KeySupport::Supported | KeySupport::PassedThrough
                )
            })
        };
        listed.is_none_or(has) && !self.requested.contains(&key)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn string(&mut self, key: &'static str) -> Option<Located<String>> {
        let node = self.take(key)?;
        self.file.string(&self.path(key), node)
    }

    /// A string for a Machine's config; none if empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let text = self.string(key)?.value;
        (!text.is_empty()).then_some(text)
    }

    /// The same where Fly documents the allowed values. flyctl passes on any value, so another one is only a warning.
    pub(super) fn documented_word(&mut self, key: &'static str, known: &[&str]) -> Option<String> {
        let text = self.string(key).filter(|at| !at.value.is_empty())?;
        self.warn_unknown_word(key, &text, known);
        Some(text.value)
    }

    pub(super) fn warn_unknown_word(&self, key: &str, word: &Located<String>, known: &[&str]) {
        if known.contains(&word.value.as_str()) {
            return;
        }
        let message = format!(
            "`{}`: Fly does not document {}",
            self.path(key),
            quote_text(&word.value)
        );
        let found = Diagnostic::warning(codes::UNLISTED_WORD, message)
            .with_location(self.file.location(word.span.clone(), ""));
        let suggestion = self.file.suggestion(&word.value, known.iter().copied());
        let all = || format!("allowed values are {}", known.join(", "));
        self.file.report(found.help(suggestion.unwrap_or_else(all)));
    }

    pub(super) fn integer(&mut self, key: &'static str, range: Range<u32>) -> Option<Located<u32>> {
        let node = self.take(key)?;
        self.file.integer(&self.path(key), node, range)
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        Some(self.file.boolean(&self.path(key), node)?.value)
    }

    pub(super) fn strings(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let node = self.take(key)?;
        self.file.strings(&self.path(key), node)
    }

    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        let node = self.take(key)?;
        let table = self.file.table(&self.path(key), node)?;
        Some(table.under_parent(self, key))
    }

    /// The tables of a `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        self.list(key, false)
    }

    /// The tables of a `[[key]]` that may also be written as one `[key]`.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Self> {
        self.list(key, self.patches(key))
    }

    fn list(&mut self, key: &'static str, single: bool) -> Vec<Self> {
        let path = self.path(key);
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let tables = self.file.tables(&path, node, single).into_iter();
        tables.map(|table| table.under_parent(self, key)).collect()
    }

    /// The tables of a section that flyctl collects from its old names and its current one, in that order. flyctl matches
    /// lower case only: it ignores a list under another spelling and rejects a single table.
    pub(super) fn collect_tables(&mut self, old: &[&'static str], key: &'static str) -> Vec<Self> {
        let mut tables = Vec::new();
        for name in old.iter().chain([&key]) {
            if self.patches(name) {
                tables.extend(self.list(name, true));
                continue;
            }
            let Some((span, node)) = self.take_entry(name) else {
                continue;
            };
            let is_list = matches!(node.get_ref(), Value::Array(_));
            let message = format!("flyctl reads `{name}` in lower case only");
            let diagnostic = if *name == key && !is_list {
                Diagnostic::error(codes::WRONG_TYPE, message)
            } else {
                Diagnostic::warning(
                    codes::UNKNOWN_KEY,
                    format!("{message}: it ignores this section"),
                )
            };
            let location = self.file.location(span, "");
            self.file.report(
                diagnostic
                    .with_location(location)
                    .help(format!("write `{name}`")),
            );
        }
        tables
    }

    /// Whether a key that flyctl moves to another place is in lower case, as flyctl needs it. Warns of other spellings,
    /// which flyctl ignores.
    pub(super) fn is_moved(&mut self, key: &'static str) -> bool {
        let is_moved = self.patches(key);
        if !is_moved && let Some((span, _)) = self.take_entry(key) {
            let message = format!("flyctl reads `{}` in lower case only", self.path(key));
            self.file.report(
                Diagnostic::warning(
                    codes::UNKNOWN_KEY,
                    format!("{message}: it ignores this key"),
                )
                .with_location(self.file.location(span, ""))
                .help(format!("write `{}`", self.path(key))),
            );
        }
        is_moved
    }

    /// Marks keys as known without reading them.
    pub(super) fn accept(&mut self, keys: &[&'static str]) {
        self.requested.extend(keys);
    }

    /// The same fields with the path of a section that contains a user-chosen name.
    pub(super) fn with_section(mut self, path: &'static str) -> Self {
        self.section = Some(path);
        self
    }

    /// The known keys of the table; none if users choose them.
    fn known_keys(&self) -> Option<Vec<&'static str>> {
        let names: Vec<&str> = match self.file.dialect {
            Dialect::Aeroform => {
                let table = aeroform_keys::table(self.section.unwrap_or(&self.name))?;
                table.keys.iter().map(|key| key.name).collect()
            }
            Dialect::Fly | Dialect::FlyStrict => {
                self.section()?.keys.iter().map(|key| key.name).collect()
            }
        };
        (!names.is_empty()).then_some(names)
    }

    /// The table's section of fly.toml.
    pub(super) fn section(&self) -> Option<&'static FlySection> {
        match self.file.dialect {
            Dialect::Aeroform => None,
            Dialect::Fly | Dialect::FlyStrict => {
                reference::section(self.section.unwrap_or(&self.name))
            }
        }
    }

    /// All entries in the order of the file, for a table whose keys are names.
    pub(super) fn entries(&self) -> Vec<(&'t str, Range<usize>, &'t Node<'t>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// A hint for a top-level key that is below a section's header, and so belongs to the section.
    fn misplaced_key_hint(&self, key: &str) -> Option<String> {
        let is_fly = !matches!(self.file.dialect, Dialect::Aeroform);
        (is_fly && !self.name.is_empty() && reference::section("")?.has_key(key)).then(|| {
            format!(
                "{} is a top-level key: move it above the first `[section]`",
                quote_text(key)
            )
        })
    }

    /// Warns of names in a table of names that are one-line keys of the top level or of `[http_service]`: lines below the
    /// wrong header.
    pub(super) fn warn_misplaced_keys(&self) {
        for (name, span, _) in self.entries() {
            let found = [("", "the top level"), ("http_service", "`[http_service]`")]
                .into_iter()
                .find(|(path, _)| {
                    let mut keys = reference::section(path).into_iter().flat_map(|s| s.keys);
                    keys.any(|key| key.name == name && key.is_one_line() && name != "app")
                });
            let Some((path, whose)) = found else {
                continue;
            };
            let message = format!(
                "{} in `[{}]` is a key of {whose}",
                quote_text(name),
                self.name
            );
            let help = if path.is_empty() {
                "move it above the first `[section]`".to_owned()
            } else {
                format!("move it to {whose}")
            };
            self.file.report(
                Diagnostic::warning(codes::KEY_OF_ANOTHER_TABLE, message)
                    .with_location(self.file.location(span, ""))
                    .help(help),
            );
        }
    }

    /// The replacement of a key of other tools or older versions.
    fn replacement_hint(&self, key: &str) -> Option<&'static str> {
        let section = self.section.unwrap_or(&self.name);
        Some(match (section, key) {
            ("services", "checks") => {
                "write `[[services.http_checks]]` or `[[services.tcp_checks]]`"
            }
            ("services", "force_https") => "it is a key of `[[services.ports]]`",
            ("processes", "cmd") => "write `command`",
            ("", "machines" | "scale" | "count" | "counts" | "regions" | "groups") => {
                "counts and regions are set in aeroform.toml: `[groups.app]` with `count` and `regions`"
            }
            _ => return None,
        })
    }

    /// Reports every unknown key: not in the reference, or not read.
    pub(super) fn report_unknown_keys(self) {
        let listed = self.known_keys();
        if let Some(listed) = &listed {
            for key in &self.requested {
                debug_assert!(listed.contains(key), "{key} is missing in {}", self.name);
            }
        }
        let folds = listed.is_some() && !matches!(self.file.dialect, Dialect::Aeroform);
        let known = listed.unwrap_or_else(|| self.requested.clone());
        let is_known = |key: &str| {
            let mut names = known.iter();
            names.any(|name| *name == key || folds && name.eq_ignore_ascii_case(key))
        };
        let unknown = self.entries().into_iter();
        for (key, span, _) in unknown.filter(|(key, _, _)| !is_known(key)) {
            let what = match self.name.as_str() {
                "" => format!("unknown key {}", quote_text(key)),
                name => format!("unknown key {} in `{name}`", quote_text(key)),
            };
            let diagnostic = match self.file.dialect {
                Dialect::Fly => {
                    Diagnostic::warning(codes::UNKNOWN_KEY, format!("{what}: Fly ignores it"))
                }
                Dialect::FlyStrict | Dialect::Aeroform => {
                    Diagnostic::error(codes::UNKNOWN_KEY, what)
                }
            };
            let help = self
                .replacement_hint(key)
                .map(str::to_owned)
                .filter(|_| !matches!(self.file.dialect, Dialect::Aeroform))
                .or_else(|| self.misplaced_key_hint(key))
                .or_else(|| self.file.suggestion(key, known.iter().copied()));
            let diagnostic = diagnostic.with_location(self.file.location(span, ""));
            self.file.report(Diagnostic { help, ..diagnostic });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::fly_fields;

    #[test]
    fn a_key_in_lower_case_beats_the_same_key_in_another() {
        let read = |text: &str| fly_fields(text, |fields| fields.text("app")).0;
        assert_eq!(read("APP = \"x\"").as_deref(), Some("x"));
        assert_eq!(read("APP = \"x\"\napp = \"y\"").as_deref(), Some("y"));
        assert_eq!(read("app = \"\""), None);
    }

    #[test]
    fn entries_keep_the_order_of_the_file() {
        let (names, _) = fly_fields("[t]\nb = 1\na = 2\n", |fields| {
            let table = fields.table("t").unwrap();
            let entries = table.entries().into_iter();
            entries
                .map(|(name, _, _)| name.to_owned())
                .collect::<Vec<_>>()
        });
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn numbers_are_read_in_every_notation_and_held_to_their_range() {
        for (text, value) in [
            ("80", Some(80)),
            ("0x50", Some(80)),
            ("1_000", None),
            ("-1", None),
            ("99999999999999999999999999", None),
        ] {
            let (read, found) = fly_fields(&format!("n = {text}"), |fields| {
                fields.integer("n", 0..100).map(|at| at.value)
            });
            assert_eq!(read, value, "{text}");
            assert_eq!(found.errors(), usize::from(value.is_none()), "{text}");
        }
    }

    #[test]
    fn a_top_level_key_below_a_header_gets_a_hint_where_it_belongs() {
        let ((), found) = fly_fields("[build]\nprimary_region = \"ams\"\n", |fields| {
            if let Some(build) = fields.table("build") {
                build.report_unknown_keys();
            }
        });
        let help = found.iter().find_map(|found| found.help.clone());
        assert_eq!(
            help.as_deref(),
            Some("`primary_region` is a top-level key: move it above the first `[section]`")
        );
    }
}
