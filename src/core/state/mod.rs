//! The state file: text ⇄ [`Known`](crate::core::fleet::Known).
//!
//! Responsible for the format and its versions. A file that is not this app's state is refused completely, with
//! the reason. The stores keep the text, and the planner interprets it. docs/state-format.md describes the
//! format. Start at [`read()`], then [`write()`].

pub mod codes;
mod error;
mod read;
mod record;
mod write;

#[cfg(test)]
mod tests;

pub use error::StateError;
pub use read::{StateOwner, read, read_owner};
pub use record::MovedRecord;
pub use write::{digest, write, write_moved};

/// The format that this version writes; it reads this one and all older ones.
pub const FORMAT: u64 = 7;

/// The format of a file whose state was moved. Versions that know no moved states refuse it as too new.
pub const MOVED_FORMAT: u64 = 5;

/// How many runs are kept, the newest ones.
pub const RUNS_KEPT: usize = 50;

/// How many releases are kept, the newest ones.
pub const RELEASES_KEPT: usize = 10;

/// How many releases a state has at most: these, and an older one that `[hold]` names.
pub const MOST_RELEASES: usize = RELEASES_KEPT + 1;
