//! `aeroform plan`, and the flags that decide how a plan is made.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::ReportFlags;
use super::parse::parse_run_id;
use super::{PlanOptions, RequestFlags};
use crate::core::fleet::RunId;

/// Whether the provider is read.
#[derive(Debug, Args)]
pub struct RefreshFlag {
    /// Read the provider first; `--refresh=false` plans from the state only
    #[arg(
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        hide_possible_values = true
    )]
    pub refresh: bool,
}

/// What an operator confirms where state and Machines disagree.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Recovery")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RecoveryFlags {
    /// Create Machines again although every known Machine is missing
    #[arg(long)]
    pub accept_missing: bool,
    /// Create Machines although some existing ones cannot be attributed to a group
    #[arg(long)]
    pub accept_unknown: bool,
    /// The app was recreated; adopt it into this state
    #[arg(long)]
    pub take_over: bool,
    /// Adopt the Machines of this run, which the state does not list
    #[arg(long, value_name = "RUN", value_parser = parse_run_id)]
    pub adopt_run: Vec<RunId>,
    /// Apply this commit although a newer one is applied
    #[arg(long)]
    pub allow_older: bool,
    /// Do not fetch from the git remote: neither missing commits nor the newest state
    #[arg(long)]
    pub no_fetch: bool,
}

/// `aeroform plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aeroform plan                         what would change now
  aeroform plan --refresh=false         the same from the state only, without an account
  aeroform plan --out next.plan         save it for `aeroform apply next.plan`
  aeroform plan --base ../main          only what this branch changes, from the state of main
  aeroform plan --expect next.plan      exit 4 if it would do more now than that plan lists
  aeroform plan --detailed-exitcode     exit 2 if anything would change
  aeroform plan --also markdown=plan.md  write a comment for the pull request, too")]
pub struct PlanArgs {
    /// Whether the provider is read.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// Plan the destruction of every Machine, like `aeroform destroy`
    #[arg(long, conflicts_with_all = ["replace", "restart"])]
    pub destroy: bool,
    /// Requests beyond the manifests.
    #[command(flatten)]
    pub requested_flags: RequestFlags,
    /// Maximum number of concurrent changes; `apply` needs the flag again
    #[arg(long, value_name = "N", default_value = "16")]
    pub parallelism: NonZeroUsize,
    /// Save the plan for `aeroform apply FILE`
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Compare with the branch that this change goes into: DIR is the top folder of a checkout of it, relative to
    /// where the command was started; its state is used
    #[arg(long, value_name = "DIR", conflicts_with = "destroy")]
    pub base: Option<PathBuf>,
    /// Plan from this state file, which is only read; `none` if there is no state yet
    #[arg(long = "state", value_name = "FILE")]
    pub state_file: Option<PathBuf>,
    /// Exit 4 if this plan does more than the saved plan FILE
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Exit 2 if there are changes or drift, 6 if the plan is refused or the state edited
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// What standard output and other files hold.
    #[command(flatten)]
    pub report: ReportFlags,
    /// Options of this plan.
    #[command(flatten)]
    pub options: PlanOptions,
    /// Recovery.
    #[command(flatten)]
    pub recovery_flags: RecoveryFlags,
}
