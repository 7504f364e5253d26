//! Finds, sets, removes and adds entries of a TOML file by path, in any syntax.
//!
//! Text in, text out; every change is minimal. [`super::check`] reads the result again and verifies it.

use std::ops::Range;

use super::toml_source::{TomlEntry, TomlKey, TomlSection, TomlSource, TomlValue};

/// An entry somewhere in a file.
pub(super) struct EntryAtPath<'s> {
    /// Its full path, including headers and inline tables.
    pub(super) path: Vec<&'s str>,
    /// Its own key.
    pub(super) key: &'s TomlKey,
    pub(super) entry: &'s TomlEntry,
    parent: EntryParent<'s>,
}

/// The location of an entry.
#[derive(Clone, Copy)]
enum EntryParent<'s> {
    Section(&'s TomlSection),
    Inline(&'s [TomlEntry]),
}

/// Every entry of sections that are not lists; entries of inline tables follow the table.
pub(super) fn all_entries<'s>(script: &'s TomlSource<'_>) -> Vec<EntryAtPath<'s>> {
    let mut found = Vec::new();
    for section in script.sections.iter().filter(|section| !section.is_list()) {
        for entry in &section.entries {
            walk(
                &section.path(),
                entry,
                EntryParent::Section(section),
                &mut found,
            );
        }
    }
    found
}

fn walk<'s>(
    above: &[&'s str],
    entry: &'s TomlEntry,
    home: EntryParent<'s>,
    found: &mut Vec<EntryAtPath<'s>>,
) {
    let mut path = above.to_vec();
    path.extend(entry.keys.iter().map(|key| key.name.as_str()));
    let Some(key) = entry.keys.last() else {
        return;
    };
    found.push(EntryAtPath {
        path: path.clone(),
        key,
        entry,
        parent: home,
    });
    if let TomlValue::Table(_, entries) = &entry.value {
        for inner in entries {
            walk(&path, inner, EntryParent::Inline(entries), found);
        }
    }
}

/// The entry of exactly this path.
pub(super) fn find_entry<'l, 's>(
    leaves: &'l [EntryAtPath<'s>],
    path: &[&str],
) -> Option<&'l EntryAtPath<'s>> {
    leaves.iter().find(|leaf| leaf.path == path)
}

/// Replaces parts of a text.
pub(super) fn splice(text: &str, mut parts: Vec<(Range<usize>, String)>) -> String {
    parts.sort_by_key(|(range, _)| (range.start, range.end));
    let mut spliced = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in parts {
        spliced.push_str(&text[at..range.start.max(at)]);
        spliced.push_str(&new);
        at = range.end.max(at);
    }
    spliced.push_str(&text[at..]);
    spliced
}

