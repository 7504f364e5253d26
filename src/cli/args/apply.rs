//! Verbs that apply a plan: `apply`, `destroy`, `refresh`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::parse_duration_flag;
use super::{OutputFlags, ReportFlags};
use super::{PlanOptions, RecoveryFlags, RequestFlags, options};
use crate::cli::consent::AllowDestroy;

/// Flags of every verb that applies a plan.
#[derive(Debug, Args)]
pub struct ApplyFlags {
    /// Skip interactive approval
    #[arg(short = 'y', long, visible_alias = "yes")]
    pub auto_approve: bool,
    /// Allow the destruction that a terminal confirms by a typed name: GROUP, GROUP:CEILING, or all
    #[arg(long, value_name = "GROUP[:CEILING],…", value_delimiter = ',')]
    pub allow_destroy: Vec<AllowDestroy>,
    /// Allow reverting Machines that a newer release deployed
    #[arg(long, help_heading = "Recovery")]
    pub allow_revert: bool,
    /// Do not wait for another release that is in progress
    #[arg(long, help_heading = "Recovery")]
    pub no_wait_release: bool,
    /// Maximum number of concurrent changes
    #[arg(long, value_name = "N", default_value = "16")]
    pub parallelism: NonZeroUsize,
    /// How long to wait for the state's lock (30s, 5m); not at all by default, 90s for a state in git
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub lock_timeout: Option<Duration>,
    /// Options of this plan.
    #[command(flatten)]
    pub options: PlanOptions,
    /// Recovery.
    #[command(flatten)]
    pub recovery_flags: RecoveryFlags,
}

/// `aeroform apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Replaces `fly deploy` once the image is built, and `fly scale` and `fly machine` for what the files say. \
Without a terminal, a plan that needs approval is refused with exit 6, and the message names the flag that \
approves it.

Examples:
  aeroform apply                              plan, ask, apply
  aeroform apply -y                           in a pipeline, if no protected destruction is planned
  aeroform apply -y --allow-destroy=cron      … and group cron may be destroyed
  aeroform apply -y --allow-destroy=web:2     … and up to 2 Machines of group web
  aeroform apply next.plan                    apply the plan that `plan --out next.plan` saved
  aeroform apply --expect reviewed.plan       plan again, and apply if that plan lists all of it
  aeroform apply -y --also markdown=done.md   … and write a report for the pull request")]
pub struct ApplyArgs {
    /// A plan saved by `aeroform plan --out`; the file counts as approval
    #[arg(value_name = "FILE", conflicts_with_all = ["allow_destroy", "allow_revert", "expect", "replace", "restart"], conflicts_with_all = options::PERSISTED_FLAGS)]
    pub plan: Option<PathBuf>,
    /// Apply only what the saved plan FILE lists, which counts as approval of it; ask nothing
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Requests beyond the manifests.
    #[command(flatten)]
    pub requested_flags: RequestFlags,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
    /// What standard output and other files hold.
    #[command(flatten)]
    pub report: ReportFlags,
}

/// `aeroform destroy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly machine destroy --force` for every Machine. The app itself stays; `fly apps destroy` deletes it.

Examples:
  aeroform destroy                            show the plan, ask for the app's name, destroy
  aeroform destroy -y --allow-destroy=all     the same in a pipeline")]
pub struct DestroyArgs {
    /// How the plan is applied.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `aeroform refresh`.
#[derive(Debug, Args)]
#[command(after_help = "\
Changes no Machine. Machines added outside are added to the state, missing ones are removed from it, and \
changed fields that a manifest sets are recorded. The next apply still reverts fields that differ from the \
manifests, and its plan shows them.

Examples:
  aeroform refresh       show the changes, ask, write the state
  aeroform refresh -y    in a pipeline")]
pub struct RefreshArgs {
    /// Skip interactive approval
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for the state's lock (30s, 5m); not at all by default, 90s for a state in git
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub lock_timeout: Option<Duration>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
    /// Recovery.
    #[command(flatten)]
    pub recovery_flags: RecoveryFlags,
}
