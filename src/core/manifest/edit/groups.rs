//! A group that is added, renamed or removed: `[processes]`, every section that names it, `[groups.*]` and
//! `[[moved]]`.
//!
//! Sections that name nobody are the default group's, and which that is depends on the names. Where an
//! edit would make them another's, they are made to say whose they are first.

use super::like::{key_like, string_like};
use super::machines;
use super::parts::{Nameless, assign, parts, rename, unname};
use super::script::{Script, Section, Value};
use super::table::{Comments, add, find, key, leaves, new_section, quoted, remove, set, splice};
use crate::core::fleet::GroupName;

/// What fly.toml is made from: the groups that it has, and whether `[processes]` says so.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    pub(super) names: Vec<String>,
    pub(super) written: bool,
}

impl Groups {
    /// Whose sections are that name nobody.
    fn default(&self) -> &str {
        let app = self.names.iter().find(|name| *name == "app");
        app.or(self.names.iter().min())
            .map_or("app", String::as_str)
    }
}

/// fly.toml with a group more.
pub(super) fn added(text: &str, groups: &Groups, name: &str, command: &str) -> Option<String> {
    let mut names = groups.names.clone();
    names.push(name.to_owned());
    let after = Groups {
        names,
        written: true,
    };
    let mut text = owned(text, groups, &after, groups.default())?;
    if !groups.written {
        // Without the section there is the one group `app`; it is to stay.
        text = with_process(&text, groups.default(), "")?;
    }
    with_process(&text, name, command)
}

/// fly.toml with a group under another name.
pub(super) fn renamed(text: &str, groups: &Groups, from: &str, to: &str) -> Option<String> {
    let new = |name: &String| if name == from { to } else { name }.to_owned();
    let after = Groups {
        names: groups.names.iter().map(new).collect(),
        written: true,
    };
    let default = if groups.default() == from {
        to
    } else {
        groups.default()
    };
    let mut text = owned(text, groups, &after, default)?;
    let script = Script::read(&text)?;
    for part in parts(&script) {
        text = rename(&text, &part, from, to)?;
    }
    if !groups.written {
        return with_process(&text, to, "");
    }
    let script = Script::read(&text)?;
    let mut new = Vec::new();
    for section in &script.sections {
        // `[[processes]]`, the form of long ago.
        if section.is_list() && is_processes(&section.path()) {
            new.extend(named(&script, &section.entries, from, to));
        }
    }
    for leaf in leaves(&script) {
        match (leaf.path.as_slice(), &leaf.entry.value) {
            ([processes, name], _) if is_processes(&[processes]) && *name == from => {
                let span = leaf.key.span.clone();
                new.push((span.clone(), key_like(&text[span], to)));
            }
            ([processes], Value::List(_, items)) if is_processes(&[processes]) => {
                for item in items {
                    if let Value::Table(_, entries) = item {
                        new.extend(named(&script, entries, from, to));
                    }
                }
            }
            (_, _) => {}
        }
    }
    (!new.is_empty()).then(|| splice(&text, new))
}

/// fly.toml without a group and without what was its alone.
pub(super) fn removed(text: &str, groups: &Groups, name: &str) -> Option<String> {
    let script = Script::read(text)?;
    let was_default = groups.default() == name;
    let mut text = text.to_owned();
    for part in parts(&script).into_iter().rev() {
        let names = part.names(&script);
        let is_its = |named: &String| named == name || was_default && named.is_empty();
        let its_alone = match part.nameless() {
            Nameless::Default if names.is_empty() => was_default,
            Nameless::Default | Nameless::All => !names.is_empty() && names.iter().all(is_its),
        };
        if its_alone && part.kind() == "files" {
            // Fly puts files into every group, whichever it names.
            text = part.unset(&text, "processes")?;
        } else if its_alone {
            text = part.remove(&text)?;
        } else {
            text = unname(&text, &part, name)?;
            if was_default {
                text = unname(&text, &part, "")?;
            }
        }
    }
    let script = Script::read(&text)?;
    let processes = name_of_processes(&script)?;
    let is_old = script
        .sections
        .iter()
        .any(|s| s.is_list() && is_processes(&s.path()));
    let leaves = leaves(&script);
    let list = find(&leaves, &[&processes]).map(|leaf| &leaf.entry.value);
    if is_old || matches!(list, Some(Value::List(..))) {
        return machines::without(&text, &processes, &|script, entries| {
            machines::says(script, entries, "name").as_deref() == Some(name)
        });
    }
    remove(&text, &[&processes, name], Comments::Go)
}

