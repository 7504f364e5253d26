//! `[groups.NAME]`: how many Machines, where, and how they are kept.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use crate::core::fleet::{GroupName, Region, Regions};

use super::super::diagnostics::{Diagnostic, shown};
use super::super::fly::processes::words;
use super::super::names;
use super::super::tree::{At, Fields, File, Node, kind};

/// Most Machines of one group; a longer number is a slip, and would only exhaust memory.
pub(super) const MOST: u32 = 100_000;

/// One `[groups.NAME]`.
#[derive(Debug)]
pub(in crate::core::manifest) struct GroupSettings {
    pub(in crate::core::manifest) name: At<GroupName>,
    pub(in crate::core::manifest) span: Range<usize>,
    pub(in crate::core::manifest) count: Option<u32>,
    pub(in crate::core::manifest) regions: Option<Regions>,
    pub(in crate::core::manifest) max_per_region: Option<u32>,
    pub(in crate::core::manifest) standby: Option<At<u32>>,
    pub(in crate::core::manifest) ha: Option<bool>,
    pub(in crate::core::manifest) protect: bool,
    /// `local.command`, as written and split.
    pub(in crate::core::manifest) command: Option<(String, Vec<String>)>,
}

/// Reads all of them, in the order of the file.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupSettings> {
    let file = fields.file;
    let Some(table) = fields.table("groups") else {
        return Vec::new();
    };
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(name, span, node)| {
            let fields = file.table(&table.path(name), node)?;
            let name = names::group(file, At::new(name.to_owned(), span))?;
            Some(group(fields, name))
        })
        .collect()
}

fn group(mut fields: Fields<'_, '_>, name: At<GroupName>) -> GroupSettings {
    let count = fields.integer("count", 0..MOST + 1);
    let regions = fields.take("regions");
    let regions_span = regions.map(Node::span);
    let regions_path = fields.path("regions");
    let regions = regions.and_then(|node| read_regions(fields.file, &regions_path, node));
    let max_per_region = fields.integer("max_per_region", 1..MOST + 1);
    let settings = GroupSettings {
        span: fields.span.clone(),
        standby: standby(&mut fields),
        ha: fields.boolean("ha"),
        protect: fields.boolean("protect").unwrap_or(false),
        command: local(&mut fields, &name.value),
        count: count.as_ref().map(|count| count.value),
        max_per_region: max_per_region.as_ref().map(|most| most.value),
        regions,
        name,
    };
    if let (Some(regions), Some(span)) = (&settings.regions, regions_span) {
        let layout = Layout {
            file: fields.file,
            regions,
            span,
            name: &settings.name.value,
        };
        layout.agree_on_count(count.as_ref());
        layout.fit(count.as_ref(), max_per_region.as_ref());
    }
    fields.finish();
    settings
}

/// `regions`: a list is evened out, a table is exact.
fn read_regions(file: &File<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let regions = match node.get_ref() {
        DeValue::Array(_) => list(file, path, node)?,
        DeValue::Table(_) => map(file, path, node)?,
        other => {
            let found = kind(other);
            file.report(
                Diagnostic::error(
                    "wrong_type",
                    format!("`{path}` takes a list of regions or a table of numbers, not {found}"),
                )
                .at(file.place(node.span(), found))
                .help("write [\"gru\", \"bog\"] to even out, or { gru = 5, bog = 3 } to be exact"),
            );
            return None;
        }
    };
    let empty = match &regions {
        Regions::List(list) => list.is_empty(),
        Regions::Exact(map) => map.is_empty(),
        Regions::Unwritten => false,
    };
    if empty {
        let message = format!("`{path}` names no region");
        let help = "name one, or take the line away: Machines then stay where they are".to_owned();
        file.bad_value(node.span(), message, Some(help));
        return None;
    }
    Some(regions)
}

/// `None` where an entry was wrong, so that nothing is said of the rest.
fn list(file: &File<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let items = node.get_ref().as_array()?;
    let mut places: BTreeMap<Region, Range<usize>> = BTreeMap::new();
    let mut list = Vec::new();
    for item in items {
        let Some(region) = file
            .string(path, item)
            .and_then(|written| names::region(file, written))
        else {
            continue;
        };
        if let Some(first) = places.get(&region) {
            file.report(
                Diagnostic::error("duplicate_region", format!("`{path}` names {region} twice"))
                    .at(file.place(item.span(), "again here"))
                    .also(file.place(first.clone(), "first here"))
                    .help("a list is evened out; to weigh regions write { gru = 5, bog = 3 }"),
            );
        } else {
            places.insert(region.clone(), item.span());
            list.push(region);
        }
    }
    (list.len() == items.len()).then_some(Regions::List(list))
}

