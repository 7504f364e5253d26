//! Provider `fly` and the emulated Machines API: the real client, in process on a paused clock and over
//! real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/carried.rs"]
mod carried;
#[path = "../support/in_process.rs"]
mod in_process;
#[path = "../support/memory_journal.rs"]
mod memory_journal;
#[path = "../support/provider_contract/mod.rs"]
mod provider_contract;
#[path = "../support/provoked.rs"]
mod provoked;

mod api;
mod client;
mod codes;
mod contract;
mod fixture;
mod flyctl;
mod flyctl_strategies;
mod hostile;
mod machine_config;
mod odd_fields;
mod random_configs;
mod random_fleet;
mod recorded_bodies;
mod releases;
mod run_duration;
mod runs;
mod schema;
mod unresponsive_server;
