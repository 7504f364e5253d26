//! Carries out a plan.
//!
//! The plan has decided; here is no choice but the branches that it shows. One task owns all state
//! and takes events, signals and the ends of steps one after another; no thread, no spawned task.
//! Must not print, ask a person, read the environment or write the state file.
//!
//! Start at [`run()`]. It starts steps as [`Schedule`](schedule::Schedule) allows; each step is one
//! of the fixed sequences in [`steps`], which reach the provider only through
//! [`Hands`](hands::Hands), where limits, retries and cancellation live.

mod cancel;
pub mod codes;
mod echo;
mod ends;
mod gate;
mod hands;
mod job;
mod leases;
mod limits;
mod others;
mod overtaken;
mod pin;
mod record;
mod release;
mod run;
mod schedule;
mod settle;
mod shared;
mod steps;
mod verify;
mod wanted;
mod watch;

pub use cancel::{Cancel, CancelHandle};
pub use job::{ApplyOptions, Halt, Job, Report};
pub use run::run;
pub use watch::{Failing, Seen, Watch};
