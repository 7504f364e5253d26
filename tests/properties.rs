//! What holds for every plan: random manifests, random fleets, random changes by other tools.
//!
//! `AEROFORM_CASES` sets how many cases each property tries (default 200).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/carried.rs"]
mod carried;
#[path = "properties/commit_order.rs"]
mod commit_order;
#[path = "properties/compared.rs"]
mod compared;
#[path = "properties/edits.rs"]
mod edits;
#[path = "properties/expect.rs"]
mod expect;
#[path = "properties/filter.rs"]
mod filter;
#[path = "properties/guards.rs"]
mod guards;
#[path = "support/judge.rs"]
mod judge;
#[path = "properties/many.rs"]
mod many;
#[path = "support/memory_journal.rs"]
mod memory_journal;
#[path = "properties/random.rs"]
mod random;
#[path = "properties/really.rs"]
mod really;
#[path = "properties/requested.rs"]
mod requested;
#[path = "properties/rollback.rs"]
mod rollback;
#[path = "properties/saved.rs"]
mod saved;
#[path = "support/sim/mod.rs"]
mod sim;
mod support;
#[path = "properties/texts.rs"]
mod texts;
#[path = "properties/walk.rs"]
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{Limit, Region, Strategy as Update};
use aeroform::core::plan::{Action, Options, Outcome, Plan, Removal, StepId, Work, plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, FileFailurePersistence};
use random::{REGIONS, apply_outside_change, manifest, outside_change};
use support::{GroupBuilder, PlanFixture, desired, group, region};
use walk::walk;

fn config() -> Config {
    let cases = std::env::var("AEROFORM_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200);
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// `PlanFixture::apply` sees after every apply that a new plan has nothing to do, and every plan passes
    /// `check` and is made twice the same.
    #[test]
    fn after_a_simulated_apply_the_plan_is_empty(
        manifests in proptest::collection::vec((manifest(), proptest::collection::vec(outside_change(), 0..4)), 1..4),
        volumes in any::<bool>(),
    ) {
        let mut stage = PlanFixture::empty();
        stage.volumes = volumes;
        let mut serial = 0;
        for (target, outside) in &manifests {
            let planned = stage.plan(target);
            stage.offline(target);
            if planned.refusals.is_empty() {
                let text = serde_json::to_string(&planned).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), &planned);
                stage.apply(target);
            }
            for outside_change in outside {
                serial += 1;
                apply_outside_change(&mut stage, outside_change, serial);
            }
        }
    }

    #[test]
    fn the_order_of_what_comes_in_changes_nothing(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..6),
    ) {
        let mut stage = PlanFixture::empty();
        let planned = stage.plan(&before);
        // Some creates were not answered; a standby could not watch what they have not made.
        let lost = |id: StepId| is_create(&planned, id) && id.0.is_multiple_of(2);
        let unanswered = Outcome::Unknown { message: "no answer".to_owned() };
        if before.groups.values().any(|group| group.standby != Some(0)) {
            stage.carry_out(&before, &planned);
        } else {
            stage.carry_out_except(&before, &planned, |id| lost(id).then(|| unanswered.clone()));
        }
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let planned = stage.plan(&after);
        let mut turned = stage.clone();
        turned.observed.gone.reverse();
        turned.observed.lagging.reverse();
        turned.observed.volumes.reverse();
        turned.known.pending_creates.reverse();
        turned.known.runs.reverse();
        let mut turned_after = after.clone();
        turned_after.moved.reverse();
        for machine in turned.observed.machines.values_mut() {
            machine.standby_for.reverse();
            machine.checks.reverse();
        }
        for machine in turned.known.machines.values_mut() {
            machine.standby_for.reverse();
        }
        prop_assert_eq!(planned, turned.plan(&turned_after));
    }

    /// Holds rule 13.
    #[test]
    fn a_list_is_even_and_no_even_layout_takes_fewer_changes(
        current in proptest::collection::vec(0..4u32, 4),
        count in 0..9u32,
        list in proptest::sample::subsequence(REGIONS.to_vec(), 1..=4).prop_shuffle(),
        max in proptest::option::of(1..5u32),
    ) {
        let exact: Vec<(&str, u32)> = REGIONS.into_iter().zip(current.iter().copied()).collect();
        let mut stage = PlanFixture::with(&desired([("web", group("web").exact(&exact))]));
        let mut web = group("web").count(count).list(&list.join(" "));
        web.max_per_region = max;
        let planned = stage.plan(&desired([("web", web.clone())]));
        let room = max.is_none_or(|max| max * u32::try_from(list.len()).unwrap() >= count);
        prop_assert_eq!(planned.refusals.is_empty(), room);
        prop_assume!(room);
        let now: BTreeMap<Region, u32> = exact.iter().map(|(r, n)| (region(r), *n)).collect();
        let after: BTreeMap<Region, u32> =
            planned.groups[0].regions.iter().map(|(r, (_, n))| (r.clone(), *n)).collect();
        let of = |counts: &BTreeMap<Region, u32>, r: &str| counts.get(r).copied().unwrap_or(0);
        let inside: Vec<u32> = list.iter().map(|r| of(&after, r)).collect();
        prop_assert!(inside.iter().max().unwrap() - inside.iter().min().unwrap() <= 1);
        prop_assert_eq!(after.values().sum::<u32>(), count);
        let least = even_layouts(count, list.len())
            .map(|layout| {
                let change = |r: &str| layout_at(&list, &layout, r).abs_diff(of(&now, r));
                REGIONS.into_iter().map(change).sum::<u32>()
            })
            .min()
            .unwrap();
        let cost: u32 = REGIONS.into_iter().map(|r| of(&after, r).abs_diff(of(&now, r))).sum();
        prop_assert_eq!(cost, least);
        stage.apply(&desired([("web", web)]));
    }

    /// Holds rule 33.
    #[test]
    fn a_protected_group_never_shrinks_and_leaves_no_volume(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..4),
    ) {
        let mut before = before;
        for group in before.groups.values_mut() {
            group.protect = true;
        }
        let mut stage = PlanFixture::empty();
        stage.volumes = true;
        let planned = stage.plan(&before);
        prop_assume!(planned.refusals.is_empty());
        stage.apply(&before);
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let planned = stage.plan(&after);
        if planned.refusals.is_empty() {
            for (_, change) in planned.changes() {
                if let Action::Destroy { removal, left_volumes } = &change.action {
                    prop_assert!(left_volumes.is_empty(), "{:?}", planned.summary_lines());
                    prop_assert!(
                        matches!(removal, Removal::Replaced | Removal::Rebalanced | Removal::Named)
                            || !stage.known.protected_groups.contains(&change.group),
                        "{:?}", planned.summary_lines()
                    );
                }
            }
        }
    }

    /// Whatever order the pools allow, at every moment at least as many Machines run as before or
    /// after, whichever is less, without those that the strategy may take down.
    #[test]
    fn a_rolling_group_never_drops_below_its_minimum_at_any_prefix(
        before in manifest(),
        after in manifest(),
        seed in any::<u64>(),
    ) {
        let mut stage = PlanFixture::empty();
        let first = stage.plan(&before);
        stage.carry_out(&before, &first);
        let planned = stage.plan(&after);
        let mut running: BTreeMap<_, i64> = BTreeMap::new();
        for machine in stage.observed.machines.values().filter(|m| m.state.should_run()) {
            let name = machine.group.clone().unwrap();
            let to = after.moved.iter().find(|m| m.from == name).map_or(name, |m| m.to.clone());
            *running.entry(to).or_default() += 1;
        }
        let at_first = running.clone();
        let mut carried = stage.clone();
        carried.carry_out(&after, &planned);
        let mut at_last: BTreeMap<_, i64> = BTreeMap::new();
        for machine in carried.observed.machines.values().filter(|m| m.state.should_run()) {
            *at_last.entry(machine.group.clone().unwrap()).or_default() += 1;
        }
        for serving in walk(&planned, seed) {
            for (group, down) in serving.down {
                *running.entry(group).or_default() += down;
            }
            for (name, target) in &after.groups {
                let Update::Rolling { max_unavailable } = target.strategy else { continue };
                let Limit::Count(width) = max_unavailable else { continue };
                let of = |running: &BTreeMap<_, i64>| running.get(name).copied().unwrap_or(0);
                let least = of(&at_first).min(of(&at_last));
                let now = running.get(name).copied().unwrap_or(0);
                prop_assert!(now >= least - i64::from(width), "{name}: {now} < {least} - {width}");
            }
        }
    }
}

