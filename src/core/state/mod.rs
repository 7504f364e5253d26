//! The state file: text ⇄ [`Known`](crate::core::fleet::Known).
//!
//! Responsible for the layout, its versions and for refusing, by name and whole, a text that is not
//! this app's state. Where the text is kept is the stores' business, what it means is the planner's.
//! docs/state-format.md describes the layout for people. Start at [`read()`], which accepts, and go on
//! to [`write()`], which lays out.

pub mod codes;
mod error;
mod read;
mod record;
mod write;

#[cfg(test)]
mod tests;

pub use error::StateError;
pub use read::{StateOwner, read, read_owner};
pub use write::{digest, write};

/// The format that this version writes; it reads this one and every older one.
pub const FORMAT: u64 = 2;

/// How many runs are kept, the newest ones.
pub const RUNS_KEPT: usize = 50;

/// How many releases are kept, the newest ones.
pub const RELEASES_KEPT: usize = 10;
