//! `regions` of a group: a list to spread evenly or a table of exact counts, checked against the group's settings.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::{GroupName, Region, Regions};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::names;
use super::super::tree::{Located, ManifestFile};
use super::super::value::{Node, Value};
use super::group_settings::MAX_COUNT;

/// `regions`: a list is spread evenly, a table sets exact counts.
pub(super) fn read(file: &ManifestFile<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let regions = match node.get_ref() {
        Value::Array(_) => list(file, path, node)?,
        Value::Table(_) => map(file, path, node)?,
        other => {
            let found = other.kind();
            file.report(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!("`{path}` takes a list of regions or a table of numbers, not {found}"),
                )
                .with_location(file.location(node.span(), found))
                .help("write [\"gru\", \"bog\"] to spread evenly, or { gru = 5, bog = 3 } for exact counts"),
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
        let message = format!("`{path}` has no region");
        let help = "add one, or remove the line: Machines then stay in their regions".to_owned();
        file.bad_value(node.span(), message, Some(help));
        return None;
    }
    Some(regions)
}

/// `None` if an entry was wrong, to avoid follow-up errors.
fn list(file: &ManifestFile<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let Value::Array(items) = node.get_ref() else {
        return None;
    };
    let mut spans: BTreeMap<Region, Range<usize>> = BTreeMap::new();
    let mut list = Vec::new();
    for item in items {
        let Some(region) = file
            .string(path, item)
            .and_then(|written| names::parse_region(file, written))
        else {
            continue;
        };
        if let Some(first) = spans.get(&region) {
            file.report(
                Diagnostic::error(
                    codes::DUPLICATE_REGION,
                    format!("`{path}` names {region} twice"),
                )
                .with_location(file.location(item.span(), "again here"))
                .with_related(file.location(first.clone(), "first here"))
                .help("a list is spread evenly; for other counts write { gru = 5, bog = 3 }"),
            );
        } else {
            spans.insert(region.clone(), item.span());
            list.push(region);
        }
    }
    (list.len() == items.len()).then_some(Regions::List(list))
}

fn map(file: &ManifestFile<'_>, path: &str, node: &Node<'_>) -> Option<Regions> {
    let table = file.table(path, node)?;
    let entries = table.entries();
    let entry_count = entries.len();
    let exact: BTreeMap<Region, u32> = entries
        .into_iter()
        .filter_map(|(name, span, value)| {
            let count = file.integer(&table.path(name), value, 0..MAX_COUNT + 1);
            let region = names::parse_region(file, Located::new(name.to_owned(), span));
            Some((region?, count?.value))
        })
        .collect();
    let sum: u64 = exact.values().map(|n| u64::from(*n)).sum();
    if sum > u64::from(MAX_COUNT) {
        let message = format!("`{path}` adds up to {sum}; the maximum is {MAX_COUNT}");
        file.bad_value(node.span(), message, None);
        return None;
    }
    (exact.len() == entry_count).then_some(Regions::Exact(exact))
}

/// The regions of a group, with the settings to check them against.
pub(super) struct RegionLimits<'l> {
    pub(super) file: &'l ManifestFile<'l>,
    pub(super) regions: &'l Regions,
    pub(super) span: Range<usize>,
    pub(super) name: &'l GroupName,
}

impl RegionLimits<'_> {
    /// A table sets the count; a `count` with it must be the same.
    pub(super) fn check_count(&self, count: Option<&Located<u32>>) {
        let (Regions::Exact(map), Some(count)) = (self.regions, count) else {
            return;
        };
        let sum: u64 = map.values().map(|n| u64::from(*n)).sum();
        if sum == u64::from(count.value) {
            return;
        }
        let name = quote_text(self.name.as_str());
        self.file.report(
            Diagnostic::error(
                codes::COUNT_AND_REGIONS,
                format!(
                    "group {name} has `count = {}`, but its regions add up to {sum}",
                    count.value
                ),
            )
            .with_location(self.file.location(count.span.clone(), ""))
            .with_related(
                self.file
                    .location(self.span.clone(), format!("{sum} in total")),
            )
            .help("a table of regions needs no `count`; to spread a count evenly write a list of regions"),
        );
    }

    /// No region may need more than `max_per_region`.
    pub(super) fn check_max_per_region(
        &self,
        count: Option<&Located<u32>>,
        most: Option<&Located<u32>>,
    ) {
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
            let name = quote_text(self.name.as_str());
            self.file.report(
                Diagnostic::error(
                    codes::TOO_MANY_PER_REGION,
                    format!("group {name}: {problem}"),
                )
                .with_location(self.file.location(most.span.clone(), ""))
                .with_related(self.file.location(self.span.clone(), "these regions"))
                .help("raise `max_per_region`, or add regions"),
            );
        }
    }
}
