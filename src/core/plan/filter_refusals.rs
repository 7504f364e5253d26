//! Filters that match nothing, and requests that a filter leaves out.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::GroupDecision;
use super::filter::LeftOut;
use super::members::Fleet;
use super::notes::{format_ids, note};
use super::requested::{Requested, RestartScope, folder_of};
use super::types::Note;
use crate::core::fleet::{Desired, GroupName, MachineId, Region, Regions};
use crate::core::manifest::did_you_mean;

/// Refuses wrong filters. The decisions are those before the filters.
pub(super) fn check(
    requested: &Requested,
    desired: &Desired,
    fleet: &Fleet<'_>,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Vec<Note> {
    if !requested.has_filter() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let groups: BTreeSet<&str> = decisions.keys().map(GroupName::as_str).collect();
    let unknown = requested.groups.iter().map(GroupName::as_str);
    let unknown = unknown_word("--process-groups", unknown, &groups, "groups");
    found.extend(
        unknown.map(|unknown| match renamed_group(requested, desired, &groups) {
            Some(hint) => unknown.with_hint(hint),
            None => unknown,
        }),
    );
    let regions = regions(desired, fleet, decisions);
    for (flag, named) in [
        ("--regions", &requested.regions),
        ("--exclude-regions", &requested.exclude_regions),
    ] {
        let unknown = named.iter().map(Region::as_str);
        found.extend(unknown_word(flag, unknown, &regions, "regions"));
    }
    let members = || fleet.members.values().flatten();
    for (flag, named) in [
        ("--only-machines", &requested.only),
        ("--exclude-machines", &requested.exclude),
    ] {
        let unknown = named
            .iter()
            .filter(|id| !members().any(|member| member.has_id_or_name(id)));
        let unknown: Vec<&MachineId> = unknown.collect();
        if unknown.is_empty() {
            continue;
        }
        let folder = folder_of(fleet, &unknown);
        let message = format!(
            "`{flag} {}` matches nothing: no group of the app has it{folder}",
            format_ids(unknown)
        );
        let hint = match format_ids(members().map(|member| member.id)) {
            ids if ids.is_empty() => "the app has no Machines".to_owned(),
            ids => format!("its Machines are {ids}; `aeroform machine list` lists them"),
        };
        found.push(note(codes::FILTER_MATCHES_NOTHING, message).with_hint(hint));
    }
    if found.is_empty() {
        found.extend(nothing_in_common(requested, fleet, decisions));
    }
    if let RestartScope::Groups(names) = &requested.restart {
        let left_out = names
            .iter()
            .filter(|name| groups.contains(name.as_str()) && !requested.covers_group(name));
        found.extend(left_out.map(|name| {
            let named: Vec<&str> = requested.groups.iter().map(GroupName::as_str).collect();
            let filter = format!("--process-groups {}", named.join(","));
            excluded_request(&format!("the restart of group `{name}`"), &filter)
        }));
    }
    found
}

/// The new name of a group that a filter names by its old one.
fn renamed_group(
    requested: &Requested,
    desired: &Desired,
    groups: &BTreeSet<&str>,
) -> Option<String> {
    let is_old = |name: &GroupName| !groups.contains(name.as_str()) && requested.covers_group(name);
    let moved = desired.moved.iter().find(|moved| is_old(&moved.from))?;
    let (from, to) = (&moved.from, &moved.to);
    Some(format!(
        "[[moved]] renames group `{from}`: use `--process-groups {to}`"
    ))
}

/// The regions of the app: those of its Machines, and those that the manifests name.
fn regions<'r>(
    desired: &'r Desired,
    fleet: &'r Fleet<'_>,
    decisions: &'r BTreeMap<GroupName, GroupDecision<'_>>,
) -> BTreeSet<&'r str> {
    let members = fleet.members.values().flatten();
    let exist = members.map(|member| member.region);
    let missing = fleet.missing.iter().map(|missing| &missing.known.region);
    let come = decisions
        .values()
        .flat_map(|decision| decision.creates.iter().chain(&decision.standbys));
    let written = desired
        .groups
        .values()
        .flat_map(|group| match &group.regions {
            Regions::Unwritten => Vec::new(),
            Regions::List(list) => list.iter().collect(),
            Regions::Exact(map) => map.keys().collect::<Vec<_>>(),
        });
    let all = exist.chain(missing).chain(come).chain(written);
    all.map(Region::as_str).collect()
}

fn unknown_word<'w>(
    flag: &str,
    words: impl Iterator<Item = &'w str>,
    known: &BTreeSet<&str>,
    what: &str,
) -> Option<Note> {
    let unknown: Vec<&str> = words.filter(|word| !known.contains(word)).collect();
    let first = unknown.first()?;
    let message = format!(
        "`{flag} {}` matches nothing: the app has no such {}",
        unknown.join(","),
        what.trim_end_matches('s'),
    );
    let all: Vec<&str> = known.iter().copied().collect();
    let list = match all.len() {
        0 => format!("the app has no {what}"),
        _ => format!("its {what} are {}", all.join(", ")),
    };
    let hint = match did_you_mean(first, known.iter().copied()) {
        Some(meant) => format!("{meant} {list}"),
        None => list,
    };
    Some(note(codes::FILTER_MATCHES_NOTHING, message).with_hint(hint))
}

/// Filters of which each matches something and that leave nothing together.
fn nothing_in_common(
    requested: &Requested,
    fleet: &Fleet<'_>,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Option<Note> {
    let exists = fleet
        .members
        .values()
        .flatten()
        .any(|member| requested.filter_of(member).is_none());
    let comes = decisions.iter().any(|(name, decision)| {
        let mut new = decision.creates.iter().chain(&decision.standbys);
        new.any(|region| requested.left_out_by(name, region, None).is_none())
    });
    if exists || comes {
        return None;
    }
    let mut places: BTreeMap<&GroupName, BTreeSet<&str>> = BTreeMap::new();
    for member in fleet.members.values().flatten() {
        let regions = places.entry(&member.group).or_default();
        regions.insert(member.region.as_str());
    }
    let places = places.iter().map(|(name, regions)| {
        let regions: Vec<&str> = regions.iter().copied().collect();
        format!("{name} in {}", regions.join(" and "))
    });
    let places: Vec<String> = places.collect();
    let message = format!("`{}` matches nothing", requested.filter_flags().join(" "));
    let hint = match places.as_slice() {
        [] => "the app has no Machines".to_owned(),
        _ => format!("the app has {}", places.join(", ")),
    };
    Some(note(codes::FILTER_MATCHES_NOTHING, message).with_hint(hint))
}

/// Requested replacements that the filters leave out, by themselves or with what belongs to them.
pub(super) fn excluded_replacements(
    requested: &Requested,
    fleet: &Fleet<'_>,
    left_out: &[LeftOut],
) -> Vec<Note> {
    let members = fleet.members.values().flatten();
    let named = members.filter(|member| {
        let mut replaced = requested.replace.iter();
        replaced.any(|id| member.has_id_or_name(id))
    });
    let refused = named.filter_map(|member| {
        let mut left_out = left_out.iter();
        let left = left_out.find(|left| left.machines.contains(member.id));
        let filter = requested.filter_text_of(member);
        let filter = filter.or_else(|| Some(left?.filter.clone()))?;
        let what = format!("the replacement of Machine {}", member.id);
        Some(excluded_request(&what, &filter))
    });
    refused.collect()
}

fn excluded_request(what: &str, filter: &str) -> Note {
    let message = format!("{what} is requested, but `{filter}` leaves it out");
    note(codes::FILTER_EXCLUDES_REQUEST, message).with_hint("remove one of the two")
}
