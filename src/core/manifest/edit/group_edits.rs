//! Adds, renames and removes a group: `[processes]`, every section that names it, `[groups.*]` and `[[moved]]`.
//!
//! Sections without `processes` belong to the default group, which depends on the names of all groups. If an edit would
//! change it, such sections first get explicit `processes`.

use super::group_sections::{
    UnnamedScope, assign_section, group_sections, remove_group_from_section,
    rename_group_in_section,
};
use super::groups_order;
use super::machine_entries;
use super::quoting::{key_like, string_like};
use super::toml_entries::{
    Comments, add_entry, all_entries, find_entry, new_section, remove_entry, set_entry, splice,
    toml_key, toml_string,
};
use super::toml_source::{TomlSection, TomlSource, TomlValue};
use crate::core::fleet::GroupName;

/// The groups of fly.toml, and whether `[processes]` defines them.
#[derive(Debug, Clone)]
pub(super) struct GroupNames {
    pub(super) names: Vec<String>,
    pub(super) has_processes: bool,
}

impl GroupNames {
    /// The default group.
    fn default_group(&self) -> &str {
        let app = self.names.iter().find(|name| *name == "app");
        app.or(self.names.iter().min())
            .map_or("app", String::as_str)
    }
}

/// fly.toml with an added group.
pub(super) fn add_to_fly_toml(
    text: &str,
    groups: &GroupNames,
    name: &str,
    command: &str,
) -> Option<String> {
    let mut names = groups.names.clone();
    names.push(name.to_owned());
    let after = GroupNames {
        names,
        has_processes: true,
    };
    let mut text = assign_default_sections(text, groups, &after, groups.default_group())?;
    if !groups.has_processes {
        // Without the section the only group is `app`, which must be kept.
        text = add_process(&text, groups.default_group(), "")?;
    }
    add_process(&text, name, command)
}

/// fly.toml with a renamed group.
pub(super) fn rename_in_fly_toml(
    text: &str,
    groups: &GroupNames,
    from: &str,
    to: &str,
) -> Option<String> {
    let new = |name: &String| if name == from { to } else { name }.to_owned();
    let after = GroupNames {
        names: groups.names.iter().map(new).collect(),
        has_processes: true,
    };
    let default = if groups.default_group() == from {
        to
    } else {
        groups.default_group()
    };
    let mut text = assign_default_sections(text, groups, &after, default)?;
    let script = TomlSource::parse(&text)?;
    for part in group_sections(&script) {
        text = rename_group_in_section(&text, &part, from, to)?;
    }
    if !groups.has_processes {
        return add_process(&text, to, "");
    }
    let script = TomlSource::parse(&text)?;
    let mut new = Vec::new();
    for section in &script.sections {
        // `[[processes]]`, the old form.
        if section.is_list() && is_processes(&section.path()) {
            new.extend(replace_entry_name(&script, &section.entries, from, to));
        }
    }
    for leaf in all_entries(&script) {
        match (leaf.path.as_slice(), &leaf.entry.value) {
            ([processes, name], _) if is_processes(&[processes]) && *name == from => {
                let span = leaf.key.span.clone();
                new.push((span.clone(), key_like(&text[span], to)));
            }
            ([processes], TomlValue::List(_, items)) if is_processes(&[processes]) => {
                for item in items {
                    if let TomlValue::Table(_, entries) = item {
                        new.extend(replace_entry_name(&script, entries, from, to));
                    }
                }
            }
            (_, _) => {}
        }
    }
    (!new.is_empty()).then(|| splice(&text, new))
}

