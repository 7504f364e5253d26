//! `aeroform group` and `aeroform regions`.

use clap::{Args, Subcommand};

use super::{EditFlags, RefreshFlag, parse_group_name, parse_region};
use crate::core::fleet::{GroupName, Region};

/// `aeroform group`.
#[derive(Debug, Subcommand)]
pub enum GroupVerb {
    /// Add a process group to fly.toml
    #[command(after_help = "\
Fly has no such command: it is a line in [processes] of fly.toml, and `fly deploy`.

Examples:
  aeroform group add worker 'bin/rails jobs:work' --count 2")]
    Add {
        /// The group
        #[arg(value_name = "NAME", value_parser = parse_group_name)]
        name: GroupName,
        /// Its command
        #[arg(value_name = "COMMAND")]
        command: String,
        /// How many Machines; without it Fly's rule for a new group
        #[arg(long, value_name = "N")]
        count: Option<u32>,
        /// How far it goes.
        #[command(flatten)]
        editing: EditFlags,
    },
    /// Give a process group another name; its Machines stay
    #[command(after_help = "\
Fly has no such command: renaming a group in fly.toml makes `fly deploy` destroy its Machines. Here the new \
name is written wherever fly.toml names the group, and [[moved]] into aeroform.toml.

Examples:
  aeroform group rename worker jobs")]
    Rename {
        /// The name that it has
        #[arg(value_name = "GROUP", value_parser = parse_group_name)]
        from: GroupName,
        /// The name that it gets
        #[arg(value_name = "TO", value_parser = parse_group_name)]
        to: GroupName,
        /// How far it goes.
        #[command(flatten)]
        editing: EditFlags,
    },
    /// Take a process group out of fly.toml, and destroy its Machines
    #[command(after_help = "\
Fly has no such command: a group that is gone from [processes] loses its Machines with the next `fly deploy`.

Examples:
  aeroform group remove cron --plan-only
  aeroform group remove cron -y --allow-destroy=cron")]
    Remove {
        /// The group
        #[arg(value_name = "GROUP", value_parser = parse_group_name)]
        name: GroupName,
        /// How far it goes.
        #[command(flatten)]
        editing: EditFlags,
    },
}

/// `aeroform regions`.
#[derive(Debug, Subcommand)]
pub enum RegionsVerb {
    /// Put Machines into more regions
    #[command(after_help = "\
A list of regions gets them and is evened out; else each gets one Machine more.

On Fly this is `fly machine clone --region`:
  fly machine clone --region gru ID            aeroform regions add gru -g web")]
    Add(RegionsArgs),
    /// Take regions away, and the Machines in them
    #[command(after_help = "\
A list of regions loses them and a written count stays; else the Machines in them go.

On Fly this is `fly scale count 0 --region`:
  fly scale count web=0 --region gru           aeroform regions remove gru -g web")]
    Remove(RegionsArgs),
    /// Take regions away, and have as many Machines in the others
    #[command(after_help = "\
On Fly these are two commands, `fly scale count` for the other regions and `fly scale count 0` for these.")]
    Drain(RegionsArgs),
    /// List the regions of each group
    #[command(after_help = "\
On Fly this is a column of `fly scale show`.")]
    List {
        /// Only this group's
        #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
        group: Option<GroupName>,
        /// Where it comes from.
        #[command(flatten)]
        refresh: RefreshFlag,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which regions of which group.
#[derive(Debug, Args)]
pub struct RegionsArgs {
    /// The regions
    #[arg(value_name = "REGION", required = true, value_delimiter = ',', value_parser = parse_region)]
    pub regions: Vec<Region>,
    /// The group; `add` needs it where there are several, the others take all that have the regions
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

impl GroupVerb {
    /// Whether standard output is for programs.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Add { editing, .. }
            | Self::Rename { editing, .. }
            | Self::Remove { editing, .. } => editing.apply_flags.json,
        }
    }
}

impl RegionsVerb {
    /// Whether standard output is for programs.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Add(args) | Self::Remove(args) | Self::Drain(args) => {
                args.edit_flags.apply_flags.json
            }
            Self::List { json, .. } => *json,
        }
    }
}
