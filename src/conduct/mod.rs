//! The conduct of a run: remember, look, compare, carry out, publish. What `apply` does without a word
//! to anybody, so that tests drive exactly what the program drives.
//!
//! Must not print, prompt or know flags. Decides nothing about Machines: that is the plan's, and the
//! calls are [`crate::apply`]'s. Start at [`Ground::look`] and follow a [`Look`] to [`Ground::carry_out`].

mod anchor;
mod ground;
mod run;
mod underway;

pub use anchor::{Anchor, awaited, until_free};
pub use ground::{ConductError, Ground, LeftRelease, Look, Remembered};
pub use run::{Ended, Errand, Spill};
pub use underway::{Waiting, let_end};
