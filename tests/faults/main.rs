//! Fault loops: every plan of a gallery, disturbed at each of its moments, and then applied once more.
//!
//! Start at [`fault_loops`]: which moments there are. A [`scenario`] is a plan that is about to be applied, a
//! [`process`] is the program that does it and the blow that it takes, and [`invariants`] are what
//! must be true whatever happened.
//!
//! By default a fixed sample is played: every kind of blow on every plan at least once.
//! `AEROFORM_FAULTS=all` plays everything; `AEROFORM_FAULTS=PLAN/KIND/AT/JOURNAL`, or a beginning of
//! it, plays exactly that.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/memory_journal.rs"]
mod memory_journal;
#[path = "../support/memory_store.rs"]
mod memory_store;
#[path = "../support/sim/mod.rs"]
mod sim;
#[path = "../support/mod.rs"]
mod support;

mod call_faults;
mod fault_loops;
mod gallery;
mod invariants;
mod matrix;
mod process;
mod retries;
mod rollback;
mod scenario;
