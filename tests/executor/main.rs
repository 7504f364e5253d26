//! The executor over the emulated world: in process, on a paused clock, with the real planner.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/carried.rs"]
mod carried;
#[path = "../support/provoked.rs"]
mod provoked;
#[path = "../support/mod.rs"]
mod support;

mod answers;
mod asked;
mod changes;
mod codes;
mod contract;
mod down;
mod echo;
mod gates;
mod order;
mod process;
mod repeated;
mod retry;
mod rivals;
mod room;
mod snapshot;
mod stage;
mod steady;
mod stopping;
mod volumes;
mod world;
