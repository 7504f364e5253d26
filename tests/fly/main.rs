//! Provider `fly` and the emulated Machines API: the real client, in process on a paused clock and over
//! real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/carried.rs"]
mod carried;
#[path = "../support/in_process.rs"]
mod in_process;
#[path = "../support/provoked.rs"]
mod provoked;

mod api;
mod bodies;
mod client;
mod codes;
mod contract;
mod flyctl;
mod hostile;
mod machine_config;
mod random_configs;
mod releases;
mod runs;
mod schema;
mod silent;
mod speed;
mod stage;
