//! Aeroform: plan and apply for process groups.
//!
//! The library behind the `aeroform` program. Read docs/architecture.md for the map of the project and
//! the arrows that are allowed between its layers; start in the code at [`core`].

// Text reaches the terminal only through `ui`, and clock and variables come in only through `env` (clippy.toml).
#![cfg_attr(
    not(test),
    warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)
)]

pub mod apply;
pub mod cli;
pub mod core;
pub mod emulator;
pub mod env;
pub mod git;
pub mod journal;
pub mod observe;
pub mod provider;
pub mod run;
pub mod store;
pub mod ui;
