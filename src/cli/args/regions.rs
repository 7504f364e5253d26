//! `aeroform regions`.

use clap::{Args, Subcommand};

use super::OutputFlags;
use super::parse::{parse_group_name, parse_region};
use super::{EditFlags, RefreshFlag};
use crate::core::fleet::{GroupName, Region};
use crate::ui::OutputFormat;

/// `aeroform regions`.
#[derive(Debug, Subcommand)]
pub enum RegionsVerb {
    /// Add Machines in more regions
    #[command(after_help = "\
If the group has a list of regions, they are added to it and the count is spread evenly; otherwise each gets \
one more Machine.

With flyctl:
  fly machine clone --region gru ID            aeroform regions add gru -g web")]
    Add(RegionsArgs),
    /// Remove regions and the Machines in them
    #[command(after_help = "\
If the group has a list of regions and a count, the count stays; otherwise the Machines in these regions are \
removed from it.

With flyctl:
  fly scale count web=0 --region gru           aeroform regions remove gru -g web")]
    Remove(RegionsArgs),
    /// Remove regions and move their Machine count to the other regions
    #[command(after_help = "\
With flyctl: `fly scale count` for the other regions, then `fly scale count 0` for these.")]
    Drain(RegionsArgs),
    /// List the regions of each group
    #[command(after_help = "\
With flyctl: the REGIONS column of `fly scale show`.")]
    List {
        /// Only this group
        #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
        group: Option<GroupName>,
        /// Whether the provider is read.
        #[command(flatten)]
        refresh: RefreshFlag,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
}

/// Regions of a group.
#[derive(Debug, Args)]
pub struct RegionsArgs {
    /// Regions
    #[arg(value_name = "REGION", required = true, value_delimiter = ',', value_parser = parse_region)]
    pub regions: Vec<Region>,
    /// The group; `add` requires it if there are several, `remove` and `drain` default to every group with  these regions
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

impl RegionsVerb {
    /// The form of standard output.
    pub(super) fn format(&self) -> OutputFormat {
        match self {
            Self::Add(args) | Self::Remove(args) | Self::Drain(args) => {
                args.edit_flags.output.format()
            }
            Self::List { output, .. } => output.format(),
        }
    }
}
