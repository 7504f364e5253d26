//! What holds for every plan: random manifests, random fleets, random hands of other tools.
//!
//! `AEROFORM_CASES` sets how many cases each property tries (default 300).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{
    Count, Desired, DesiredGroup, HostStatus, Limit, MachineId, MachineState, Region, Regions,
    Strategy as Update,
};
use aeroform::core::plan::{Action, Options, Plan, Removal, StepId, Work, plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, FileFailurePersistence};
use serde_json::json;
use support::{GroupWords, Stage, desired, group, moved, region};

const REGIONS: [&str; 4] = ["ams", "bog", "fra", "gru"];
const GROUPS: [&str; 4] = ["api", "cron", "web", "worker"];

fn config() -> Config {
    let cases = std::env::var("AEROFORM_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300);
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel(
            "regressions",
        ))),
        ..Config::default()
    }
}

fn regions() -> impl Strategy<Value = Regions> {
    let list = proptest::sample::subsequence(REGIONS.to_vec(), 1..=4)
        .prop_shuffle()
        .prop_map(|names| Regions::List(names.into_iter().map(region).collect()));
    let exact = proptest::collection::btree_map(0..4usize, 0..4u32, 1..4).prop_map(|map| {
        Regions::Exact(
            map.into_iter()
                .map(|(r, n)| (region(REGIONS[r]), n))
                .collect(),
        )
    });
    prop_oneof![Just(Regions::Unwritten), list, exact]
}

fn one_group(name: &'static str) -> impl Strategy<Value = DesiredGroup> {
    let shape = (0..4u8, 0..3u32, any::<bool>(), 0..3u8, 1..4u32);
    (proptest::option::of(0..7u32), regions(), shape).prop_map(
        move |(count, regions, (kind, env, immediate, standby, width))| {
            let mut wanted = group(name).config(json!({"env": {"VERSION": env.to_string()}}));
            wanted = match kind {
                0 => wanted.serves(),
                1 => wanted.mount(),
                _ => wanted,
            };
            wanted.count = match &regions {
                Regions::Exact(map) => Count::Written(map.values().sum()),
                Regions::List(_) | Regions::Unwritten => {
                    count.map_or(Count::Unwritten, Count::Written)
                }
            };
            if kind > 1 && standby > 0 {
                wanted.standby = Some(u32::from(standby) - 1);
            }
            wanted.regions = regions;
            wanted.strategy = if immediate && env == 0 {
                Update::Immediate
            } else {
                Update::Rolling {
                    max_unavailable: Limit::Count(width),
                }
            };
            wanted
        },
    )
}

fn manifest() -> impl Strategy<Value = Desired> {
    let groups = (
        one_group("api"),
        one_group("cron"),
        one_group("web"),
        one_group("worker"),
    );
    (groups, 1..16u8, any::<bool>()).prop_map(|((api, cron, web, worker), present, moves)| {
        let all = [api, cron, web, worker];
        let chosen = GROUPS.into_iter().zip(all).enumerate();
        let mut wanted = desired(
            chosen
                .filter(|(at, _)| present & (1 << at) != 0)
                .map(|(_, (name, group))| (name, group)),
        );
        // A group that is not there any more may have become one that is.
        if moves && present & 0b1001 == 0b0001 {
            wanted.moved.push(moved("worker", "api"));
        }
        wanted
    })
}

/// What another tool or a bad day does to the nth Machine.
#[derive(Debug, Clone)]
enum Hand {
    Stop(usize),
    Fail(usize),
    Edit(usize),
    Clone(usize),
    Lose(usize),
    Cordon(usize),
    DeadHost(usize),
}

fn hand() -> impl Strategy<Value = Hand> {
    (0..7u8, 0..12usize).prop_map(|(kind, at)| match kind {
        0 => Hand::Stop(at),
        1 => Hand::Fail(at),
        2 => Hand::Edit(at),
        3 => Hand::Clone(at),
        4 => Hand::Lose(at),
        5 => Hand::Cordon(at),
        _ => Hand::DeadHost(at),
    })
}

