//! `[[moved]] machine = …` and `[[removed]] machine = …`: moves and removals of Machines.

use super::list_items;
use super::toml_entries::{
    all_entries, find_entry, new_section, section_range, splice, toml_string,
};
use super::toml_source::{TomlEntry, TomlSection, TomlSource, TomlValue};
use crate::core::fleet::{GroupName, MachineId};

/// Moves a Machine to a group, and removes earlier entries for it.
pub(super) fn add_move(text: &str, machine: &MachineId, to: &GroupName) -> Option<String> {
    let text = remove_machine_entries(text, machine)?;
    let entries = [
        format!("machine = {}", toml_string(machine.as_str())),
        format!("to = {}", toml_string(to.as_str())),
    ];
    append_table(&text, "moved", &entries)
}

/// Removes a Machine, and removes earlier entries for it.
pub(super) fn add_removal(text: &str, machine: &MachineId) -> Option<String> {
    let text = remove_machine_entries(text, machine)?;
    let entries = [format!("machine = {}", toml_string(machine.as_str()))];
    append_table(&text, "removed", &entries)
}

/// Removes the entries that name a Machine.
pub(super) fn remove_machine_entries(text: &str, machine: &MachineId) -> Option<String> {
    let mut text = text.to_owned();
    for list in ["moved", "removed"] {
        text = remove_tables(&text, list, &|script, entries| {
            entry_string(script, entries, "machine").as_deref() == Some(machine.as_str())
        })?;
    }
    Some(text)
}

/// The string value of a key of an entry.
pub(super) fn entry_string(
    script: &TomlSource<'_>,
    entries: &[TomlEntry],
    key: &str,
) -> Option<String> {
    let entry = entries.iter().find(|entry| entry.has_name(key))?;
    script.string(&entry.value)
}

/// Adds an entry to a list of tables, in its existing form.
pub(super) fn append_table(text: &str, list: &str, entries: &[String]) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let Some(found) = find_entry(&leaves, &[list]) else {
        return Some(new_section(&script, &[list], true, entries));
    };
    let TomlValue::List(span, items) = &found.entry.value else {
        return None;
    };
    let item = format!("{{ {} }}", entries.join(", "));
    Some(splice(
        text,
        list_items::appended_item(&script, span, items, &item)?,
    ))
}

/// Removes matching entries of a list of tables.
pub(super) fn remove_tables(
    text: &str,
    list: &str,
    gone: &dyn Fn(&TomlSource<'_>, &[TomlEntry]) -> bool,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let is_gone = |section: &&TomlSection| {
        section.is_list() && section.path() == [list] && gone(&script, &section.entries)
    };
    let parts: Vec<_> = script
        .sections
        .iter()
        .filter(is_gone)
        .map(|section| (section_range(&script, section), String::new()))
        .collect();
    let leaves = all_entries(&script);
    if let Some(TomlValue::List(_, items)) =
        find_entry(&leaves, &[list]).map(|leaf| &leaf.entry.value)
    {
        let is_gone = |item: &TomlValue| matches!(item, TomlValue::Table(_, entries) if gone(&script, entries));
        if let Some(at) = items.iter().position(is_gone) {
            let range = list_items::removal_range(&script, items, at)?;
            // Another one may match as well.
            return remove_tables(&splice(text, vec![(range, String::new())]), list, gone);
        }
    }
    Some(splice(text, parts))
}
