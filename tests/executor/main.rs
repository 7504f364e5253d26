//! The executor over the emulated world: in process, on a paused clock, with the real planner.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/carried.rs"]
mod carried;
#[path = "../support/memory_journal.rs"]
mod memory_journal;
#[path = "../support/memory_store.rs"]
mod memory_store;
#[path = "../support/provider_contract/mod.rs"]
mod provider_contract;
#[path = "../support/provoked.rs"]
mod provoked;
#[path = "../support/sim/mod.rs"]
mod sim;
#[path = "../support/mod.rs"]
mod support;

mod canary;
mod capacity;
mod changes;
mod codes;
mod concurrent_runs;
mod contract;
mod duration;
mod emulator_rules;
mod fixture;
mod gates;
mod killed_and_repeated;
mod lost_answers;
mod lost_creates;
mod once;
mod order;
mod platform_additions;
mod process;
#[path = "../simulation/random.rs"]
mod random;
mod requested;
mod requested_region;
mod retry;
mod serving;
mod snapshot;
mod stays_up;
mod stopping;
mod swap;
mod swap_serving;
mod unhealthy;
mod verification;
mod volumes;
