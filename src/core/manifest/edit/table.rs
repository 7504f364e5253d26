//! Entries of a TOML file by their path: found, set, taken away and added in whichever form the file has
//! them.
//!
//! Text in, text out; every change is the smallest that does it. Whether the result means what it should
//! is judged by reading it again, in [`super::check`].

use std::ops::Range;

use super::script::{Entry, Key, Script, Section, Value};

/// An entry somewhere in a file.
pub(super) struct Leaf<'s> {
    /// Its whole path, those of headers and inline tables around it included.
    pub(super) path: Vec<&'s str>,
    /// Its own key.
    pub(super) key: &'s Key,
    pub(super) entry: &'s Entry,
    home: Home<'s>,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
enum Home<'s> {
    Section(&'s Section),
    Inline(&'s [Entry]),
}

/// Every entry of sections that are no lists, those of inline tables after the table itself.
pub(super) fn leaves<'s>(script: &'s Script<'_>) -> Vec<Leaf<'s>> {
    let mut found = Vec::new();
    for section in script.sections.iter().filter(|section| !section.is_list()) {
        for entry in &section.entries {
            walk(&section.path(), entry, Home::Section(section), &mut found);
        }
    }
    found
}

fn walk<'s>(above: &[&'s str], entry: &'s Entry, home: Home<'s>, found: &mut Vec<Leaf<'s>>) {
    let mut path = above.to_vec();
    path.extend(entry.keys.iter().map(|key| key.name.as_str()));
    let Some(key) = entry.keys.last() else {
        return;
    };
    found.push(Leaf {
        path: path.clone(),
        key,
        entry,
        home,
    });
    if let Value::Table(_, entries) = &entry.value {
        for inner in entries {
            walk(&path, inner, Home::Inline(entries), found);
        }
    }
}

