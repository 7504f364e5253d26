//! `aeroform scale`.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};

use super::{Editing, group_name};
use crate::core::fleet::{GroupName, Region};

/// `aeroform scale`.
#[derive(Debug, Subcommand)]
pub enum Scale {
    /// Set how many Machines groups have, and where
    Count(Count),
}

/// `aeroform scale count`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes an exact map of regions into [groups.*] of aeroform.toml, shows the plan that follows, asks, and
applies it. A number counts a group's Machines that serve or work; standbys stay beside them. Named regions
are evened out and all others left alone; without `--region` it goes by all regions of the app, as
`fly scale count` does. +N and -N are on top of what is there.

On Fly this is `fly scale count`:
  fly scale count 3                            aeroform scale count 3
  fly scale count web=8 cron=2                 aeroform scale count web=8 cron=2
  fly scale count web=4 --region gru,bog       aeroform scale count web=4 --region gru,bog
  fly scale count 11 --max-per-region 5        aeroform scale count 11 --max-per-region 5

Examples:
  aeroform scale count web=8 --region gru,bog  4 in gru and 4 in bog
  aeroform scale count web=+2 --plan-only      what two more would be
  aeroform scale count -g cron 0               none of group cron")]
pub struct Count {
    /// N, +N or -N of one group, or GROUP=N, GROUP=+N, GROUP=-N
    #[arg(
        value_name = "N|GROUP=N",
        required = true,
        allow_negative_numbers = true
    )]
    pub counts: Vec<String>,
    /// The group that a number alone is about
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = group_name)]
    pub group: Option<GroupName>,
    /// Only in these regions; those of the app's Machines if none is named
    #[arg(short, long, visible_alias = "regions", value_name = "REGION,…", value_delimiter = ',', value_parser = region)]
    pub region: Vec<Region>,
    /// Most Machines of the group in one region
    #[arg(long, value_name = "N")]
    pub max_per_region: Option<NonZeroU32>,
    /// How far it goes.
    #[command(flatten)]
    pub editing: Editing,
}

impl Scale {
    /// Whether standard output is for programs.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Count(args) => args.editing.doing.json,
        }
    }
}

fn region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.rule.to_owned())
}
