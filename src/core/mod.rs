//! The pure heart: nouns, manifest, state file, plan and views.
//!
//! Nothing in here is async, reads a clock, draws a random number, looks at the environment, opens a
//! file or a socket. The same input in any order gives byte-equal output. Start at [`fleet`] for the
//! data types and continue with [`plan`] for the decisions.

pub mod code;
pub mod escape;
pub mod fleet;
pub mod manifest;
pub mod plan;
pub mod platform;
pub mod scrub;
pub mod state;
pub mod view;
