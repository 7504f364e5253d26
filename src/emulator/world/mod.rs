//! A deterministic simulation of the Machines platform: apps, Machines with their lifecycle, checks,
//! volumes, and the ways in which calls go wrong.
//!
//! Time comes in through a [`Clock`] and ids from a seed, so the same calls at the same times give the
//! same world. Nothing here waits, runs a thread or opens a socket: what a Machine is doing is worked
//! out from its timeline when somebody looks. Start at [`World`], whose methods are the endpoints; go
//! on to [`Fault`] for what can be scripted and to [`Operator`] for changes by other hands.

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
pub use operator::Operator;
pub use persisted::PersistedRow;
pub use reads::ListFilter;
pub use simulation::{Answer, Caller, LoggedCall, Refusal, World};
