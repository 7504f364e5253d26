//! What every verb has that edits the manifests and applies what follows.

use clap::Args;

use super::{ApplyFlags, RefreshFlag};

/// How far a verb goes that edits the manifests, and how it is done.
#[derive(Debug, Args)]
pub struct EditFlags {
    /// Show the edit and the plan that follows; write nothing
    #[arg(long, conflicts_with = "edit_only")]
    pub plan_only: bool,
    /// Write the edit and stop: the next apply carries it out
    #[arg(long)]
    pub edit_only: bool,
    /// Whether the provider is asked.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// How it is done.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
}