/// A key as TOML writes it.
pub(super) fn toml_key(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

/// A string as TOML writes it.
pub(super) fn toml_string(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// Sets the value of a path, and adds the entry if it is missing.
pub(super) fn set_entry(text: &str, path: &[&str], value: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    match find_entry(&leaves, path) {
        Some(leaf) => Some(splice(text, replace_value(&script, leaf, value))),
        None => add_entry(text, path, value),
    }
}

/// Replaces key and value of an entry in place, keeping its comment.
pub(super) fn replace_entry(text: &str, path: &[&str], name: &str, value: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let leaf = find_entry(&leaves, path)?;
    let mut parts = replace_value(&script, leaf, value);
    parts.push((leaf.key.span.clone(), toml_key(name)));
    Some(splice(text, parts))
}

/// Replaces the value of an entry. Comments inside the old value move above the new one.
fn replace_value(
    script: &TomlSource<'_>,
    leaf: &EntryAtPath<'_>,
    value: &str,
) -> Vec<(Range<usize>, String)> {
    let span = leaf.entry.value.span();
    let start = script.line_start(leaf.entry.span().start);
    let indent = script.indent(leaf.entry.span().start);
    let comments = script.comments_in(&span, indent);
    vec![(start..start, comments), (span, value.to_owned())]
}

/// What happens to comments next to a removed entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// They are kept.
    Stay,
    /// They are removed.
    Go,
}

/// Removes everything at a path and below it.
pub(super) fn remove_entry(text: &str, path: &[&str], comments: Comments) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let mut gone = Vec::new();
    for section in &script.sections {
        if section.header.is_some() && section.path().starts_with(path) {
            let range = section_range(&script, section);
            let said = match comments {
                Comments::Stay => script.comments_in(&range, ""),
                Comments::Go => String::new(),
            };
            gone.push((range, said));
        }
    }
    let leaves = all_entries(&script);
    let mut covered: Vec<Range<usize>> = gone.iter().map(|(range, _)| range.clone()).collect();
    for leaf in leaves.iter().filter(|leaf| leaf.path.starts_with(path)) {
        let span = leaf.entry.span();
        let inside = |range: &Range<usize>| range.start <= span.start && span.end <= range.end;
        if covered.iter().any(inside) {
            continue;
        }
        let range = match leaf.parent {
            EntryParent::Section(_) => line_range(&script, &span, comments),
            EntryParent::Inline(entries) => inline_entry_range(&script, entries, leaf.entry)?,
        };
        covered.push(range.clone());
        covered.push(span);
        gone.push((range, String::new()));
    }
    Some(splice(text, gone))
}

/// The lines of a section, and one of the blank lines around it.
pub(super) fn section_range(script: &TomlSource<'_>, section: &TomlSection) -> Range<usize> {
    let span = section.span();
    let mut start = script.line_start(span.start);
    let end = script.line_end(span.end);
    let before = &script.text[..start];
    let blank_after = script.text[end..].trim_start_matches([' ', '\t', '\r']);
    if blank_after.is_empty() || blank_after.starts_with('\n') {
        let line = before.strip_suffix('\n').unwrap_or(before);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.ends_with('\n') {
            start = line.len();
        }
    }
    start..end
}

/// The part of a line to remove with its entry: all, or all but its comment.
fn line_range(script: &TomlSource<'_>, span: &Range<usize>, comments: Comments) -> Range<usize> {
    let end = script.line_end(span.end);
    let rest = &script.text[span.end..end];
    match rest.find('#').filter(|_| comments == Comments::Stay) {
        Some(comment) => span.start..span.end + comment,
        None => script.line_start(span.start)..end,
    }
}

/// The range to remove with one entry of a table.
pub(super) fn entry_range(
    script: &TomlSource<'_>,
    entries: &[TomlEntry],
    at: usize,
    is_inline: bool,
) -> Option<Range<usize>> {
    if is_inline {
        inline_entry_range(script, entries, &entries[at])
    } else {
        Some(line_range(script, &entries[at].span(), Comments::Stay))
    }
}

/// An entry of an inline table with one adjacent comma; none if comments would be lost.
fn inline_entry_range(
    script: &TomlSource<'_>,
    entries: &[TomlEntry],
    gone: &TomlEntry,
) -> Option<Range<usize>> {
    let at = entries
        .iter()
        .position(|entry| entry.span() == gone.span())
        .unwrap_or(0);
    let span = gone.span();
    let range = if let Some(next) = entries.get(at + 1) {
        span.start..next.span().start
    } else if let Some(before) = at.checked_sub(1).and_then(|at| entries.get(at)) {
        before.span().end..span.end
    } else {
        span
    };
    script.comments_in(&range, "").is_empty().then_some(range)
}