fn map(file: &File<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let table = file.table(path, node)?;
    let entries = table.entries();
    let wanted = entries.len();
    let exact: BTreeMap<Region, u32> = entries
        .into_iter()
        .filter_map(|(name, span, value)| {
            let count = file.integer(&table.path(name), value, 0..MOST + 1);
            let region = names::region(file, At::new(name.to_owned(), span));
            Some((region?, count?.value))
        })
        .collect();
    let sum: u64 = exact.values().map(|n| u64::from(*n)).sum();
    if sum > u64::from(MOST) {
        let message = format!("`{path}` adds up to {sum}, and the most is {MOST}");
        file.bad_value(node.span(), message, None);
        return None;
    }
    (exact.len() == wanted).then_some(Regions::Exact(exact))
}

/// The regions of a group, held against its numbers.
struct Layout<'l> {
    file: &'l File<'l>,
    regions: &'l Regions,
    span: Range<usize>,
    name: &'l GroupName,
}

impl Layout<'_> {
    /// An exact map gives the count; a count beside it has to be the same.
    fn agree_on_count(&self, count: Option<&At<u32>>) {
        let (Regions::Exact(map), Some(count)) = (self.regions, count) else {
            return;
        };
        let sum: u64 = map.values().map(|n| u64::from(*n)).sum();
        if sum == u64::from(count.value) {
            return;
        }
        let name = shown(self.name.as_str());
        self.file.report(
            Diagnostic::error(
                "count_and_regions",
                format!(
                    "group {name} has `count = {}`, and its regions add up to {sum}",
                    count.value
                ),
            )
            .at(self.file.place(count.span.clone(), ""))
            .also(self.file.place(self.span.clone(), format!("{sum} in all")))
            .help("an exact table needs no `count`; to even out a count write a list of regions"),
        );
    }

    /// No region may have to take more than `max_per_region`.
    fn fit(&self, count: Option<&At<u32>>, most: Option<&At<u32>>) {
        let Some(most) = most else {
            return;
        };
        let problem = match (self.regions, count) {
            (Regions::Exact(map), _) => {
                let over = map.iter().find(|(_, n)| **n > most.value);
                over.map(|(region, n)| {
                    format!(
                        "{n} in {region} are more than `max_per_region = {}`",
                        most.value
                    )
                })
            }
            (Regions::List(list), Some(count)) => {
                let room = u64::from(most.value) * list.len() as u64;
                let regions = if list.len() == 1 { "region" } else { "regions" };
                (u64::from(count.value) > room).then(|| {
                    format!(
                        "{} Machines do not fit: {} {regions} with at most {} each hold {room}",
                        count.value,
                        list.len(),
                        most.value
                    )
                })
            }
            (Regions::List(_) | Regions::Unwritten, _) => None,
        };
        if let Some(problem) = problem {
            let name = shown(self.name.as_str());
            self.file.report(
                Diagnostic::error("too_many_per_region", format!("group {name}: {problem}"))
                    .at(self.file.place(most.span.clone(), ""))
                    .also(self.file.place(self.span.clone(), "these regions"))
                    .help("raise `max_per_region`, or name more regions"),
            );
        }
    }
}

/// `standby`: a number, or true for one.
fn standby(fields: &mut Fields<'_, '_>) -> Option<At<u32>> {
    let node = fields.take("standby")?;
    let path = fields.path("standby");
    match node.get_ref() {
        DeValue::Boolean(value) => Some(At::new(u32::from(*value), node.span())),
        DeValue::Integer(_) => fields.file.integer(&path, node, 0..MOST + 1),
        _ => {
            fields
                .file
                .wrong_type(&path, node, "true, false or a number");
            None
        }
    }
}

fn local(fields: &mut Fields<'_, '_>, group: &GroupName) -> Option<(String, Vec<String>)> {
    let mut fields = fields.table("local")?;
    let command = fields.string("command");
    let file = fields.file;
    fields.finish();
    let command = command?;
    let whose = format!("group {}", shown(group.as_str()));
    // One that cannot be split is told, and stands for a command all the same.
    let words = words(file, &whose, &command.value, &command.span);
    if words.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("the local command of {whose} is empty");
        file.bad_value(command.span, message, None);
    }
    Some((command.value, words.unwrap_or_default()))
}
