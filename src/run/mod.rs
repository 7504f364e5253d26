//! A run: read, preview, compare, execute, publish. The part of `apply` without output, so that tests run
//! exactly what the program runs.
//!
//! Must not print, prompt or know flags. Decisions about Machines belong to the plan, calls to
//! [`crate::apply`]. Start at [`RunContext::preview`], then [`Preview`] and [`RunContext::execute`].

mod app_lease;
mod commit_history;
mod context;
mod execute;
mod release_wait;
mod state_note;

pub use app_lease::{AppLease, lease_of_others, lease_wait_cause, until_free};
pub use commit_history::{CommitHistory, NoCommits};
pub use context::{Preview, RunContext, RunError, StoredState, UnfinishedRelease};
pub use execute::{RunRequest, RunResult, UnpublishedState};
pub use release_wait::{ReleaseWait, wait_for_releases};
pub use state_note::state_note;