/// Adds an entry to its table, in the table's form.
pub(super) fn add_entry(text: &str, path: &[&str], value: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    for known in (1..path.len()).rev() {
        let (table, rest) = path.split_at(known);
        let rest: Vec<String> = rest.iter().map(|name| toml_key(name)).collect();
        let entry = format!("{} = {value}", rest.join("."));
        if let Some(leaf) = find_entry(&leaves, table) {
            return match &leaf.entry.value {
                TomlValue::Table(span, entries) => {
                    Some(add_to_inline_table(text, span, entries, &entry))
                }
                TomlValue::Scalar(_) | TomlValue::List(..) => None,
            };
        }
        let is_table = |section: &&TomlSection| {
            !section.is_list()
                && section.header.is_some()
                && section.path() == table
                && (rest.len() == 1 || !section.entries.is_empty())
        };
        if let Some(section) = script.sections.iter().find(is_table) {
            return Some(line_at_section_end(&script, section, &entry));
        }
        let beside = |leaf: &&EntryAtPath<'_>| match leaf.parent {
            EntryParent::Section(section) => {
                section.path().len() <= known && leaf.path.starts_with(table)
            }
            EntryParent::Inline(_) => false,
        };
        if let Some(leaf) = leaves.iter().rev().find(beside) {
            let EntryParent::Section(section) = leaf.parent else {
                return None;
            };
            let own = path[section.path().len()..].iter();
            let own: Vec<String> = own.map(|name| toml_key(name)).collect();
            let entry = format!("{} = {value}", own.join("."));
            return Some(line_after(&script, &leaf.entry.span(), &entry));
        }
    }
    let (table, name) = path.split_at(path.len() - 1);
    let entry = format!("{} = {value}", toml_key(name.first()?));
    Some(new_section(&script, table, false, &[entry]))
}

fn add_to_inline_table(
    text: &str,
    span: &Range<usize>,
    entries: &[TomlEntry],
    entry: &str,
) -> String {
    let part = match entries.last() {
        Some(last) => (last.span().end..last.span().end, format!(", {entry}")),
        None => (span.clone(), format!("{{ {entry} }}")),
    };
    splice(text, vec![part])
}

/// Adds a line at the end of a section.
pub(super) fn line_at_section_end(
    script: &TomlSource<'_>,
    section: &TomlSection,
    entry: &str,
) -> String {
    match section.entries.last() {
        Some(last) => line_after(script, &last.span(), entry),
        None => line_after(script, &section.span(), entry),
    }
}

/// Adds a line after the one that ends here, with the same indent.
pub(super) fn line_after(script: &TomlSource<'_>, span: &Range<usize>, entry: &str) -> String {
    let newline = script.newline();
    let at = script.line_end(span.end);
    let indent = script.indent(span.start);
    let is_terminated = script.text[..at].ends_with('\n');
    let line = if is_terminated {
        format!("{indent}{entry}{newline}")
    } else {
        format!("{newline}{indent}{entry}")
    };
    splice(script.text, vec![(at..at, line)])
}

/// Adds a section after the last one of its kind, or at the end of the file.
pub(super) fn new_section(
    script: &TomlSource<'_>,
    path: &[&str],
    is_list: bool,
    entries: &[String],
) -> String {
    let newline = script.newline();
    let kin = |section: &&TomlSection| section.path().first() == path.first() && !path.is_empty();
    let kin = script.sections.iter().rev().find(kin);
    let at = kin.map_or(script.text.len(), |section| {
        script.line_end(section.span().end)
    });
    let like = kin.and_then(|section| section.entries.first());
    let indent = like.map_or("", |entry| script.indent(entry.span().start));
    let name: Vec<String> = path.iter().map(|name| toml_key(name)).collect();
    let name = name.join(".");
    let mut section = String::new();
    let before = &script.text[..at];
    if !before.is_empty() && !before.ends_with('\n') {
        section.push_str(newline);
    }
    let bare = before.trim_start_matches('\u{feff}').trim().is_empty();
    let blank = before.ends_with("\n\n") || before.ends_with("\n\r\n");
    if !bare && !blank {
        section.push_str(newline);
    }
    let (open, close) = if is_list { ("[[", "]]") } else { ("[", "]") };
    section.extend([open, &name, close, newline]);
    for entry in entries {
        section.push_str(indent);
        section.push_str(entry);
        section.push_str(newline);
    }
    splice(script.text, vec![(at..at, section)])
}