/// fly.toml without a group and its own sections.
pub(super) fn remove_from_fly_toml(text: &str, groups: &GroupNames, name: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let was_default = groups.default_group() == name;
    let mut text = text.to_owned();
    for part in group_sections(&script).into_iter().rev() {
        let names = part.names(&script);
        let is_its = |named: &String| named == name || was_default && named.is_empty();
        let its_alone = match part.unnamed_scope() {
            UnnamedScope::Default if names.is_empty() => was_default,
            UnnamedScope::Default | UnnamedScope::All => {
                !names.is_empty() && names.iter().all(is_its)
            }
        };
        if its_alone && part.kind() == "files" {
            // Fly writes files into every group, whatever they name.
            text = part.unset(&text, "processes")?;
        } else if its_alone {
            text = part.remove(&text)?;
        } else {
            text = remove_group_from_section(&text, &part, name)?;
            if was_default {
                text = remove_group_from_section(&text, &part, "")?;
            }
        }
    }
    let script = TomlSource::parse(&text)?;
    let processes = name_of_processes(&script)?;
    let is_old = script
        .sections
        .iter()
        .any(|s| s.is_list() && is_processes(&s.path()));
    let leaves = all_entries(&script);
    let list = find_entry(&leaves, &[&processes]).map(|leaf| &leaf.entry.value);
    if is_old || matches!(list, Some(TomlValue::List(..))) {
        return machine_entries::remove_tables(&text, &processes, &|script, entries| {
            machine_entries::entry_string(script, entries, "name").as_deref() == Some(name)
        });
    }
    remove_entry(&text, &[&processes, name], Comments::Go)
}

/// aeroform.toml without `[[moved]]` from this name, because it is defined again.
pub(super) fn remove_moved_from(text: &str, name: &GroupName) -> Option<String> {
    machine_entries::remove_tables(text, "moved", &|script, entries| {
        machine_entries::entry_string(script, entries, "from").as_deref() == Some(name.as_str())
    })
}

