//! Edits counts and regions of `[groups.NAME]`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::list_items;
use super::toml_entries::{
    Comments, all_entries, find_entry, remove_entry, replace_entry, set_entry, splice, toml_string,
};
use super::toml_source::{TomlSource, TomlValue};
use crate::core::fleet::{GroupName, Region};

/// The counts for `[groups.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLayout {
    /// Exact primaries per region; an empty map is a count of 0.
    pub regions: BTreeMap<Region, u32>,
    /// Standbys, if they must be written to be kept.
    pub standby: Option<u32>,
}

/// Writes it.
pub(super) fn write_layout(text: &str, group: &GroupName, layout: &GroupLayout) -> Option<String> {
    let name = group.as_str();
    let text = if layout.regions.values().all(|n| *n == 0) {
        write_zero_count(text, name)?
    } else {
        write_region_map(text, name, &layout.regions)?
    };
    match layout.standby {
        None => Some(text),
        Some(1) => set_entry(&text, &["groups", name, "standby"], "true"),
        Some(n) => set_entry(&text, &["groups", name, "standby"], &n.to_string()),
    }
}

/// `count = 0`, because a table of regions cannot be empty.
fn write_zero_count(text: &str, name: &str) -> Option<String> {
    let (count, regions) = (["groups", name, "count"], ["groups", name, "regions"]);
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let has_count = find_entry(&leaves, &count).is_some();
    match find_entry(&leaves, &regions) {
        Some(_) if !has_count => replace_entry(text, &regions, "count", "0"),
        Some(_) | None => set_entry(&remove_entry(text, &regions, Comments::Stay)?, &count, "0"),
    }
}

fn write_region_map(text: &str, name: &str, desired: &BTreeMap<Region, u32>) -> Option<String> {
    let (count, regions) = (["groups", name, "count"], ["groups", name, "regions"]);
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let sum: i64 = desired.values().map(|n| i64::from(*n)).sum();
    let written = find_entry(&leaves, &count);
    let agrees = written.is_some_and(|leaf| script.number(&leaf.entry.value) == Some(sum));
    let is_map = leaves
        .iter()
        .any(|leaf| leaf.path.len() > regions.len() && leaf.path.starts_with(&regions));
    let text = match find_entry(&leaves, &regions).map(|leaf| &leaf.entry.value) {
        Some(TomlValue::Table(..)) | None if is_map => patch_region_map(text, name, desired)?,
        None if written.is_some() => {
            return replace_entry(text, &count, "regions", &map_literal(desired));
        }
        Some(_) | None => set_entry(text, &regions, &map_literal(desired))?,
    };
    if written.is_some() && !agrees {
        remove_entry(&text, &count, Comments::Stay)
    } else {
        Some(text)
    }
}

/// Edits an existing map entry by entry, to keep its order and comments.
fn patch_region_map(text: &str, name: &str, desired: &BTreeMap<Region, u32>) -> Option<String> {
    let regions = ["groups", name, "regions"];
    let script = TomlSource::parse(text)?;
    let written: BTreeMap<String, Option<i64>> = all_entries(&script)
        .iter()
        .filter(|leaf| leaf.path.len() == 4 && leaf.path.starts_with(&regions))
        .map(|leaf| (leaf.key.name.clone(), script.number(&leaf.entry.value)))
        .collect();
    let mut text = text.to_owned();
    // Add before removing, so that the table is never empty and keeps its form.
    for (region, n) in desired.iter().filter(|(_, n)| **n > 0) {
        let path = ["groups", name, "regions", region.as_str()];
        if written.get(region.as_str()) != Some(&Some(i64::from(*n))) {
            text = set_entry(&text, &path, &n.to_string())?;
        }
    }
    for region in written.keys() {
        let stays = desired.iter().any(|(r, n)| r.as_str() == region && *n > 0);
        if !stays {
            text = remove_entry(&text, &["groups", name, "regions", region], Comments::Stay)?;
        }
    }
    Some(text)
}