/// aeroform.toml where a group has another name.
pub(super) fn settings_renamed(text: &str, from: &GroupName, to: &GroupName) -> Option<String> {
    let (from, to) = (from.as_str(), to.as_str());
    // That one is defined again, so nothing is renamed from it any more.
    let text = machines::without(text, "moved", &|script, entries| {
        machines::says(script, entries, "from").as_deref() == Some(to)
    })?;
    let script = Script::read(&text)?;
    let mut new = Vec::new();
    for section in &script.sections {
        let header = section.header.iter().flat_map(|header| &header.keys);
        let mut keys: Vec<_> = header.collect();
        rename_group(&keys, from, to, &text, &mut new);
        for entry in &section.entries {
            let above = keys.len();
            keys.extend(&entry.keys);
            // Those of the header are renamed once.
            if above < 2 {
                rename_group(&keys, from, to, &text, &mut new);
            }
            if let (true, Value::Table(_, entries)) = (is_groups(&keys), &entry.value) {
                for inner in entries {
                    let first = inner.keys.first().filter(|key| key.name == from);
                    new.extend(
                        first.map(|key| (key.span.clone(), key_like(&text[key.span.clone()], to))),
                    );
                }
            }
            keys.truncate(above);
        }
        if section.is_list() && section.path() == ["moved"] {
            new.extend(goes_to(&script, section, from, to));
        }
    }
    let leaves = leaves(&script);
    if let Some(Value::List(_, items)) = find(&leaves, &["moved"]).map(|leaf| &leaf.entry.value) {
        for item in items {
            if let Value::Table(_, entries) = item {
                let entry = entries.iter().find(|entry| entry.is("to"));
                new.extend(entry.and_then(|entry| said(&script, &entry.value, from, to)));
            }
        }
    }
    let text = splice(&text, new);
    let entries = [
        format!("from = {}", quoted(from)),
        format!("to = {}", quoted(to)),
    ];
    machines::listed(&text, "moved", &entries)
}

/// aeroform.toml without a word of a group.
pub(super) fn settings_removed(text: &str, name: &GroupName) -> Option<String> {
    let text = machines::without(text, "moved", &|script, entries| {
        machines::says(script, entries, "to").as_deref() == Some(name.as_str())
    })?;
    remove(&text, &["groups", name.as_str()], Comments::Go)
}

type Parts = Vec<(std::ops::Range<usize>, String)>;

fn is_groups(keys: &[&super::script::Key]) -> bool {
    matches!(keys, [only] if only.name == "groups")
}

fn rename_group(keys: &[&super::script::Key], from: &str, to: &str, text: &str, new: &mut Parts) {
    if let [groups, name, ..] = keys
        && groups.name == "groups"
        && name.name == from
    {
        let span = name.span.clone();
        new.push((span.clone(), key_like(&text[span], to)));
    }
}

fn goes_to(
    script: &Script<'_>,
    section: &Section,
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let entry = section.entries.iter().find(|entry| entry.is("to"))?;
    said(script, &entry.value, from, to)
}

/// A string that says a name, saying another.
fn said(
    script: &Script<'_>,
    value: &Value,
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let says = script.string(value)?;
    let span = value.span();
    (says == from).then(|| (span.clone(), string_like(&script.text[span], to)))
}

fn named(
    script: &Script<'_>,
    entries: &[super::script::Entry],
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let entry = entries.iter().find(|entry| entry.is("name"))?;
    said(script, &entry.value, from, to)
}

fn is_processes(path: &[&str]) -> bool {
    matches!(path, [only] if only.eq_ignore_ascii_case("processes"))
}

/// How `processes` is written; flyctl reads it in any case.
fn name_of_processes(script: &Script<'_>) -> Option<String> {
    let sections = script
        .sections
        .iter()
        .filter_map(|section| section.path().first().map(|name| (*name).to_owned()));
    let leaves = leaves(script);
    let leaves = leaves.iter().map(|leaf| leaf.path[0].to_owned());
    sections.chain(leaves).find(|name| is_processes(&[name]))
}

/// Makes sections say whose they are, where the default group is going to be another.
fn owned(text: &str, before: &Groups, after: &Groups, default: &str) -> Option<String> {
    let script = Script::read(text)?;
    let mut text = text.to_owned();
    if before.written && after.default() == default {
        return Some(text);
    }
    // The name that stands in the file as long as it is not renamed.
    let now = before.default();
    for part in parts(&script) {
        let names = part.names(&script);
        let nobody = names.is_empty() && part.nameless() == Nameless::Default;
        if nobody {
            text = assign(&text, &part, now)?;
        } else if names.iter().any(String::is_empty) {
            text = rename(&text, &part, "", now)?;
        }
    }
    Some(text)
}

/// fly.toml with an entry more in `[processes]`, in the form that this has.
fn with_process(text: &str, name: &str, command: &str) -> Option<String> {
    let script = Script::read(text)?;
    let Some(processes) = name_of_processes(&script) else {
        let entry = format!("{} = {}", key(name), quoted(command));
        return Some(new_section(&script, &["processes"], false, &[entry]));
    };
    let entries = [
        format!("name = {}", quoted(name)),
        format!("command = {}", quoted(command)),
    ];
    let is_old = |section: &&Section| section.is_list() && is_processes(&section.path());
    if script.sections.iter().any(|section| is_old(&section)) {
        return Some(new_section(&script, &[&processes], true, &entries));
    }
    let leaves = leaves(&script);
    match find(&leaves, &[&processes]).map(|leaf| &leaf.entry.value) {
        Some(Value::List(_, items)) if items.is_empty() => {
            let table = format!("{{ {} = {} }}", key(name), quoted(command));
            set(text, &[&processes], &table)
        }
        Some(Value::List(..)) => machines::listed(text, &processes, &entries),
        Some(Value::Scalar(_)) => None,
        Some(Value::Table(..)) | None => add(text, &[&processes, name], &quoted(command)),
    }
}
