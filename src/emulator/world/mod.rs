//! A deterministic simulation of the Machines platform: apps, Machines with their lifecycle, checks, volumes,
//! and faults.
//!
//! Time comes from a [`Clock`] and ids from a seed, so the same calls at the same times give the same result.
//! Nothing waits, runs a thread or opens a socket; a Machine's state is computed from its timeline on each
//! read. Start at [`World`], whose methods are the endpoints; [`Fault`] scripts faults, and [`Operator`]
//! makes changes by other people and tools.

mod actions;
mod app;
mod apps;
mod clock;
mod events;
mod faults;
mod image;
mod lease;
mod lifecycle;
mod limits;
mod machine;
mod operator;
mod persisted;
mod platform_defaults;
mod reads;
mod releases;
mod simulation;
mod volumes;

pub use clock::{Clock, ManualClock};
pub use faults::{ACTIONS, Fault, FaultEffect, FaultId, RefusalKind};
pub use lifecycle::{ExitsAfter, Timings};
pub use machine::MachineSummary;
pub use operator::Operator;
pub use persisted::PersistedRow;
pub use reads::ListFilter;
pub use simulation::{Answer, Caller, LoggedCall, Refusal, World};
