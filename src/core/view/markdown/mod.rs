//! A plan, a run or the drift as a comment of a pull request: GitHub's Markdown within a budget of bytes.
//!
//! The same input gives the same bytes. What cannot be undone comes first and is never left out; details are dropped
//! in the order of [`layout`], each with a count. Nothing in foreign text ([`text`]) adds structure, a link, HTML or a
//! mention.

mod caution;
mod drift;
mod failure;
mod fold;
mod frame;
mod group_table;
mod layout;
mod other_folds;
mod plan;
mod plan_caution;
mod report;
mod text;

pub use drift::{drift, title as drift_title};
pub use failure::{FailureText, failure};
pub use layout::OverBudget;
pub use plan::{PlanComment, plan, title};
pub use report::report;

/// Default budget in bytes; GitHub's limit is slightly higher.
pub const DEFAULT_BUDGET: usize = 65_000;
/// The minimum budget: every document fits into it.
pub const MIN_BUDGET: usize = 2_000;

/// How Markdown is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkdownStyle {
    /// Bytes of UTF-8 at most.
    pub budget: usize,
    /// How the program was started (`aeroform -C shop`), for commands in messages.
    pub program: &'static str,
    /// Show every id and reason where the budget allows it.
    pub verbose: bool,
}