/// aeroform.toml with a renamed group.
pub(super) fn rename_in_aeroform_toml(
    text: &str,
    from: &GroupName,
    to: &GroupName,
) -> Option<String> {
    let text = remove_moved_from(text, to)?;
    let (from, to) = (from.as_str(), to.as_str());
    let script = TomlSource::parse(&text)?;
    let mut new = Vec::new();
    for section in &script.sections {
        let header = section.header.iter().flat_map(|header| &header.keys);
        let mut keys: Vec<_> = header.collect();
        rename_group(&keys, from, to, &text, &mut new);
        for entry in &section.entries {
            let above = keys.len();
            keys.extend(&entry.keys);
            // Names in the header are renamed once.
            if above < 2 {
                rename_group(&keys, from, to, &text, &mut new);
            }
            if let (true, TomlValue::Table(_, entries)) = (is_groups(&keys), &entry.value) {
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
            new.extend(replace_moved_target(&script, section, from, to));
        }
    }
    let leaves = all_entries(&script);
    if let Some(TomlValue::List(_, items)) =
        find_entry(&leaves, &["moved"]).map(|leaf| &leaf.entry.value)
    {
        for item in items {
            if let TomlValue::Table(_, entries) = item {
                let entry = entries.iter().find(|entry| entry.has_name("to"));
                new.extend(entry.and_then(|entry| replace_name(&script, &entry.value, from, to)));
            }
        }
    }
    new.extend(groups_order::renamed(&script, from, to));
    let text = splice(&text, new);
    let entries = [
        format!("from = {}", toml_string(from)),
        format!("to = {}", toml_string(to)),
    ];
    machine_entries::append_table(&text, "moved", &entries)
}

/// aeroform.toml without a group.
pub(super) fn remove_from_aeroform_toml(text: &str, name: &GroupName) -> Option<String> {
    let text = machine_entries::remove_tables(text, "moved", &|script, entries| {
        machine_entries::entry_string(script, entries, "to").as_deref() == Some(name.as_str())
    })?;
    let text = groups_order::without(&text, name.as_str())?;
    remove_entry(&text, &["groups", name.as_str()], Comments::Go)
}

type Replacements = Vec<(std::ops::Range<usize>, String)>;

fn is_groups(keys: &[&super::toml_source::TomlKey]) -> bool {
    matches!(keys, [only] if only.name == "groups")
}

fn rename_group(
    keys: &[&super::toml_source::TomlKey],
    from: &str,
    to: &str,
    text: &str,
    new: &mut Replacements,
) {
    if let [groups, name, ..] = keys
        && groups.name == "groups"
        && name.name == from
    {
        let span = name.span.clone();
        new.push((span.clone(), key_like(&text[span], to)));
    }
}

fn replace_moved_target(
    script: &TomlSource<'_>,
    section: &TomlSection,
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let entry = section.entries.iter().find(|entry| entry.has_name("to"))?;
    replace_name(script, &entry.value, from, to)
}

/// Replaces a name in a string.
fn replace_name(
    script: &TomlSource<'_>,
    value: &TomlValue,
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let says = script.string(value)?;
    let span = value.span();
    (says == from).then(|| (span.clone(), string_like(&script.text[span], to)))
}

fn replace_entry_name(
    script: &TomlSource<'_>,
    entries: &[super::toml_source::TomlEntry],
    from: &str,
    to: &str,
) -> Option<(std::ops::Range<usize>, String)> {
    let entry = entries.iter().find(|entry| entry.has_name("name"))?;
    replace_name(script, &entry.value, from, to)
}

fn is_processes(path: &[&str]) -> bool {
    matches!(path, [only] if only.eq_ignore_ascii_case("processes"))
}

/// The key `processes`; flyctl accepts any case.
fn name_of_processes(script: &TomlSource<'_>) -> Option<String> {
    let sections = script
        .sections
        .iter()
        .filter_map(|section| section.path().first().map(|name| (*name).to_owned()));
    let leaves = all_entries(script);
    let leaves = leaves.iter().map(|leaf| leaf.path[0].to_owned());
    sections.chain(leaves).find(|name| is_processes(&[name]))
}

/// Adds explicit `processes` to sections, if the default group is about to change.
fn assign_default_sections(
    text: &str,
    before: &GroupNames,
    after: &GroupNames,
    default: &str,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let mut text = text.to_owned();
    if before.has_processes && after.default_group() == default {
        return Some(text);
    }
    // The name in the file before the rename.
    let now = before.default_group();
    for part in group_sections(&script) {
        let names = part.names(&script);
        let serves_no_group = names.is_empty() && part.unnamed_scope() == UnnamedScope::Default;
        if serves_no_group {
            text = assign_section(&text, &part, now)?;
        } else if names.iter().any(String::is_empty) {
            text = rename_group_in_section(&text, &part, "", now)?;
        }
    }
    Some(text)
}

/// fly.toml with an added entry in `[processes]`, in its existing form.
fn add_process(text: &str, name: &str, command: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let Some(processes) = name_of_processes(&script) else {
        let entry = format!("{} = {}", toml_key(name), toml_string(command));
        return Some(new_section(&script, &["processes"], false, &[entry]));
    };
    let entries = [
        format!("name = {}", toml_string(name)),
        format!("command = {}", toml_string(command)),
    ];
    let is_old = |section: &&TomlSection| section.is_list() && is_processes(&section.path());
    if script.sections.iter().any(|section| is_old(&section)) {
        return Some(new_section(&script, &[&processes], true, &entries));
    }
    let leaves = all_entries(&script);
    match find_entry(&leaves, &[&processes]).map(|leaf| &leaf.entry.value) {
        Some(TomlValue::List(_, items)) if items.is_empty() => {
            let table = format!("{{ {} = {} }}", toml_key(name), toml_string(command));
            set_entry(text, &[&processes], &table)
        }
        Some(TomlValue::List(..)) => machine_entries::append_table(text, &processes, &entries),
        Some(TomlValue::Scalar(_)) => None,
        Some(TomlValue::Table(..)) | None => {
            add_entry(text, &[&processes, name], &toml_string(command))
        }
    }
}
