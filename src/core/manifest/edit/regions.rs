//! `[groups.NAME]`: an exact map of regions in place of whatever said how many there are and where.

use std::collections::BTreeMap;
use std::ops::Range;

use super::items;
use super::script::{Script, Value};
use super::table::{Comments, find, leaves, quoted, remove, rewrite, set, splice};
use crate::core::fleet::{GroupName, Region};

/// What `[groups.NAME]` is to say of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Primaries in each region, exactly; none at all is a count of 0.
    pub regions: BTreeMap<Region, u32>,
    /// Standbys, where they have to be written so that they stay.
    pub standby: Option<u32>,
}

/// Writes it.
pub(super) fn write(text: &str, group: &GroupName, layout: &Layout) -> Option<String> {
    let name = group.as_str();
    let text = if layout.regions.values().all(|n| *n == 0) {
        nowhere(text, name)?
    } else {
        exactly(text, name, &layout.regions)?
    };
    match layout.standby {
        None => Some(text),
        Some(1) => set(&text, &["groups", name, "standby"], "true"),
        Some(n) => set(&text, &["groups", name, "standby"], &n.to_string()),
    }
}

/// `count = 0`: a table of regions names at least one.
fn nowhere(text: &str, name: &str) -> Option<String> {
    let (count, regions) = (["groups", name, "count"], ["groups", name, "regions"]);
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    let has_count = find(&leaves, &count).is_some();
    match find(&leaves, &regions) {
        Some(_) if !has_count => rewrite(text, &regions, "count", "0"),
        Some(_) | None => set(&remove(text, &regions, Comments::Stay)?, &count, "0"),
    }
}

fn exactly(text: &str, name: &str, wanted: &BTreeMap<Region, u32>) -> Option<String> {
    let (count, regions) = (["groups", name, "count"], ["groups", name, "regions"]);
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    let sum: i64 = wanted.values().map(|n| i64::from(*n)).sum();
    let written = find(&leaves, &count);
    let agrees = written.is_some_and(|leaf| script.number(&leaf.entry.value) == Some(sum));
    let is_map = leaves
        .iter()
        .any(|leaf| leaf.path.len() > regions.len() && leaf.path.starts_with(&regions));
    let text = match find(&leaves, &regions).map(|leaf| &leaf.entry.value) {
        Some(Value::Table(..)) | None if is_map => patched(text, name, wanted)?,
        None if written.is_some() => {
            return rewrite(text, &count, "regions", &inline(wanted));
        }
        Some(_) | None => set(text, &regions, &inline(wanted))?,
    };
    if written.is_some() && !agrees {
        remove(&text, &count, Comments::Stay)
    } else {
        Some(text)
    }
}

/// A map that is there, number by number, so that its order and its comments stay.
fn patched(text: &str, name: &str, wanted: &BTreeMap<Region, u32>) -> Option<String> {
    let regions = ["groups", name, "regions"];
    let script = Script::read(text)?;
    let written: BTreeMap<String, Option<i64>> = leaves(&script)
        .iter()
        .filter(|leaf| leaf.path.len() == 4 && leaf.path.starts_with(&regions))
        .map(|leaf| (leaf.key.name.clone(), script.number(&leaf.entry.value)))
        .collect();
    let mut text = text.to_owned();
    // What is new comes first, so that the table is never empty and keeps its form.
    for (region, n) in wanted.iter().filter(|(_, n)| **n > 0) {
        let path = ["groups", name, "regions", region.as_str()];
        if written.get(region.as_str()) != Some(&Some(i64::from(*n))) {
            text = set(&text, &path, &n.to_string())?;
        }
    }
    for region in written.keys() {
        let stays = wanted.iter().any(|(r, n)| r.as_str() == region && *n > 0);
        if !stays {
            text = remove(&text, &["groups", name, "regions", region], Comments::Stay)?;
        }
    }
    Some(text)
}

