//! `aeroform scale`.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};

use super::OutputFlags;
use super::parse::{parse_group_name, parse_region};
use super::{EditFlags, RefreshFlag};
use crate::core::fleet::{GroupName, Region};
use crate::core::plan::ScaleAmount;
use crate::ui::OutputFormat;

/// `aeroform scale`.
#[derive(Debug, Subcommand)]
pub enum ScaleVerb {
    /// Set the number of Machines per group and region
    Count(ScaleCountArgs),
    /// Set the size of a group's VMs
    Vm(ScaleVmArgs),
    /// Set the memory of a group's VMs
    Memory(ScaleMemoryArgs),
    /// Show the count, size and regions of each group
    Show(ScaleShowArgs),
}

/// `aeroform scale count`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes the counts to [groups.*] of aeroform.toml, as a map of regions, shows the plan, asks, and applies it. \
Standbys are not counted. With `--region` the Machines are spread evenly over these regions and other regions \
stay as they are; without it over all regions of the app, like `fly scale count`. +N and -N are relative to the \
current number.

With flyctl:
  fly scale count 3                            aeroform scale count 3
  fly scale count web=8 cron=2                 aeroform scale count web=8 cron=2
  fly scale count web=4 --region gru,bog       aeroform scale count web=4 --region gru,bog
  fly scale count 11 --max-per-region 5        aeroform scale count 11 --max-per-region 5

Examples:
  aeroform scale count web=8 --region gru,bog  4 in gru and 4 in bog
  aeroform scale count web=+2 --plan-only      show the plan for two more
  aeroform scale count -g cron 0               no Machine of group cron")]
#[command(mut_arg("only_regions", |arg| arg.long("only-regions").visible_alias(None)))]
pub struct ScaleCountArgs {
    /// N, +N or -N for one group, or GROUP=N, GROUP=+N, GROUP=-N
    #[arg(
        value_name = "N|GROUP=N",
        required = true,
        allow_negative_numbers = true,
        value_parser = parse_count
    )]
    pub counts: Vec<CountArg>,
    /// Group of a number without a group name
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Regions; default: those of the app's Machines
    #[arg(short, long, visible_alias = "regions", value_name = "REGION,…", value_delimiter = ',', value_parser = parse_region)]
    pub region: Vec<Region>,
    /// Maximum Machines of the group per region
    #[arg(long, value_name = "N")]
    pub max_per_region: Option<NonZeroU32>,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// One count of `scale count`.
#[derive(Debug, Clone)]
pub struct CountArg {
    /// Group, if given.
    pub group: Option<GroupName>,
    /// Number of Machines.
    pub amount: ScaleAmount,
}

/// More than any app has; a larger number is a typo.
const MAX_COUNT: u32 = 100_000;

fn parse_count(text: &str) -> Result<CountArg, String> {
    let (group, amount) = match text.split_once('=') {
        Some((name, amount)) => (Some(parse_group_name(name)?), amount),
        None => (None, text),
    };
    let amount = parse_amount(amount)
        .ok_or_else(|| "expected N, +N or -N, or GROUP=N, GROUP=+N or GROUP=-N".to_owned())?;
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
Writes a [[vm]] section for this group to fly.toml; other groups keep theirs. The default for memory is that of \
the size.

With flyctl:
  fly scale vm performance-2x -g web           aeroform scale vm performance-2x -g web
  fly scale vm shared-cpu-2x --vm-memory 1024  aeroform scale vm shared-cpu-2x --memory 1024

`aeroform platform vm-sizes` lists the sizes.")]
pub struct ScaleVmArgs {
    /// Name of the VM size
    #[arg(value_name = "SIZE")]
    pub size: String,
    /// Memory in MB, or with a unit (2gb)
    #[arg(long, visible_alias = "vm-memory", value_name = "MB", value_parser = parse_memory)]
    pub memory: Option<u32>,
    /// Group, and what follows the edit.
    #[command(flatten)]
    pub size_flags: GroupSizeFlags,
}

/// `aeroform scale memory`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes a [[vm]] section for this group to fly.toml and keeps its CPUs: those in fly.toml, otherwise those of the \
group's Machines.

With flyctl:
  fly scale memory 1024 -g web                 aeroform scale memory 1024 -g web")]
pub struct ScaleMemoryArgs {
    /// Memory in MB, or with a unit (2gb)
    #[arg(value_name = "MB", value_parser = parse_memory)]
    pub memory: u32,
    /// Group, and what follows the edit.
    #[command(flatten)]
    pub size_flags: GroupSizeFlags,
}

/// Flags of the verbs that change a group's VM size.
#[derive(Debug, Args)]
pub struct GroupSizeFlags {
    /// Group; required if there are several
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform scale show`.
#[derive(Debug, Args)]
#[command(after_help = "\
If the files differ from the Machines, both are shown: 2 → 4.

With flyctl: `fly scale show`.")]
pub struct ScaleShowArgs {
    /// Whether the provider is read.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

impl ScaleVerb {
    /// The form of standard output.
    pub(super) fn format(&self) -> OutputFormat {
        match self {
            Self::Count(ScaleCountArgs { edit_flags, .. }) => edit_flags.output.format(),
            Self::Vm(ScaleVmArgs { size_flags, .. })
            | Self::Memory(ScaleMemoryArgs { size_flags, .. }) => {
                size_flags.edit_flags.output.format()
            }
            Self::Show(args) => args.output.format(),
        }
    }
}

fn parse_memory(text: &str) -> Result<u32, String> {
    crate::core::manifest::memory_mb(text)
        .filter(|mb| *mb > 0)
        .ok_or_else(|| "expected MB, or a size with a unit such as 512mb or 2gb".to_owned())
}
