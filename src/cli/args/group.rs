//! `aeroform group`.

use clap::Subcommand;

use super::EditFlags;
use super::parse::parse_group_name;
use crate::core::fleet::GroupName;
use crate::ui::OutputFormat;

/// `aeroform group`.
#[derive(Debug, Subcommand)]
pub enum GroupVerb {
    /// Add a process group to fly.toml
    #[command(after_help = "\
With flyctl: add a line to [processes] of fly.toml and run `fly deploy`.

Examples:
  aeroform group add worker 'bin/rails jobs:work' --count 2")]
    Add {
        /// Name of the group
        #[arg(value_name = "NAME", value_parser = parse_group_name)]
        name: GroupName,
        /// Command that its Machines run
        #[arg(value_name = "COMMAND")]
        command: String,
        /// Number of Machines; the default is Fly's for a new group
        #[arg(long, value_name = "N")]
        count: Option<u32>,
        /// What follows the edit.
        #[command(flatten)]
        edit_flags: EditFlags,
    },
    /// Rename a process group and keep its Machines
    #[command(after_help = "\
With flyctl, renaming a group in fly.toml makes `fly deploy` destroy its Machines. This command replaces the \
name everywhere in fly.toml and adds a [[moved]] entry to aeroform.toml.

Examples:
  aeroform group rename worker jobs")]
    Rename {
        /// Current name
        #[arg(value_name = "GROUP", value_parser = parse_group_name)]
        from: GroupName,
        /// New name
        #[arg(value_name = "TO", value_parser = parse_group_name)]
        to: GroupName,
        /// What follows the edit.
        #[command(flatten)]
        edit_flags: EditFlags,
    },
    /// Remove a process group from fly.toml and destroy its Machines
    #[command(after_help = "\
With flyctl: remove the group from [processes]; the next `fly deploy` destroys its Machines.

Examples:
  aeroform group remove cron --plan-only
  aeroform group remove cron -y --allow-destroy=cron")]
    Remove {
        /// Name of the group
        #[arg(value_name = "GROUP", value_parser = parse_group_name)]
        name: GroupName,
        /// What follows the edit.
        #[command(flatten)]
        edit_flags: EditFlags,
    },
}

impl GroupVerb {
    /// The form of standard output.
    pub(super) fn format(&self) -> OutputFormat {
        match self {
            Self::Add { edit_flags, .. }
            | Self::Rename { edit_flags, .. }
            | Self::Remove { edit_flags, .. } => edit_flags.output.format(),
        }
    }
}
