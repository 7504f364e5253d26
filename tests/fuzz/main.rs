//! Readers of foreign text under random damage: the manifests, the state file, saved plans, the command
//! splitter; and of the engine that edits manifests. No bytes make them panic or hang, and none cost out of proportion to their size.
//!
//! Runs on the stable toolchain, without instrumentation: what a reader answers (which codes, how many)
//! stands in for coverage, and an input with a new answer is bred from. `AEROFORM_FUZZ_SECONDS` is how
//! long all of them take together (default 4; CI takes a minute), `AEROFORM_FUZZ_SEED` replays a run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod edits;
#[path = "../support/effort.rs"]
mod effort;
mod engine;
mod growth;
#[path = "../support/judge.rs"]
mod judge;
mod large;
mod mutation;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod watchdog;

use engine::{FuzzTarget, Fuzzer};

/// Fuzzes one reader for its share of the time, after what has failed before.
fn run(target: FuzzTarget) {
    let name = target.name;
    let fuzz = Fuzzer::new(target);
    let again = fuzz.replay();
    let done = fuzz.run(engine::share());
    println!(
        "{name}: {} inputs, {} answers, {again} old failures run again, seed {}",
        done.inputs, done.answers, done.seed
    );
    // Fewer would mean that the reader is slow or that nothing is run.
    assert!(done.inputs > 20, "only {} inputs", done.inputs);
}

#[test]
fn no_manifest_makes_the_reader_panic_or_hang() {
    run(targets::manifest());
}

#[test]
fn no_manifest_makes_an_edit_say_something_else_than_it_means() {
    run(edits::target());
}

#[test]
fn no_state_file_makes_the_reader_panic_or_hang() {
    run(targets::state());
}

#[test]
fn no_saved_plan_makes_the_reader_panic_or_hang() {
    run(targets::plan());
}

#[test]
fn no_command_makes_the_splitter_panic_or_hang() {
    run(targets::command());
}
