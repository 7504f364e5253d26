//! Ten thousand plans, read a second time.
//!
//! `AEROFORM_PLANS` sets how many. A finding names the seed of its history, and `AEROFORM_PLANS=SEED..TO`
//! tries the histories from that one on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use aeroform::core::fleet::{Desired, GroupName, Limit, MachineId, MovedMachine, Observed};
use aeroform::core::plan::{Options, PlanMode, check, plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::random::{apply_outside_change, manifest, outside_change};
use crate::support::PlanFixture;

const PLANS: u64 = 10_000;
/// Manifests of one history; each is planned online and offline.
const CHAPTERS: usize = 4;

/// How often something was in a plan.
type Seen = BTreeMap<String, u64>;

fn histories() -> Range<u64> {
    let text = std::env::var("AEROFORM_PLANS").unwrap_or_default();
    let number = |text: &str| text.parse::<u64>().ok();
    match text.split_once("..") {
        Some((from, to)) => number(from).unwrap()..number(to).unwrap(),
        None => 0..number(&text).unwrap_or(PLANS).div_ceil(2 * CHAPTERS as u64),
    }
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

fn draw<T: std::fmt::Debug>(runner: &mut TestRunner, of: impl Strategy<Value = T>) -> T {
    of.new_tree(runner).unwrap().current()
}

/// A manifest with guards, which the others do without.
fn guarded(runner: &mut TestRunner) -> Desired {
    let mut target = draw(runner, manifest());
    let protected = draw(runner, 0..24usize);
    for (at, group) in target.groups.values_mut().enumerate() {
        group.protect = protected == at;
    }
    target.policy.max_destroy = match draw(runner, 0..6u8) {
        0 => Some(Limit::Count(draw(runner, 0..4u32))),
        1 => Some(Limit::Share(0.25)),
        _ => None,
    };
    target
}

/// Single Machines that are named, by what is written or by a verb.
fn directed(runner: &mut TestRunner, stage: &PlanFixture, target: &mut Desired) {
    let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
    let groups: Vec<GroupName> = target.groups.keys().cloned().collect();
    for id in ids {
        match draw(runner, 0..16u8) {
            0 => drop(target.removed_machines.insert(id)),
            1 => target.moved_machines.push(MovedMachine {
                machine: id,
                to: groups[draw(runner, 0..groups.len())].clone(),
                location: String::new(),
            }),
            _ => {}
        }
    }
    for group in target.groups.values_mut() {
        group.max_per_region = (draw(runner, 0..8u8) == 0).then_some(4);
    }
}

/// The findings in one history, with the plan that they are about.
fn findings(seed: u64, kinds: &mut Seen) -> Vec<String> {
    let mut runner = runner(seed);
    let mut stage = PlanFixture::empty();
    stage.volumes = seed.is_multiple_of(2);
    let mut found = Vec::new();
    for chapter in 0..CHAPTERS {
        let mut target = guarded(&mut runner);
        directed(&mut runner, &stage, &mut target);
        let options = Options {
            mode: match draw(&mut runner, 0..20u8) {
                0 => PlanMode::Destroy,
                1 => PlanMode::RefreshOnly,
                _ => PlanMode::Normal,
            },
            ..Options::default()
        };
        let mut read = |observed: Option<&Observed>| {
            let planned = plan(&target, &stage.known, observed, &options);
            let bad = check(&planned, &target, &stage.known, observed);
            found.extend(bad.iter().map(|bad| {
                let lines = planned.summary_lines().join("\n    ");
                format!("history {seed}, chapter {chapter}: {bad}\n    {lines}")
            }));
            count(&planned, kinds);
            planned
        };
        read(None);
        let planned = read(Some(&stage.observed));
        if planned.refusals.is_empty() {
            stage.carry_out(&target, &planned);
            let again = plan(
                &target,
                &stage.known,
                Some(&stage.observed),
                &Options::default(),
            );
            if options.mode == PlanMode::Normal && !again.is_empty() {
                let before = planned.summary_lines().join("\n    ");
                let lines = again.summary_lines().join("\n    ");
                found.push(format!(
                    "history {seed}, chapter {chapter}: planned again\n    {before}\n   then\n    {lines}"
                ));
            }
        }
        for at in 0..draw(&mut runner, 0..4usize) {
            apply_outside_change(
                &mut stage,
                &draw(&mut runner, outside_change()),
                at + 10 * chapter,
            );
        }
    }
    found
}

fn count(planned: &aeroform::core::plan::Plan, seen: &mut Seen) {
    let summary = planned.summary();
    let kinds = [
        ("plans", 1),
        ("creates", summary.create),
        ("updates", summary.update),
        ("replacements", summary.replace),
        ("moves", summary.moves),
        ("destroys", summary.destroy),
        ("adopted", summary.adopt),
        ("forgotten", summary.forget),
        ("empty plans", usize::from(planned.is_empty())),
    ];
    for (kind, n) in kinds {
        *seen.entry(kind.to_owned()).or_default() += n as u64;
    }
    for note in &planned.refusals {
        *seen.entry(format!("refused {}", note.code)).or_default() += 1;
    }
}

#[test]
fn check_finds_nothing_in_ten_thousand_random_plans() {
    let histories = histories();
    let next = AtomicU64::new(histories.start);
    let all: Mutex<(Seen, Vec<String>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (mut kinds, mut found) = (Seen::new(), Vec::new());
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= histories.end {
                        break;
                    }
                    found.extend(findings(seed, &mut kinds));
                }
                let (all_kinds, all_found) = &mut *all.lock().unwrap();
                for (kind, n) in kinds {
                    *all_kinds.entry(kind).or_default() += n;
                }
                all_found.extend(found);
            });
        }
    });
    let (seen, found) = all.into_inner().unwrap();
    for (kind, n) in &seen {
        println!("{n:8} {kind}");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    if histories == (0..PLANS.div_ceil(2 * CHAPTERS as u64)) {
        let never: Vec<&str> = HAPPENS
            .into_iter()
            .filter(|kind| seen.get(*kind).is_none_or(|n| *n == 0))
            .collect();
        assert!(never.is_empty(), "this was in no plan: {never:?}");
    }
}

/// What must have been in that many plans, or they show nothing.
const HAPPENS: [&str; 10] = [
    "adopted",
    "creates",
    "destroys",
    "empty plans",
    "forgotten",
    "moves",
    "refused max_destroy",
    "refused protected_group",
    "replacements",
    "updates",
];