fn lay_hand(stage: &mut Stage, hand: &Hand, serial: usize) {
    let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
    let pick = |at: &usize| {
        ids.get(at % ids.len().max(1))
            .map(|id| id.as_str().to_owned())
    };
    match hand {
        Hand::Stop(at) => {
            if let Some(id) = pick(at) {
                stage.touch(&id, |machine| machine.state = MachineState::Stopped);
            }
        }
        Hand::Fail(at) => {
            if let Some(id) = pick(at) {
                stage.touch(&id, |machine| machine.state = MachineState::Failed);
            }
        }
        Hand::Edit(at) => {
            if let Some(id) = pick(at) {
                stage.touch(&id, |machine| {
                    let config = machine.config.as_mut().unwrap();
                    config
                        .env
                        .get_or_insert_default()
                        .insert("VERSION".to_owned(), "edited".to_owned());
                    config.schedule = Some("daily".to_owned());
                });
            }
        }
        Hand::Clone(at) => {
            if let Some(id) = pick(at) {
                stage.clone_machine(&id, &format!("e{serial:05}"));
            }
        }
        Hand::Lose(at) => {
            // Not the last one: an empty world is another story (RULES 8).
            if let Some(id) = pick(at).filter(|_| ids.len() > 1) {
                stage.lose(&id);
            }
        }
        Hand::Cordon(at) => {
            if let Some(id) = pick(at) {
                stage.touch(&id, |machine| machine.cordoned = true);
            }
        }
        Hand::DeadHost(at) => {
            if let Some(id) = pick(at) {
                stage.touch(&id, |machine| {
                    if machine.volumes.is_empty() {
                        machine.host = HostStatus::Unreachable;
                    }
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// `Stage::apply` sees after every apply that a new plan has nothing to do, and every plan passes
    /// `check` and is made twice the same.
    #[test]
    fn after_a_simulated_apply_the_plan_is_empty(
        manifests in proptest::collection::vec((manifest(), proptest::collection::vec(hand(), 0..4)), 1..4),
        volumes in any::<bool>(),
    ) {
        let mut stage = Stage::empty();
        stage.volumes = volumes;
        let mut serial = 0;
        for (wanted, hands) in &manifests {
            let made = stage.plan(wanted);
            stage.offline(wanted);
            if made.refusals.is_empty() {
                let text = serde_json::to_string(&made).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), &made);
                stage.apply(wanted);
            }
            for hand in hands {
                serial += 1;
                lay_hand(&mut stage, hand, serial);
            }
        }
    }

    #[test]
    fn the_order_of_what_comes_in_changes_nothing(
        before in manifest(),
        after in manifest(),
        hands in proptest::collection::vec(hand(), 0..6),
    ) {
        let mut stage = Stage::empty();
        let made = stage.plan(&before);
        stage.carry_out(&before, &made);
        for (at, hand) in hands.iter().enumerate() {
            lay_hand(&mut stage, hand, at);
        }
        let made = stage.plan(&after);
        let mut turned = stage.clone();
        turned.observed.gone.reverse();
        turned.observed.lagging.reverse();
        turned.observed.volumes.reverse();
        prop_assert_eq!(made, turned.plan(&after));
    }

    #[test]
    fn a_list_is_even_and_no_even_layout_takes_fewer_changes(
        current in proptest::collection::vec(0..4u32, 4),
        target in 0..9u32,
        list in proptest::sample::subsequence(REGIONS.to_vec(), 1..=4).prop_shuffle(),
        max in proptest::option::of(1..5u32),
    ) {
        let exact: Vec<(&str, u32)> = REGIONS.into_iter().zip(current.iter().copied()).collect();
        let mut stage = Stage::with(&desired([("web", group("web").exact(&exact))]));
        let mut wanted = group("web").count(target).list(&list.join(" "));
        wanted.max_per_region = max;
        let made = stage.plan(&desired([("web", wanted.clone())]));
        let room = max.is_none_or(|max| max * u32::try_from(list.len()).unwrap() >= target);
        prop_assert_eq!(made.refusals.is_empty(), room);
        prop_assume!(room);
        let now: BTreeMap<Region, u32> = exact.iter().map(|(r, n)| (region(r), *n)).collect();
        let after: BTreeMap<Region, u32> =
            made.groups[0].regions.iter().map(|(r, (_, n))| (r.clone(), *n)).collect();
        let of = |counts: &BTreeMap<Region, u32>, r: &str| counts.get(r).copied().unwrap_or(0);
        let inside: Vec<u32> = list.iter().map(|r| of(&after, r)).collect();
        prop_assert!(inside.iter().max().unwrap() - inside.iter().min().unwrap() <= 1);
        prop_assert_eq!(after.values().sum::<u32>(), target);
        let least = even_layouts(target, list.len())
            .map(|layout| {
                let change = |r: &str| layout_at(&list, &layout, r).abs_diff(of(&now, r));
                REGIONS.into_iter().map(change).sum::<u32>()
            })
            .min()
            .unwrap();
        let cost: u32 = REGIONS.into_iter().map(|r| of(&after, r).abs_diff(of(&now, r))).sum();
        prop_assert_eq!(cost, least);
        stage.apply(&desired([("web", wanted)]));
    }

    #[test]
    fn a_protected_group_never_shrinks_and_leaves_no_volume(
        before in manifest(),
        after in manifest(),
        hands in proptest::collection::vec(hand(), 0..4),
    ) {
        let mut before = before;
        for group in before.groups.values_mut() {
            group.protect = true;
        }
        let mut stage = Stage::empty();
        stage.volumes = true;
        let made = stage.plan(&before);
        prop_assume!(made.refusals.is_empty());
        stage.apply(&before);
        for (at, hand) in hands.iter().enumerate() {
            lay_hand(&mut stage, hand, at);
        }
        let made = stage.plan(&after);
        if made.refusals.is_empty() {
            for (_, change) in made.changes() {
                if let Action::Destroy { removal, leaves } = &change.action {
                    prop_assert!(leaves.is_empty(), "{:?}", made.summary_lines());
                    prop_assert!(
                        matches!(removal, Removal::Replaced | Removal::Rebalanced | Removal::Named)
                            || !stage.known.protect.contains(&change.group),
                        "{:?}", made.summary_lines()
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
        let mut stage = Stage::empty();
        let first = stage.plan(&before);
        stage.carry_out(&before, &first);
        let made = stage.plan(&after);
        let mut running: BTreeMap<_, i64> = BTreeMap::new();
        for machine in stage.observed.machines.values().filter(|m| m.state.runs()) {
            let name = machine.group.clone().unwrap();
            let to = after.moved.iter().find(|m| m.from == name).map_or(name, |m| m.to.clone());
            *running.entry(to).or_default() += 1;
        }
        let at_first = running.clone();
        for taken in walk(&made, seed) {
            for (group, down) in taken.down {
                *running.entry(group).or_default() += down;
            }
            for (name, wanted) in &after.groups {
                let Update::Rolling { max_unavailable } = wanted.strategy else { continue };
                let (Limit::Count(width), Some(group)) =
                    (max_unavailable, made.groups.iter().find(|g| g.name == *name)) else { continue };
                let standbys = i64::from(wanted.standby.unwrap_or(0).max(1));
                let least = at_first.get(name).copied().unwrap_or(0).min(i64::from(group.after) - standbys);
                let now = running.get(name).copied().unwrap_or(0);
                prop_assert!(now >= least - i64::from(width), "{name}: {now} < {least} - {width}");
            }
        }
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

/// What a moment of the walk does to the number of running Machines per group.
struct Taken {
    down: Vec<(aeroform::core::fleet::GroupName, i64)>,
}

/// Runs the steps in a random order that needs and pools allow: each step begins, and ends later.
fn walk(plan: &Plan, seed: u64) -> Vec<Taken> {
    let mut random = seed | 1;
    let mut next = move |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % n as u64).unwrap()
    };
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    let mut flying: Vec<StepId> = Vec::new();
    let mut moments = Vec::new();
    let mut pool_ended: BTreeSet<u32> = BTreeSet::new();
    while done.len() < plan.steps.len() {
        let ready: Vec<StepId> = plan
            .steps
            .iter()
            .filter(|s| !done.contains(&s.id) && !flying.contains(&s.id))
            .filter(|s| s.needs.iter().all(|need| done.contains(need)))
            .filter(|s| {
                let Some(pool) = s.pool else { return true };
                let size = &plan.pools[pool.0 as usize];
                let busy = flying
                    .iter()
                    .filter(|f| plan.steps[f.0 as usize].pool == Some(pool))
                    .count();
                busy < size.size && (busy == 0 || !size.first_alone || pool_ended.contains(&pool.0))
            })
            .map(|s| s.id)
            .collect();
        let begin = !ready.is_empty() && (flying.is_empty() || next(2) == 0);
        let id = if begin {
            ready[next(ready.len())]
        } else {
            flying.remove(next(flying.len()))
        };
        let mut down = Vec::new();
        if let Work::Change(change) = &plan.steps[id.0 as usize].work {
            let runs = change.state.is_none_or(MachineState::runs);
            let by = match (&change.action, begin) {
                (Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. }, true) => -1,
                (Action::Update { .. } | Action::Move { .. }, false) => 1,
                (Action::Create { standby_for, .. }, false) => i64::from(standby_for.is_empty()),
                (Action::Destroy { .. }, false)
                | (Action::Create { .. }, true)
                | (Action::Adopt | Action::Forget, _) => 0,
            };
            let by = if runs { by } else { 0 };
            down.push((change.group.clone(), by));
        }
        if begin {
            flying.push(id);
        } else {
            done.insert(id);
            pool_ended.extend(plan.steps[id.0 as usize].pool.map(|pool| pool.0));
        }
        moments.push(Taken { down });
    }
    moments
}

/// No test above can pass on a planner that always answers the same.
#[test]
fn random_manifests_do_lead_to_different_plans() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..200 {
        let before = manifest().new_tree(&mut runner).unwrap().current();
        let after = manifest().new_tree(&mut runner).unwrap().current();
        let mut stage = Stage::empty();
        let made = stage.plan(&before);
        stage.carry_out(&before, &made);
        let made = plan(
            &after,
            &stage.known,
            Some(&stage.observed),
            &Options::default(),
        );
        let summary = made.summary();
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
