//! Carries out a plan.
//!
//! The plan decides; this module only chooses among the branches in the plan. One task owns all state and
//! handles events, signals and step results one after the other; there are no threads or spawned tasks. Must
//! not print, prompt, read the environment or write the state file.
//!
//! Start at [`run()`]. It starts steps as [`Schedule`](schedule::Schedule) allows; each step is a fixed
//! sequence in [`steps`], which calls the provider only through [`StepContext`](step_context::StepContext),
//! where limits, retries and cancellation are.

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
mod rollback;
mod rollback_cause;
mod run;
mod run_input;
mod schedule;
mod soak;
mod stability;
mod step_context;
mod step_error;
mod steps;
mod turns;
mod verify;

pub use cancel::{Cancel, CancelHandle};
pub use run::run;
pub use run_input::{ApplyOptions, Halt, Report, RunInput};
pub use stability::{Stability, StabilityFailure, StabilityWatch};
