//! `aeroform scale`.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};

use super::{EditFlags, RefreshFlag, parse_group_name, parse_region};
use crate::core::fleet::{GroupName, Region};
use crate::core::plan::ScaleAmount;

/// `aeroform scale`.
#[derive(Debug, Subcommand)]
pub enum ScaleVerb {
    /// Set how many Machines groups have, and where
    Count(ScaleCountArgs),
    /// Set the size of a group's VMs
    Vm(ScaleVmArgs),
    /// Set the memory of a group's VMs
    Memory(ScaleMemoryArgs),
    /// Show how many Machines of which size each group has, and where
    Show(ScaleShowArgs),
}

/// `aeroform scale count`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes an exact map of regions into [groups.*] of aeroform.toml, shows the plan that follows, asks, and \
applies it. A number counts a group's Machines that serve or work; standbys stay beside them. Named regions \
are evened out and all others left alone; without `--region` it goes by all regions of the app, as \
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
pub struct ScaleCountArgs {
    /// N, +N or -N of one group, or GROUP=N, GROUP=+N, GROUP=-N
    #[arg(
        value_name = "N|GROUP=N",
        required = true,
        allow_negative_numbers = true,
        value_parser = parse_count
    )]
    pub counts: Vec<CountArg>,
    /// The group that a number alone is about
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Only in these regions; those of the app's Machines if none is named
    #[arg(short, long, visible_alias = "regions", value_name = "REGION,…", value_delimiter = ',', value_parser = parse_region)]
    pub region: Vec<Region>,
    /// Most Machines of the group in one region
    #[arg(long, value_name = "N")]
    pub max_per_region: Option<NonZeroU32>,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// One count of `scale count`.
#[derive(Debug, Clone)]
pub struct CountArg {
    /// Whose, where that stands before it.
    pub group: Option<GroupName>,
    /// How many.
    pub amount: ScaleAmount,
}

/// More than any app has; a longer number is a slip.
const MAX_COUNT: u32 = 100_000;

fn parse_count(text: &str) -> Result<CountArg, String> {
    let (group, amount) = match text.split_once('=') {
        Some((name, amount)) => (Some(parse_group_name(name)?), amount),
        None => (None, text),
    };
    let amount = parse_amount(amount)
        .ok_or_else(|| "write N, +N or -N, or GROUP=N, GROUP=+N or GROUP=-N".to_owned())?;
    Ok(CountArg { group, amount })
}

fn parse_amount(text: &str) -> Option<ScaleAmount> {
    let number: u32 = text
        .strip_prefix(['+', '-'])
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|n| *n <= MAX_COUNT)?;
    match text.chars().next()? {
        '+' if number > 0 => Some(ScaleAmount::By(i64::from(number))),
        '-' if number > 0 => Some(ScaleAmount::By(-i64::from(number))),
        '0'..='9' => Some(ScaleAmount::To(number)),
        _ => None,
    }
}

/// `aeroform scale vm`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes a whole [[vm]] for exactly that group into fly.toml; what other groups have stays as it is. Memory is \
the size's own unless it is named.

On Fly this is `fly scale vm`:
  fly scale vm performance-2x -g web           aeroform scale vm performance-2x -g web
  fly scale vm shared-cpu-2x --vm-memory 1024  aeroform scale vm shared-cpu-2x --memory 1024

`aeroform platform vm-sizes` lists the sizes.")]
pub struct ScaleVmArgs {
    /// The size by its name
    #[arg(value_name = "SIZE")]
    pub size: String,
    /// Memory: MB, or with a unit (2gb)
    #[arg(long, visible_alias = "vm-memory", value_name = "MB", value_parser = parse_memory)]
    pub memory: Option<u32>,
    /// Whose.
    #[command(flatten)]
    pub size_flags: GroupSizeFlags,
}

/// `aeroform scale memory`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes a whole [[vm]] for exactly that group into fly.toml. Its CPUs stay: those that fly.toml says, else \
those of the group's Machines.

On Fly this is `fly scale memory`:
  fly scale memory 1024 -g web                 aeroform scale memory 1024 -g web")]
pub struct ScaleMemoryArgs {
    /// Memory: MB, or with a unit (2gb)
    #[arg(value_name = "MB", value_parser = parse_memory)]
    pub memory: u32,
    /// Whose.
    #[command(flatten)]
    pub size_flags: GroupSizeFlags,
}

/// What the verbs share that change the size of one group's VMs.
#[derive(Debug, Args)]
pub struct GroupSizeFlags {
    /// The group; needed where there are several
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform scale show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Where the files want something else than there is, both are shown: 2 → 4.

On Fly this is `fly scale show`.")]
pub struct ScaleShowArgs {
    /// Where it comes from.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl ScaleVerb {
    /// Whether standard output is for programs.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Count(ScaleCountArgs {
                edit_flags: editing,
                ..
            }) => editing.apply_flags.json,
            Self::Vm(ScaleVmArgs { size_flags: of, .. })
            | Self::Memory(ScaleMemoryArgs { size_flags: of, .. }) => {
                of.edit_flags.apply_flags.json
            }
            Self::Show(args) => args.json,
        }
    }
}

fn parse_memory(text: &str) -> Result<u32, String> {
    crate::core::manifest::memory_mb(text)
        .filter(|mb| *mb > 0)
        .ok_or_else(|| "write MB, or an amount with its unit like 512mb or 2gb".to_owned())
}
