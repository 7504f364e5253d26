//! Deterministic simulation: one seed is one little history of manifests, people, other tools, faults
//! and deaths on one paused clock, and whatever happens in it, nothing is lost and nothing doubled.
//!
//! `AEROFORM_SEEDS=N` tries the seeds 0 to N - 1, `AEROFORM_SEEDS=FROM..TO` those from FROM to TO - 1;
//! one alone tells its tale. Those from 4294967296 on go over provider `fly` and the emulated API. Threads only share the seeds among them: a history has one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/in_process.rs"]
mod in_process;
#[path = "../support/memory_journal.rs"]
mod memory_journal;
#[path = "../support/memory_store.rs"]
mod memory_store;
#[path = "../support/sim/mod.rs"]
mod sim;
#[path = "../support/mod.rs"]
mod support;

mod history;
mod invariants;
mod manifests;
mod operators;
mod outside_changes;
mod process;
mod random;
mod random_faults;
mod recorder;
mod rollout;

use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use recorder::{SimulationResult, Tally};

/// The default number of histories.
const SEEDS: u64 = 160;

/// What must have happened in that many seeds, or they show nothing.
const HAPPENS: [&str; 39] = [
    "answered refusals",
    "applies at the same time",
    "ends complete",
    "ends failed",
    "ends interrupted",
    "ends killed",
    "ends locked out",
    "ends refused",
    "ends stale",
    "ends with nothing to do",
    "fault ChecksNeverPass",
    "fault ExitsAfter",
    "fault FailStart",
    "fault HostUnreachable",
    "fault ListLag",
    "fault LoseAfter",
    "fault LoseBefore",
    "fault Migrates",
    "fault NoRoom",
    "fault RateLimited",
    "fault Refusal",
    "fault Refuse",
    "fault Reverts",
    "fault StartsStopped",
    "fault StaysCreated",
    "fault WrongRegion",
    "hands of other tools",
    "hosts told in part",
    "journals lost",
    "moves to another host",
    "places taken for want of room",
    "plans that changed under the lock",
    "refused protected_group",
    "refused state_behind",
    "releases that were stopped",
    "retries that failed again",
    "runs taken over",
    "volumes to be made",
    "waits for the lock",
];

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("AEROFORM_SEEDS") else {
        return 0..SEEDS;
    };
    let range = match text.split_once("..") {
        Some((from, to)) => from.parse().and_then(|from| Ok(from..to.parse()?)),
        None => text.parse().map(|many| 0..many),
    };
    range.unwrap_or_else(|error| panic!("AEROFORM_SEEDS is `{text}`: {error}"))
}

/// From this seed on processes reach the world as provider `fly` reaches Fly, over its emulated API.
pub(crate) const OVER_FLY: u64 = 1 << 32;

/// The default number of those.
const SEEDS_OVER_FLY: u64 = 280;

/// One history; a panic in it is a breach like any other.
fn simulate(seed: u64) -> SimulationResult {
    catch_unwind(|| history::of(seed)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        SimulationResult {
            violations: vec![format!("panicked: {}", text.unwrap_or_default())],
            ..SimulationResult::default()
        }
    })
}

fn command(seed: u64) -> String {
    let next = seed + 1;
    format!("AEROFORM_SEEDS={seed}..{next} cargo test --test simulation -- histories --nocapture")
}

#[test]
fn whatever_happens_in_random_histories_nothing_is_lost_and_nothing_doubled() {
    let seeds = seeds();
    let tally = run_seeds(seeds.clone());
    if seeds.end - seeds.start >= SEEDS {
        let never: Vec<&&str> = HAPPENS
            .iter()
            .filter(|what| !tally.contains_key(**what))
            .collect();
        assert!(never.is_empty(), "this never happened: {never:?}");
    }
}

#[test]
fn over_the_emulated_machines_api_it_is_the_same() {
    // Whoever asks for certain seeds gets those and no others.
    if std::env::var_os("AEROFORM_SEEDS").is_none() {
        run_seeds(OVER_FLY..OVER_FLY + SEEDS_OVER_FLY);
    }
}

/// Tells them all, and fails with those that went wrong.
fn run_seeds(seeds: Range<u64>) -> Tally {
    let begun = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let results: Mutex<(Tally, Vec<(u64, SimulationResult)>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let result = simulate(seed);
                    let (tally, bad) = &mut *results.lock().unwrap();
                    for (what, many) in &result.tally {
                        *tally.entry(what.clone()).or_default() += many;
                    }
                    if !result.violations.is_empty() || seeds.end - seeds.start == 1 {
                        bad.push((seed, result));
                    }
                }
            });
        }
    });
    let (tally, mut bad) = results.into_inner().unwrap();
    let took = begun.elapsed();
    println!(
        "{} histories in {:.1} s",
        seeds.end - seeds.start,
        took.as_secs_f64()
    );
    for (what, many) in &tally {
        println!("{many:8} {what}");
    }
    bad.sort_by_key(|(seed, _)| *seed);
    if let Some((_, result)) = bad.first() {
        println!("{}", result.log.join("\n"));
    }
    bad.retain(|(_, result)| !result.violations.is_empty());
    for (seed, result) in &bad {
        println!(
            "seed {seed}: {}\n    {}",
            result.violations.join("; "),
            command(*seed)
        );
    }
    assert!(bad.is_empty(), "{} histories went wrong", bad.len());
    tally
}

#[test]
fn the_same_seed_tells_the_same_tale() {
    for seed in 0..12 {
        assert_eq!(history::of(seed), history::of(seed), "{}", command(seed));
    }
}
