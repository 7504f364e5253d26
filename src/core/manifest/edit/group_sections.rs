//! The sections of fly.toml that apply to process groups, in any syntax, and the groups that they name.

use super::list_items;
use super::quoting::string_like;
use super::toml_entries::{
    Comments, add_entry, all_entries, entry_range, line_at_section_end, remove_entry,
    section_range, splice, toml_string,
};
use super::toml_source::{TomlEntry, TomlSection, TomlSource, TomlValue};

/// Sections whose tables may name groups.
const SECTION_KINDS: [&str; 10] = [
    "http_service",
    "services",
    "vm",
    "compute",
    "computes",
    "mount",
    "mounts",
    "restart",
    "metrics",
    "files",
];

/// One such section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GroupSection {
    /// The one table of its path.
    Table(Vec<String>),
    /// The nth of a list of tables.
    Nth(String, usize),
}

/// The groups of a section without `processes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnnamedScope {
    /// The default group.
    Default,
    /// Every group.
    All,
}

impl GroupSection {
    /// The name of its section, in lower case.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Table(path) => path[0].to_ascii_lowercase(),
            Self::Nth(kind, _) => kind.to_ascii_lowercase(),
        }
    }

    /// Its groups without `processes` (docs/platform/fly-toml.md 2).
    pub(super) fn unnamed_scope(&self) -> UnnamedScope {
        match self.kind().as_str() {
            "vm" | "compute" | "computes" | "files" => UnnamedScope::All,
            _ => UnnamedScope::Default,
        }
    }

    /// Its `processes` as written.
    pub(super) fn processes<'s>(&self, script: &'s TomlSource<'_>) -> Option<&'s TomlValue> {
        self.value(script, "processes")
    }

    /// The value of a key.
    pub(super) fn value<'s>(&self, script: &'s TomlSource<'_>, key: &str) -> Option<&'s TomlValue> {
        match self {
            Self::Table(path) => {
                let leaves = all_entries(script);
                let leaf = leaves.iter().find(|leaf| is_below(&leaf.path, path, key))?;
                Some(&leaf.entry.value)
            }
            Self::Nth(..) => {
                let entry = self
                    .entries(script)?
                    .iter()
                    .find(|entry| entry.has_name(key))?;
                Some(&entry.value)
            }
        }
    }

    /// The entries of its table, if it is one of a list.
    pub(super) fn entries<'s>(&self, script: &'s TomlSource<'_>) -> Option<&'s [TomlEntry]> {
        let Self::Nth(kind, at) = self else {
            return None;
        };
        if let Some(section) = sections_of_kind(script, kind).nth(*at) {
            return Some(&section.entries);
        }
        match inline_items(script, kind)?.get(*at)? {
            TomlValue::Table(_, entries) => Some(entries),
            TomlValue::Scalar(_) | TomlValue::List(..) => None,
        }
    }

    /// The groups that it names, if any.
    pub(super) fn names(&self, script: &TomlSource<'_>) -> Vec<String> {
        let Some(TomlValue::List(_, items)) = self.processes(script) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| script.string(item))
            .collect()
    }

    /// Sets the value of a key, and adds the key if it is missing.
    pub(super) fn set(&self, text: &str, key: &str, value: &str) -> Option<String> {
        let script = TomlSource::parse(text)?;
        if let Some(written) = self.value(&script, key) {
            return Some(splice(text, vec![(written.span(), value.to_owned())]));
        }
        match self {
            Self::Table(path) => {
                let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
                path.push(key);
                add_entry(text, &path, value)
            }
            Self::Nth(kind, at) => {
                let entry = format!("{key} = {value}");
                if let Some(section) = sections_of_kind(&script, kind).nth(*at) {
                    return Some(line_at_section_end(&script, section, &entry));
                }
                let part = match self.entries(&script)?.last() {
                    Some(last) => (last.span().end..last.span().end, format!(", {entry}")),
                    None => (
                        inline_items(&script, kind)?.get(*at)?.span(),
                        format!("{{ {entry} }}"),
                    ),
                };
                Some(splice(text, vec![part]))
            }
        }
    }

    /// Removes a key.
    pub(super) fn unset(&self, text: &str, key: &str) -> Option<String> {
        let script = TomlSource::parse(text)?;
        if self.value(&script, key).is_none() {
            return Some(text.to_owned());
        }
        match self {
            Self::Table(path) => {
                let leaves = all_entries(&script);
                let leaf = leaves.iter().find(|leaf| is_below(&leaf.path, path, key))?;
                remove_entry(text, &leaf.path, Comments::Stay)
            }
            Self::Nth(kind, at) => {
                let entries = self.entries(&script)?;
                let at_key = entries.iter().position(|entry| entry.has_name(key))?;
                let is_inline = sections_of_kind(&script, kind).nth(*at).is_none();
                let range = entry_range(&script, entries, at_key, is_inline)?;
                Some(splice(text, vec![(range, String::new())]))
            }
        }
    }

    /// Removes it with everything below it.
    pub(super) fn remove(&self, text: &str) -> Option<String> {
        let script = TomlSource::parse(text)?;
        match self {
            Self::Table(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                remove_entry(text, &path, Comments::Go)
            }
            Self::Nth(kind, at) => {
                if sections_of_kind(&script, kind).next().is_none() {
                    let items = inline_items(&script, kind)?;
                    if items.len() == 1 {
                        return remove_entry(text, &[kind.as_str()], Comments::Go);
                    }
                    let range = list_items::removal_range(&script, items, *at)?;
                    return Some(splice(text, vec![(range, String::new())]));
                }
                let mut gone = Vec::new();
                let mut nth = None;
                for section in &script.sections {
                    let path = section.path();
                    if path.first() != Some(&kind.as_str()) {
                        continue;
                    }
                    if path.len() == 1 {
                        nth = Some(nth.map_or(0, |n| n + 1));
                    }
                    if nth == Some(*at) {
                        gone.push((section_range(&script, section), String::new()));
                    }
                }
                Some(splice(text, gone))
            }
        }
    }
}

