//! `order` of a group and `groups_order` of the app: what is updated first.
//!
//! Reads and checks the lists alone; whether fly.toml has the groups is checked where both files are joined.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::{GroupName, OrderedRegions, Region};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::names;
use super::super::tree::{Located, ManifestFile};
use super::super::value::Value;

/// The entry of `order` for all regions that it does not name.
const OTHERS: &str = "*";

/// The lists of `groups_order`.
pub(in crate::core::manifest) type GroupLists = Vec<Vec<Located<GroupName>>>;

/// `order`: regions, and `"*"`. None if an entry is wrong, to avoid follow-up errors.
pub(super) fn regions(fields: &mut Fields<'_, '_>) -> Option<Located<Vec<OrderedRegions>>> {
    let node = fields.take("order")?;
    let (file, path) = (fields.file, fields.path("order"));
    let written = file.strings(&path, node)?;
    if written.is_empty() {
        let help = "name a region, or remove the line to update all regions together";
        let message = format!("`{path}` has no region");
        file.bad_value(node.span(), message, Some(help.to_owned()));
        return None;
    }
    let entries = written.len();
    let mut spans: BTreeMap<Option<Region>, Range<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    for entry in written {
        let span = entry.span.clone();
        let region = match entry.value.as_str() {
            OTHERS => None,
            _ => match names::parse_region(file, entry) {
                Some(region) => Some(region),
                None => continue,
            },
        };
        if let Some(first) = spans.get(&region) {
            let name = region
                .as_ref()
                .map_or_else(|| quote_text(OTHERS), Region::to_string);
            let message = format!("`{path}` names {name} twice");
            file.report(
                Diagnostic::error(codes::DUPLICATE_REGION, message)
                    .with_location(file.location(span, "again here"))
                    .with_related(file.location(first.clone(), "first here"))
                    .help("each region is updated once: keep one of the two"),
            );
            continue;
        }
        spans.insert(region.clone(), span);
        order.push(region.map_or(OrderedRegions::Others, OrderedRegions::Region));
    }
    (order.len() == entries).then(|| Located::new(order, node.span()))
}

/// `groups_order`: lists of groups. None if one is wrong.
pub(super) fn groups(fields: &mut Fields<'_, '_>) -> Option<Located<GroupLists>> {
    let node = fields.take("groups_order")?;
    let (file, path) = (fields.file, fields.path("groups_order"));
    let Value::Array(items) = node.get_ref() else {
        file.wrong_type(&path, node, "a list of lists of groups");
        return None;
    };
    if let Some(item) = items.iter().find(|item| item.get_ref().as_str().is_some()) {
        let found = item.get_ref().kind();
        let message = format!("`{path}` takes a list of lists of groups, but one item is {found}");
        file.report(
            Diagnostic::error(codes::WRONG_TYPE, message)
                .with_location(file.location(item.span(), found))
                .help("write each step as a list: [[\"worker\"], [\"web\"]]"),
        );
        return None;
    }
    let mut lists = Vec::new();
    for item in items {
        let Some(names) = file.strings(&path, item) else {
            continue;
        };
        if names.is_empty() {
            let message = format!("`{path}` has an empty list");
            let help = "name a group in it, or remove it".to_owned();
            file.bad_value(item.span(), message, Some(help));
            continue;
        }
        let count = names.len();
        let names = names.into_iter();
        let list: Vec<_> = names
            .filter_map(|name| names::parse_group(file, name))
            .collect();
        if list.len() == count {
            lists.push(list);
        }
    }
    if items.is_empty() {
        let message = format!("`{path}` is empty");
        let help = "name groups, or remove the line to update all groups side by side";
        file.bad_value(node.span(), message, Some(help.to_owned()));
    }
    report_groups_named_twice(file, &path, &lists);
    let is_whole = !items.is_empty() && lists.len() == items.len();
    is_whole.then(|| Located::new(lists, node.span()))
}

fn report_groups_named_twice(file: &ManifestFile<'_>, path: &str, lists: &GroupLists) {
    let mut spans: BTreeMap<&GroupName, &Range<usize>> = BTreeMap::new();
    for name in lists.iter().flatten() {
        let Some(first) = spans.insert(&name.value, &name.span) else {
            continue;
        };
        let group = quote_text(name.value.as_str());
        file.report(
            Diagnostic::error(
                codes::ORDERED_TWICE,
                format!("`{path}` names group {group} twice"),
            )
            .with_location(file.location(name.span.clone(), "again here"))
            .with_related(file.location(first.clone(), "first here"))
            .help("a group has one place in the order: keep one of the two"),
        );
    }
}
