//! The pure heart: nouns, manifest, state file, plan and views.
//!
//! Nothing in here is async, reads a clock, draws a random number, looks at the environment, opens a
//! file or a socket. The same input in any order gives byte-equal output. Start at [`fleet`] for the
//! nouns and go on to [`plan`] for what is decided with them.

pub mod code;
pub mod escape;
pub mod fleet;
pub mod manifest;
pub mod plan;
pub mod platform;
pub mod scrub;
pub mod state;
pub mod view;
