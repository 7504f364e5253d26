//! Machines that the platform created in another region than requested.
//!
//! Decides nothing: without `regions` such a Machine is not moved, and each plan warns about it.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::{ChangeMethod, ChangedMachine, GroupDecision};
use super::members::Member;
use super::notes::{format_ids, format_machine_count, note};
use super::types::{Action, Note, Plan, StepResult};
use crate::core::fleet::{
    Desired, DesiredGroup, GroupName, Known, LaunchId, Lineage, Machine, MachineId, MachineName,
    Region, Regions,
};

/// One run rarely creates more Machines than this in one region.
const SLOTS: u32 = 32;

/// The region that a run at this serial requested for this Machine name: the launch id is derived from it.
pub(super) fn named_by<'r>(
    name: &MachineName,
    group: &GroupName,
    serial: Option<u64>,
    lineage: &Lineage,
    regions: impl IntoIterator<Item = &'r Region>,
) -> Option<&'r Region> {
    let part = name.launch_suffix()?;
    let base = serial?.checked_sub(1)?;
    let mut regions = regions.into_iter();
    regions.find(|region| {
        (0..SLOTS).any(|slot| LaunchId::derive(lineage, base, group, region, slot).as_str() == part)
    })
}

/// The requested region of a Machine that the state does not know: from its pending create, else from its name.
fn of_new(
    machine: &Machine,
    group: &GroupName,
    known: &Known,
    primary: Option<&Region>,
    lineage: &Lineage,
) -> Option<Region> {
    let part = machine.name.launch_suffix()?;
    let mut pending = known.pending_creates.iter();
    if let Some(pending) = pending.find(|pending| pending.launch.as_str() == part) {
        return Some(pending.region.clone());
    }
    let stamps = &machine.stamps;
    if stamps.lineage.as_ref() != Some(lineage) || stamps.launch.as_deref() != Some(part) {
        return None;
    }
    let of_known: BTreeSet<&Region> = known.machines.values().map(|known| &known.region).collect();
    let regions = [&machine.region].into_iter().chain(primary);
    let regions = regions.chain(of_known);
    named_by(&machine.name, group, stamps.serial, lineage, regions).cloned()
}

/// The requested region of this Machine, if it is in another one.
pub(super) fn requested(
    member: &Member<'_>,
    known: &Known,
    primary: Option<&Region>,
    lineage: Option<&Lineage>,
) -> Option<Region> {
    let group = member.moved_from.as_ref().unwrap_or(&member.group);
    let requested = match (member.known, member.observed) {
        (Some(record), _) => record.requested_region.clone(),
        (None, Some(seen)) => of_new(seen, group, known, primary, lineage?),
        (None, None) => None,
    };
    requested.filter(|requested| requested != member.region)
}

/// The region of a replacement: the requested region of the old Machine, or that of its volume.
pub(super) fn of_successor<'m>(
    changed: &'m ChangedMachine<'_>,
    group: Option<&DesiredGroup>,
) -> &'m Region {
    let member = &changed.member;
    let may_leave = changed.method == ChangeMethod::Replace
        && group.is_some_and(|group| group.regions == Regions::Unwritten);
    let requested = member.requested_region.as_ref();
    requested.filter(|_| may_leave).unwrap_or(member.region)
}

/// Records the requested region of Machines that this run created or adopted first.
pub(super) fn remember(
    next: &mut Known,
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
    lineage: &Lineage,
) {
    for (id, change) in plan.changes() {
        let Some(result) = results.get(id.0 as usize) else {
            continue;
        };
        let new = result.machine.as_ref();
        let Some(machine) = new.filter(|machine| !known.machines.contains_key(&machine.id)) else {
            continue;
        };
        let creates = matches!(change.action, Action::Create { .. });
        let requested = if creates
            || result
                .replace_fallback
                .as_ref()
                .is_some_and(|fallback| fallback.created)
        {
            Some(change.region.clone())
        } else {
            let primary = desired.primary_region.as_ref();
            of_new(machine, &change.group, known, primary, lineage)
        };
        if let Some(now) = next.machines.get_mut(&machine.id) {
            now.requested_region = requested.filter(|requested| *requested != now.region);
        }
    }
}

/// Without `regions` Machines are not moved, even if the platform chose their region. One that the plan replaces is
/// created in its requested region again, and needs no remark.
pub(super) fn elsewhere(decisions: &BTreeMap<GroupName, GroupDecision<'_>>) -> Vec<Note> {
    let is_unwritten = |decision: &GroupDecision<'_>| {
        let regions = decision.desired.map(|group| &group.regions);
        regions == Some(&Regions::Unwritten)
    };
    let mut moved: BTreeMap<(&GroupName, &Region, &Region), Vec<&MachineId>> = BTreeMap::new();
    for (name, decision) in decisions.iter().filter(|(_, d)| is_unwritten(d)) {
        let is_recreated = |id: &MachineId| {
            let recreates = |method| {
                matches!(
                    method,
                    ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst
                )
            };
            let mut changed = decision.changed.iter();
            changed.any(|changed| changed.member.id == id && recreates(changed.method))
        };
        for member in &decision.primaries {
            if is_recreated(member.id) {
                continue;
            }
            if let Some(requested) = &member.requested_region {
                let region_key = (name, member.region, requested);
                moved.entry(region_key).or_default().push(member.id);
            }
        }
    }
    let warnings = moved.into_iter().map(|((name, region, requested), all)| {
        let (is, it) = if all.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        let listed: Vec<&str> = all.iter().map(|id| id.as_str()).collect();
        note(
            codes::PLACED_ELSEWHERE,
            format!(
                "{} of group `{name}` ({}) {is} in {region} instead of {requested}: the platform chose the \
                 region",
                format_machine_count(all.len()),
                format_ids(all.iter().copied()),
            ),
        )
        .for_group(name)
        .with_hint(format!(
            "`aeroform machine replace {}` recreates {it} in {requested}; to keep {it} in {region}, add it \
             to `regions` in `[groups.{}]`",
            listed.join(" "),
            name.toml_key()
        ))
    });
    warnings.collect()
}
