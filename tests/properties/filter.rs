//! A filter takes steps away and adds none, and the plans after it do the rest.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{GroupName, MachineId, Region};
use aeroform::core::plan::{GroupChange, GroupVerdict, Options, Plan, Requested, Verb};
use proptest::prelude::*;

use crate::random::{REGIONS, apply_outside_change, manifest, outside_change};
use crate::support::{PlanFixture, region};

/// How often each step is there: of existing Machines by id, of new ones by place.
fn steps(plan: &Plan) -> BTreeMap<(Verb, Option<MachineId>, GroupName, Region), usize> {
    let mut found = BTreeMap::new();
    for (_, change) in plan.changes() {
        let (verb, _) = change.action.verb();
        if matches!(verb, Verb::Adopt | Verb::Run) {
            continue;
        }
        let id = change.machine.id.clone().or(change.replaces().cloned());
        let key = (verb, id, change.group.clone(), change.region.clone());
        *found.entry(key).or_default() += 1;
    }
    found
}

proptest! {
    #![proptest_config(crate::config())]

    /// `PlanFixture::plan_with` reads every plan a second time: no step is outside the filters.
    #[test]
    fn a_filtered_plan_has_a_part_of_the_steps_and_later_plans_do_the_rest(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..4),
        kind in 0..5_u8,
        named in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
        volumes in any::<bool>(),
    ) {
        let mut stage = PlanFixture::empty();
        stage.volumes = volumes;
        if !stage.plan(&before).refusals.is_empty() {
            return Ok(());
        }
        stage.apply(&before);
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let whole = stage.plan(&after);
        if !whole.refusals.is_empty() {
            return Ok(());
        }
        let groups: Vec<GroupName> = whole.groups.iter().map(|group| group.name.clone()).collect();
        let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
        let mut requested = Requested::default();
        for index in &named {
            match kind {
                0 if !groups.is_empty() => drop(requested.groups.insert(index.get(&groups).clone())),
                1 => drop(requested.regions.insert(region(REGIONS[index.index(REGIONS.len())]))),
                2 => drop(requested.exclude_regions.insert(region(REGIONS[index.index(REGIONS.len())]))),
                3 if !ids.is_empty() => drop(requested.only.insert(index.get(&ids).clone())),
                _ if !ids.is_empty() => drop(requested.exclude.insert(index.get(&ids).clone())),
                _ => {}
            }
        }
        let options = Options { requested, ..Options::default() };
        let filtered = stage.plan_with(&after, &options);
        if !filtered.refusals.is_empty() {
            return Ok(());
        }
        let all = steps(&whole);
        for (step, n) in steps(&filtered) {
            prop_assert!(all.get(&step).is_some_and(|most| n <= *most), "{step:?} is added: {:#?}", whole.summary_lines());
        }
        // No group has fewer primaries than before and after the whole plan, unless it gets or gives Machines.
        let moved: BTreeSet<&GroupName> = whole.groups.iter().flat_map(|group| group.moved_from.iter().chain([&group.name]).filter(|_| !group.moved_from.is_empty())).collect();
        for group in filtered.groups.iter().filter(|group| !moved.contains(&group.name)) {
            let in_whole = whole.groups.iter().find(|other| other.name == group.name);
            let Some(in_whole) = in_whole else { continue };
            let members = stage.observed.machines.values().filter(|machine| machine.group.as_ref() == Some(&group.name));
            let before = members.filter(|machine| machine.standby_for.is_empty()).count();
            let primaries = |group: &GroupChange| group.primaries.values().sum::<u32>() as usize;
            let (after, all) = (primaries(group), primaries(in_whole));
            let (least, most) = (before.min(all), (in_whole.before as usize).max(all));
            let removed = group.verdict == GroupVerdict::Removed || in_whole.verdict == GroupVerdict::Removed;
            prop_assert!(removed || (least..=most).contains(&after), "{}: {after} of {least}..={most}: {:#?} of {:#?}", group.name, filtered.summary_lines(), whole.summary_lines());
        }
        stage.carry_out(&after, &filtered);
        let rest = stage.plan(&after);
        if !rest.refusals.is_empty() {
            return Ok(());
        }
        stage.apply(&after);
        for group in &whole.groups {
            let members = stage.observed.machines.values();
            let n = members.filter(|machine| machine.group.as_ref() == Some(&group.name)).count();
            prop_assert_eq!(n, group.after as usize, "{}: {:#?} then {:#?} instead of {:#?}", group.name, filtered.summary_lines(), rest.summary_lines(), whole.summary_lines());
        }
    }
}
