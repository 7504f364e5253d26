//! `aeroform logs`.

use super::OutputFlags;
use clap::Args;

/// `aeroform logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly logs`; following needs `-f`.

Examples:
  aeroform logs                logs of every Machine
  aeroform logs -f web         follow group web
  aeroform logs --tail 20 148ed599c14189")]
pub struct LogsArgs {
    /// A group, or a Machine by id or name; default: every Machine
    #[arg(value_name = "GROUP|ID")]
    pub of: Option<String>,
    /// The group, as a flag
    #[arg(
        short,
        long,
        visible_alias = "process-group",
        value_name = "GROUP",
        conflicts_with = "of"
    )]
    pub group: Option<String>,
    /// Follow new lines
    #[arg(short, long)]
    pub follow: bool,
    /// Start with the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}