/// `{ bog = 3, gru = 5 }`.
pub(super) fn inline(regions: &BTreeMap<Region, u32>) -> String {
    let some = regions.iter().filter(|(_, n)| **n > 0);
    let pairs: Vec<String> = some
        .map(|(region, n)| format!("{} = {n}", super::table::key(region.as_str())))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// `["gru", "bog"]`.
pub(super) fn listed(regions: &[Region]) -> String {
    let names = regions.iter().map(|region| quoted(region.as_str()));
    let names: Vec<String> = names.collect();
    format!("[{}]", names.join(", "))
}

/// Writes a list; one that is there loses and gets names where it stands.
pub(super) fn list(
    text: &str,
    group: &GroupName,
    wanted: &[Region],
    count: Option<u32>,
) -> Option<String> {
    let name = group.as_str();
    let path = ["groups", name, "regions"];
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    let text = match find(&leaves, &path).map(|leaf| &leaf.entry.value) {
        Some(Value::List(_, items)) if !items.is_empty() => {
            // An order that cannot be had by adding and taking away is written anew.
            let relisted = relisted(text, &path, wanted);
            match relisted.filter(|text| is_listed(text, &path, wanted)) {
                Some(text) => text,
                None => set(text, &path, &listed(wanted))?,
            }
        }
        Some(Value::Scalar(_) | Value::List(..) | Value::Table(..)) => {
            set(text, &path, &listed(wanted))?
        }
        // Its numbers may stand one by one, or there is nothing yet.
        None => set(
            &remove(text, &path, Comments::Stay)?,
            &path,
            &listed(wanted),
        )?,
    };
    // What a map added up to would be forgotten with it.
    let sum = leaves
        .iter()
        .filter(|leaf| leaf.path.len() == path.len() + 1 && leaf.path.starts_with(&path))
        .map(|leaf| script.number(&leaf.entry.value))
        .reduce(|sum, n| Some(sum? + n?))
        .flatten();
    let has_count = find(&leaves, &["groups", name, "count"]).is_some();
    let sum = sum.and_then(|sum| u32::try_from(sum).ok());
    match count.or(sum.filter(|_| !has_count)) {
        Some(n) => set(&text, &["groups", name, "count"], &n.to_string()),
        None => Some(text),
    }
}

/// A list that has these names afterwards, each old one in its place.
fn relisted(text: &str, path: &[&str], wanted: &[Region]) -> Option<String> {
    let mut text = text.to_owned();
    for region in wanted {
        text = changed(&text, path, |script, span, items| {
            let is_it = |item| script.string(item).as_deref() == Some(region.as_str());
            if items.iter().any(is_it) {
                return Some(Vec::new());
            }
            items::with(script, span, items, &quoted(region.as_str()))
        })?;
    }
    loop {
        let shorter = changed(&text, path, |script, _, items| {
            let stays = |item| {
                let name = script.string(item);
                wanted
                    .iter()
                    .any(|region| name.as_deref() == Some(region.as_str()))
            };
            match items.iter().position(|item| !stays(item)) {
                Some(at) => Some(vec![(items::without(script, items, at)?, String::new())]),
                None => Some(Vec::new()),
            }
        })?;
        if shorter == text {
            return Some(text);
        }
        text = shorter;
    }
}

/// Changes a list that is there.
fn changed(
    text: &str,
    path: &[&str],
    how: impl Fn(&Script<'_>, &Range<usize>, &[Value]) -> Option<Vec<(Range<usize>, String)>>,
) -> Option<String> {
    let script = Script::read(text)?;
    let leaves = leaves(&script);
    match &find(&leaves, path)?.entry.value {
        Value::List(span, items) => Some(splice(text, how(&script, span, items)?)),
        Value::Scalar(_) | Value::Table(..) => None,
    }
}

fn is_listed(text: &str, path: &[&str], wanted: &[Region]) -> bool {
    let Some(script) = Script::read(text) else {
        return false;
    };
    let leaves = leaves(&script);
    let Some(Value::List(_, items)) = find(&leaves, path).map(|leaf| &leaf.entry.value) else {
        return false;
    };
    let names = items.iter().map(|item| script.string(item));
    names.eq(wanted.iter().map(|region| Some(region.as_str().to_owned())))
}
