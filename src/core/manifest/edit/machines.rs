//! `[[moved]] machine = …` and `[[removed]] machine = …`: which Machine becomes whose, and which goes.

use super::items;
use super::script::{Entry, Script, Section, Value};
use super::table::{find, leaves, new_section, quoted, splice, without_section};
use crate::core::fleet::{GroupName, MachineId};

/// Says that a Machine goes to a group; what was said of it before goes.
pub(super) fn moved(text: &str, machine: &MachineId, to: &GroupName) -> Option<String> {
    let text = forgotten(text, machine)?;
    let entries = [
        format!("machine = {}", quoted(machine.as_str())),
        format!("to = {}", quoted(to.as_str())),
    ];
    listed(&text, "moved", &entries)
}

/// Says that a Machine goes for good; what was said of it before goes.
pub(super) fn removed(text: &str, machine: &MachineId) -> Option<String> {
    let text = forgotten(text, machine)?;
    let entries = [format!("machine = {}", quoted(machine.as_str()))];
    listed(&text, "removed", &entries)
}

/// Takes away the entries that name a Machine.
pub(super) fn forgotten(text: &str, machine: &MachineId) -> Option<String> {
    let mut text = text.to_owned();
    for list in ["moved", "removed"] {
        text = without(&text, list, &|script, entries| {
            says(script, entries, "machine").as_deref() == Some(machine.as_str())
        })?;
    }
    Some(text)
}

/// What an entry of a list says under a key.
pub(super) fn says(script: &Script<'_>, entries: &[Entry], key: &str) -> Option<String> {
    let entry = entries.iter().find(|entry| entry.is(key))?;
    script.string(&entry.value)
}

/// Adds an entry to a list of tables, in the form that the list has.
pub(super) fn listed(text: &str, list: &str, entries: &[String]) -> Option<String> {
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    let Some(found) = find(&leaves, &[list]) else {
        return Some(new_section(&script, &[list], true, entries));
    };
    let Value::List(span, items) = &found.entry.value else {
        return None;
    };
    let item = format!("{{ {} }}", entries.join(", "));
    Some(splice(text, items::with(&script, span, items, &item)?))
}

/// Takes away the entries of a list of tables that this is true of.
pub(super) fn without(
    text: &str,
    list: &str,
    gone: &dyn Fn(&Script<'_>, &[Entry]) -> bool,
) -> Option<String> {
    let script = Script::read(text)?;
    let is_gone = |section: &&Section| {
        section.is_list() && section.path() == [list] && gone(&script, &section.entries)
    };
    let parts: Vec<_> = script
        .sections
        .iter()
        .filter(is_gone)
        .map(|section| (without_section(&script, section), String::new()))
        .collect();
    let leaves = leaves(&script);
    if let Some(Value::List(_, items)) = find(&leaves, &[list]).map(|leaf| &leaf.entry.value) {
        let is_gone =
            |item: &Value| matches!(item, Value::Table(_, entries) if gone(&script, entries));
        if let Some(at) = items.iter().position(is_gone) {
            let range = items::without(&script, items, at)?;
            // Another one may go, too.
            return without(&splice(text, vec![(range, String::new())]), list, gone);
        }
    }
    Some(splice(text, parts))
}
