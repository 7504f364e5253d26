//! One run, from reading the world to publishing the state: read, preview, compare, execute, publish. What
//! `apply` does without a word to anybody, so that tests drive exactly what the program drives.
//!
//! Must not print, prompt or know flags. Decides nothing about Machines: that is the plan's, and the
//! calls are [`crate::apply`]'s. Start at [`RunContext::preview`] and follow a [`Preview`] to
//! [`RunContext::execute`].

mod app_lease;
mod context;
mod execute;
mod release_wait;

pub use app_lease::{AppLease, lease_wait_cause, until_free};
pub use context::{Preview, RunContext, RunError, StoredState, UnfinishedRelease};
pub use execute::{RunRequest, RunResult, UnpublishedState};
pub use release_wait::{ReleaseWait, wait_for_releases};
