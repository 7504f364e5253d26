//! Carries out a plan.
//!
//! The plan has decided; here is no choice but the branches that it shows. One task owns all state
//! and takes events, signals and the ends of steps one after another; no thread, no spawned task.
//! Must not print, ask a person, read the environment or write the state file.
//!
//! Start at [`run()`]. It starts steps as [`Schedule`](schedule::Schedule) allows; each step is one
//! of the fixed sequences in [`steps`], which reach the provider only through
//! [`Hands`](step_context::StepContext), where limits, retries and cancellation live.

mod apply_context;
mod cancel;
pub mod codes;
mod conflict;
mod desired_machine;
mod gate;
mod journal_recorder;
mod leases;
mod lost_create;
mod overtaken;
mod platform_additions;
mod precondition;
mod rate_limits;
mod release;
mod run;
mod run_input;
mod schedule;
mod stability;
mod step_context;
mod step_error;
mod steps;
mod verify;

pub use cancel::{Cancel, CancelHandle};
pub use run::run;
pub use run_input::{ApplyOptions, Halt, Report, RunInput};
pub use stability::{Stability, StabilityFailure, StabilityWatch};
