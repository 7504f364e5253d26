//! Flags of every verb that edits the manifests and applies the new plan.

use clap::Args;

use super::{ApplyFlags, OutputFlags, RefreshFlag};

/// What an editing verb does after the edit.
#[derive(Debug, Args)]
pub struct EditFlags {
    /// Show the edit and the new plan; write nothing
    #[arg(long, conflicts_with = "edit_only")]
    pub plan_only: bool,
    /// Write the edit and stop; the next apply carries it out
    #[arg(long)]
    pub edit_only: bool,
    /// Whether the provider is read.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}
