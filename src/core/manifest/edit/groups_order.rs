//! `groups_order` in `[deploy]` of aeroform.toml: it names groups, so a group that is renamed or removed changes it.

use std::ops::Range;

use super::list_items::removal_range;
use super::quoting::string_like;
use super::toml_entries::{Comments, all_entries, find_entry, remove_entry, splice};
use super::toml_source::{TomlSource, TomlValue};
use crate::core::fleet::{Desired, GroupName};

const PATH: [&str; 2] = ["deploy", "groups_order"];

/// The replacements that rename a group in it.
pub(super) fn renamed(
    script: &TomlSource<'_>,
    from: &str,
    to: &str,
) -> Vec<(Range<usize>, String)> {
    let leaves = all_entries(script);
    let written = find_entry(&leaves, &PATH).map(|leaf| &leaf.entry.value);
    let lists = written.into_iter().flat_map(items);
    let names = lists.flat_map(items);
    names
        .filter(|name| script.string(name).as_deref() == Some(from))
        .map(|name| {
            let span = name.span();
            (span.clone(), string_like(&script.text[span], to))
        })
        .collect()
}

/// aeroform.toml without a group in it. A list that becomes empty goes, too.
pub(super) fn without(text: &str, group: &str) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let Some(written) = find_entry(&leaves, &PATH).map(|leaf| &leaf.entry.value) else {
        return Some(text.to_owned());
    };
    let lists = items(written);
    let is_group = |name: &TomlValue| script.string(name).as_deref() == Some(group);
    let place = lists.iter().enumerate().find_map(|(list, names)| {
        let name = items(names).iter().position(is_group)?;
        Some((list, name))
    });
    let Some((list, name)) = place else {
        return Some(text.to_owned());
    };
    let names = items(&lists[list]);
    let range = match (names.len(), lists.len()) {
        (1, 1) => return remove_entry(text, &PATH, Comments::Go),
        (1, _) => removal_range(&script, lists, list)?,
        (_, _) => removal_range(&script, names, name)?,
    };
    Some(splice(text, vec![(range, String::new())]))
}

fn items(value: &TomlValue) -> &[TomlValue] {
    match value {
        TomlValue::List(_, items) => items,
        TomlValue::Scalar(_) | TomlValue::Table(..) => &[],
    }
}

/// The desired state after a rename.
pub(super) fn rename_in(desired: &mut Desired, from: &GroupName, to: &GroupName) {
    let order = desired.rollout.groups_order.iter_mut();
    let names = order.flat_map(|order| order.lists.iter_mut().flatten());
    for name in names.filter(|name| *name == from) {
        *name = to.clone();
    }
}

/// The desired state after a removal.
pub(super) fn remove_from(desired: &mut Desired, group: &GroupName) {
    let written = &mut desired.rollout.groups_order;
    if let Some(order) = written {
        for list in &mut order.lists {
            list.retain(|name| name != group);
        }
        order.lists.retain(|list| !list.is_empty());
    }
    if written.as_ref().is_some_and(|order| order.lists.is_empty()) {
        *written = None;
    }
}