/// `{ bog = 3, gru = 5 }`.
pub(super) fn map_literal(regions: &BTreeMap<Region, u32>) -> String {
    let some = regions.iter().filter(|(_, n)| **n > 0);
    let pairs: Vec<String> = some
        .map(|(region, n)| format!("{} = {n}", super::toml_entries::toml_key(region.as_str())))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// `["gru", "bog"]`.
pub(super) fn list_literal(regions: &[Region]) -> String {
    let names = regions.iter().map(|region| toml_string(region.as_str()));
    let names: Vec<String> = names.collect();
    format!("[{}]", names.join(", "))
}

/// Writes a list, or edits an existing one in place.
pub(super) fn write_region_list(
    text: &str,
    group: &GroupName,
    regions: &[Region],
    count: Option<u32>,
) -> Option<String> {
    let name = group.as_str();
    let path = ["groups", name, "regions"];
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let text = match find_entry(&leaves, &path).map(|leaf| &leaf.entry.value) {
        Some(TomlValue::List(_, items)) if !items.is_empty() => {
            // An order that additions and removals cannot produce needs a new list.
            let relisted = patch_region_list(text, &path, regions);
            match relisted.filter(|text| is_listed(text, &path, regions)) {
                Some(text) => text,
                None => set_entry(text, &path, &list_literal(regions))?,
            }
        }
        Some(TomlValue::Scalar(_) | TomlValue::List(..) | TomlValue::Table(..)) => {
            set_entry(text, &path, &list_literal(regions))?
        }
        // Its counts may be separate entries, or missing.
        None => set_entry(
            &remove_entry(text, &path, Comments::Stay)?,
            &path,
            &list_literal(regions),
        )?,
    };
    // The sum of a removed map must be written as `count`.
    let sum = leaves
        .iter()
        .filter(|leaf| leaf.path.len() == path.len() + 1 && leaf.path.starts_with(&path))
        .map(|leaf| script.number(&leaf.entry.value))
        .reduce(|sum, n| Some(sum? + n?))
        .flatten();
    let has_count = find_entry(&leaves, &["groups", name, "count"]).is_some();
    let sum = sum.and_then(|sum| u32::try_from(sum).ok());
    match count.or(sum.filter(|_| !has_count)) {
        Some(n) => set_entry(&text, &["groups", name, "count"], &n.to_string()),
        None => Some(text),
    }
}

/// A list with these names, old ones in their places.
fn patch_region_list(text: &str, path: &[&str], desired: &[Region]) -> Option<String> {
    let mut text = text.to_owned();
    for region in desired {
        text = edit_list(&text, path, |script, span, items| {
            let is_it = |item| script.string(item).as_deref() == Some(region.as_str());
            if items.iter().any(is_it) {
                return Some(Vec::new());
            }
            list_items::appended_item(script, span, items, &toml_string(region.as_str()))
        })?;
    }
    loop {
        let shorter = edit_list(&text, path, |script, _, items| {
            let stays = |item| {
                let name = script.string(item);
                desired
                    .iter()
                    .any(|region| name.as_deref() == Some(region.as_str()))
            };
            match items.iter().position(|item| !stays(item)) {
                Some(at) => Some(vec![(
                    list_items::removal_range(script, items, at)?,
                    String::new(),
                )]),
                None => Some(Vec::new()),
            }
        })?;
        if shorter == text {
            return Some(text);
        }
        text = shorter;
    }
}

/// Changes an existing list.
fn edit_list(
    text: &str,
    path: &[&str],
    how: impl Fn(&TomlSource<'_>, &Range<usize>, &[TomlValue]) -> Option<Vec<(Range<usize>, String)>>,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    match &find_entry(&leaves, path)?.entry.value {
        TomlValue::List(span, items) => Some(splice(text, how(&script, span, items)?)),
        TomlValue::Scalar(_) | TomlValue::Table(..) => None,
    }
}

fn is_listed(text: &str, path: &[&str], desired: &[Region]) -> bool {
    let Some(script) = TomlSource::parse(text) else {
        return false;
    };
    let leaves = all_entries(&script);
    let Some(TomlValue::List(_, items)) = find_entry(&leaves, path).map(|leaf| &leaf.entry.value)
    else {
        return false;
    };
    let names = items.iter().map(|item| script.string(item));
    names.eq(desired
        .iter()
        .map(|region| Some(region.as_str().to_owned())))
}