/// The entry of exactly this path.
pub(super) fn find<'l, 's>(leaves: &'l [Leaf<'s>], path: &[&str]) -> Option<&'l Leaf<'s>> {
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
pub(super) fn key(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

/// A string as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// Sets the value of a path, adding the entry where it is missing.
pub(super) fn set(text: &str, path: &[&str], value: &str) -> Option<String> {
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    match find(&leaves, path) {
        Some(leaf) => Some(splice(text, valued(&script, leaf, value))),
        None => add(text, path, value),
    }
}

/// Gives an entry another key and value in its place, so that what is said beside it stays there.
pub(super) fn rewrite(text: &str, path: &[&str], name: &str, value: &str) -> Option<String> {
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    let leaf = find(&leaves, path)?;
    let mut parts = valued(&script, leaf, value);
    parts.push((leaf.key.span.clone(), key(name)));
    Some(splice(text, parts))
}

/// Another value for an entry. What is said inside the old one is said above the new one.
fn valued(script: &Script<'_>, leaf: &Leaf<'_>, value: &str) -> Vec<(Range<usize>, String)> {
    let span = leaf.entry.value.span();
    let start = script.line_start(leaf.entry.span().start);
    let indent = script.indent(leaf.entry.span().start);
    let comments = script.comments_in(&span, indent);
    vec![(start..start, comments), (span, value.to_owned())]
}

/// What becomes of the comments beside what is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// They are about more than that.
    Stay,
    /// What they are about goes.
    Go,
}

/// Takes away everything at a path and below it.
pub(super) fn remove(text: &str, path: &[&str], comments: Comments) -> Option<String> {
    let script = Script::read(text)?;
    let mut gone = Vec::new();
    for section in &script.sections {
        if section.header.is_some() && section.path().starts_with(path) {
            let range = without_section(&script, section);
            let said = match comments {
                Comments::Stay => script.comments_in(&range, ""),
                Comments::Go => String::new(),
            };
            gone.push((range, said));
        }
    }
    let leaves = leaves(&script);
    let mut covered: Vec<Range<usize>> = gone.iter().map(|(range, _)| range.clone()).collect();
    for leaf in leaves.iter().filter(|leaf| leaf.path.starts_with(path)) {
        let span = leaf.entry.span();
        let inside = |range: &Range<usize>| range.start <= span.start && span.end <= range.end;
        if covered.iter().any(inside) {
            continue;
        }
        let range = match leaf.home {
            Home::Section(_) => without_line(&script, &span, comments),
            Home::Inline(entries) => without_inline(&script, entries, leaf.entry)?,
        };
        covered.push(range.clone());
        covered.push(span);
        gone.push((range, String::new()));
    }
    Some(splice(text, gone))
}

/// The lines of a section, and one of the blank lines around it.
pub(super) fn without_section(script: &Script<'_>, section: &Section) -> Range<usize> {
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

/// What of a line goes with its entry: all of it, or all but a comment at its end.
fn without_line(script: &Script<'_>, span: &Range<usize>, comments: Comments) -> Range<usize> {
    let end = script.line_end(span.end);
    let rest = &script.text[span.end..end];
    match rest.find('#').filter(|_| comments == Comments::Stay) {
        Some(comment) => span.start..span.end + comment,
        None => script.line_start(span.start)..end,
    }
}

/// What goes with one entry of a table.
pub(super) fn without(
    script: &Script<'_>,
    entries: &[Entry],
    at: usize,
    is_inline: bool,
) -> Option<Range<usize>> {
    if is_inline {
        without_inline(script, entries, &entries[at])
    } else {
        Some(without_line(script, &entries[at].span(), Comments::Stay))
    }
}

/// An entry of an inline table with one of the commas beside it; none where comments would go with it.
fn without_inline(script: &Script<'_>, entries: &[Entry], gone: &Entry) -> Option<Range<usize>> {
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

/// Adds an entry where its table is, in the form that this one has.
pub(super) fn add(text: &str, path: &[&str], value: &str) -> Option<String> {
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    for known in (1..path.len()).rev() {
        let (table, rest) = path.split_at(known);
        let rest: Vec<String> = rest.iter().map(|name| key(name)).collect();
        let entry = format!("{} = {value}", rest.join("."));
        if let Some(leaf) = find(&leaves, table) {
            return match &leaf.entry.value {
                Value::Table(span, entries) => Some(into_inline(text, span, entries, &entry)),
                Value::Scalar(_) | Value::List(..) => None,
            };
        }
        let is_table = |section: &&Section| {
            !section.is_list()
                && section.header.is_some()
                && section.path() == table
                && (rest.len() == 1 || !section.entries.is_empty())
        };
        if let Some(section) = script.sections.iter().find(is_table) {
            return Some(below(&script, section, &entry));
        }
        let beside = |leaf: &&Leaf<'_>| match leaf.home {
            Home::Section(section) => section.path().len() <= known && leaf.path.starts_with(table),
            Home::Inline(_) => false,
        };
        if let Some(leaf) = leaves.iter().rev().find(beside) {
            let Home::Section(section) = leaf.home else {
                return None;
            };
            let own = path[section.path().len()..].iter();
            let own: Vec<String> = own.map(|name| key(name)).collect();
            let entry = format!("{} = {value}", own.join("."));
            return Some(after_line(&script, &leaf.entry.span(), &entry));
        }
    }
    let (table, name) = path.split_at(path.len() - 1);
    let entry = format!("{} = {value}", key(name.first()?));
    Some(new_section(&script, table, false, &[entry]))
}

fn into_inline(text: &str, span: &Range<usize>, entries: &[Entry], entry: &str) -> String {
    let part = match entries.last() {
        Some(last) => (last.span().end..last.span().end, format!(", {entry}")),
        None => (span.clone(), format!("{{ {entry} }}")),
    };
    splice(text, vec![part])
}

/// A line more at the end of a section.
pub(super) fn below(script: &Script<'_>, section: &Section, entry: &str) -> String {
    match section.entries.last() {
        Some(last) => after_line(script, &last.span(), entry),
        None => after_line(script, &section.span(), entry),
    }
}

/// A line more behind the one that ends with this, indented as that one.
pub(super) fn after_line(script: &Script<'_>, span: &Range<usize>, entry: &str) -> String {
    let newline = script.newline();
    let at = script.line_end(span.end);
    let indent = script.indent(span.start);
    let ends = script.text[..at].ends_with('\n');
    let line = if ends {
        format!("{indent}{entry}{newline}")
    } else {
        format!("{newline}{indent}{entry}")
    };
    splice(script.text, vec![(at..at, line)])
}

/// A section more, behind the last one of its kind or at the end of the file.
pub(super) fn new_section(
    script: &Script<'_>,
    path: &[&str],
    is_list: bool,
    entries: &[String],
) -> String {
    let newline = script.newline();
    let kin = |section: &&Section| section.path().first() == path.first() && !path.is_empty();
    let kin = script.sections.iter().rev().find(kin);
    let at = kin.map_or(script.text.len(), |section| {
        script.line_end(section.span().end)
    });
    let like = kin.and_then(|section| section.entries.first());
    let indent = like.map_or("", |entry| script.indent(entry.span().start));
    let name: Vec<String> = path.iter().map(|name| key(name)).collect();
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