/// Whether a path is a key of the table at `path`, in any case.
fn is_below(leaf: &[&str], path: &[String], key: &str) -> bool {
    leaf.len() == path.len() + 1
        && leaf.iter().zip(path).all(|(a, b)| a == b)
        && leaf[path.len()].eq_ignore_ascii_case(key)
}

/// The sections of `[[kind]]`.
fn sections_of_kind<'s>(
    script: &'s TomlSource<'_>,
    kind: &str,
) -> impl Iterator<Item = &'s TomlSection> {
    let sections = script.sections.iter();
    sections.filter(move |section| section.is_list() && section.path() == [kind])
}

/// The items of `kind = [ … ]`.
fn inline_items<'s>(script: &'s TomlSource<'_>, kind: &str) -> Option<&'s [TomlValue]> {
    let leaves = all_entries(script);
    let leaf = leaves.iter().find(|leaf| leaf.path == [kind])?;
    match &leaf.entry.value {
        TomlValue::List(_, items) => Some(items),
        TomlValue::Scalar(_) | TomlValue::Table(..) => None,
    }
}

/// Every section of the file that may name groups.
pub(super) fn group_sections(script: &TomlSource<'_>) -> Vec<GroupSection> {
    let mut found = Vec::new();
    let mut push = |part: GroupSection| {
        if !found.contains(&part) {
            found.push(part);
        }
    };
    let is_kind = |name: &str| {
        SECTION_KINDS
            .iter()
            .any(|kind| name.eq_ignore_ascii_case(kind))
    };
    let mut counted: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for section in script.sections.iter().filter(|section| section.is_list()) {
        if let [kind] = section.path()[..]
            && is_kind(kind)
        {
            let nth = counted.entry(kind.to_owned()).or_default();
            push(GroupSection::Nth(kind.to_owned(), *nth));
            *nth += 1;
        }
    }
    let mut table = |path: &[&str], value: Option<&TomlValue>| {
        let Some(kind) = path.first().filter(|kind| !counted.contains_key(**kind)) else {
            return;
        };
        if kind.eq_ignore_ascii_case("checks") {
            if let [checks, name, ..] = path {
                push(GroupSection::Table(vec![
                    (*checks).to_owned(),
                    (*name).to_owned(),
                ]));
            }
        } else if is_kind(kind) {
            match (path.len(), value) {
                (1, Some(TomlValue::List(_, items))) => {
                    (0..items.len()).for_each(|at| push(GroupSection::Nth((*kind).to_owned(), at)));
                }
                (1, Some(TomlValue::Scalar(_))) => {}
                (_, _) => push(GroupSection::Table(vec![(*kind).to_owned()])),
            }
        }
    };
    for section in script.sections.iter().filter(|section| !section.is_list()) {
        table(&section.path(), None);
    }
    for leaf in all_entries(script) {
        table(&leaf.path, Some(&leaf.entry.value));
    }
    found
}

/// Replaces a name in a part's list of groups.
pub(super) fn rename_group_in_section(
    text: &str,
    part: &GroupSection,
    from: &str,
    to: &str,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let Some(TomlValue::List(_, items)) = part.processes(&script) else {
        return Some(text.to_owned());
    };
    let named = items
        .iter()
        .filter(|item| script.string(item).as_deref() == Some(from));
    let new = named.map(|item| {
        let span = item.span();
        let new = string_like(&text[span.clone()], to);
        (span, new)
    });
    Some(splice(text, new.collect()))
}

/// Removes a name from a part's list of groups. The list keeps at least one other.
pub(super) fn remove_group_from_section(
    text: &str,
    part: &GroupSection,
    name: &str,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let Some(TomlValue::List(_, items)) = part.processes(&script) else {
        return Some(text.to_owned());
    };
    let Some(at) = items
        .iter()
        .position(|item| script.string(item).as_deref() == Some(name))
    else {
        return Some(text.to_owned());
    };
    let range = list_items::removal_range(&script, items, at)?;
    // A repeated name.
    remove_group_from_section(&splice(text, vec![(range, String::new())]), part, name)
}

/// Sets the group of a part.
pub(super) fn assign_section(text: &str, part: &GroupSection, group: &str) -> Option<String> {
    part.set(text, "processes", &format!("[{}]", toml_string(group)))
}

/// Whether a part names this group.
pub(super) fn names_group(script: &TomlSource<'_>, part: &GroupSection, name: &str) -> bool {
    part.names(script).iter().any(|named| named == name)
}