fn is_create(plan: &Plan, id: StepId) -> bool {
    match &plan.steps[id.0 as usize].work {
        Work::Change(change) => matches!(change.action, Action::Create { .. }),
        Work::Barrier { .. } => false,
    }
}

fn layout_at(list: &[&str], layout: &[u32], region: &str) -> u32 {
    list.iter()
        .position(|r| *r == region)
        .map_or(0, |at| layout[at])
}

/// All ways to put `target` into `n` regions so that they differ by at most one.
fn even_layouts(target: u32, n: usize) -> impl Iterator<Item = Vec<u32>> {
    let each = target / u32::try_from(n).unwrap();
    let extra = target % u32::try_from(n).unwrap();
    (0..1u32 << n)
        .filter(move |mask| mask.count_ones() == extra)
        .map(move |mask| {
            (0..n)
                .map(|at| each + u32::from(mask & (1 << at) != 0))
                .collect()
        })
}

/// No test above can pass on a planner that always answers the same.
#[test]
fn random_manifests_do_lead_to_different_plans() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..200 {
        let before = manifest().new_tree(&mut runner).unwrap().current();
        let after = manifest().new_tree(&mut runner).unwrap().current();
        let mut stage = PlanFixture::empty();
        let planned = stage.plan(&before);
        stage.carry_out(&before, &planned);
        let planned = plan(
            &after,
            &stage.known,
            Some(&stage.observed),
            &Options::default(),
        );
        let summary = planned.summary();
        for (kind, n) in [
            ("create", summary.create),
            ("update", summary.update),
            ("replace", summary.replace),
            ("move", summary.moves),
            ("destroy", summary.destroy),
        ] {
            if n > 0 {
                kinds.insert(kind);
            }
        }
    }
    assert_eq!(
        kinds,
        ["create", "destroy", "move", "replace", "update"].into()
    );
}
