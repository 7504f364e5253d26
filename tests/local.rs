//! Provider `local` with real processes, in real time.

#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc)]

#[path = "local/behaviour.rs"]
mod behaviour;
#[path = "local/codes.rs"]
mod codes;
#[path = "local/contract.rs"]
mod contract;
#[path = "local/damage.rs"]
mod damage;
#[path = "local/life.rs"]
mod life;
#[path = "local/once.rs"]
mod once;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/provider_contract/mod.rs"]
mod provider_contract;
#[path = "support/provoked.rs"]
mod provoked;
#[path = "local/world.rs"]
mod world;
