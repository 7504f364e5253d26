//! Verbs that only look: at the files, at what they make of Machines, at what Fly offers.

use clap::{Args, Subcommand, ValueEnum};

use super::parse_group_name;
use crate::core::fleet::GroupName;

/// `aeroform validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Warnings are errors too
    #[arg(long)]
    pub strict: bool,
    /// How what is wrong is printed: text, json, or github for annotations of a pull request
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: DiagnosticFormat,
    /// Print JSON, as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// How diagnostics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticFormat {
    /// For people, with the lines
    Text,
    /// For programs
    Json,
    /// As annotations of a GitHub workflow
    Github,
}

/// `aeroform show`.
#[derive(Debug, Subcommand)]
pub enum ShowVerb {
    /// The Machine config of each group, as JSON
    Config(ShowConfigArgs),
}

/// `aeroform show config`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is shown is what fly.toml and aeroform.toml say. A size or an image that they do not say is not in \
it: a new Machine takes it from its group. Values that look secret are hidden, since what is printed ends \
up in logs.

Examples:
  aeroform show config               every group, by name
  aeroform show config -g web        the config of group web alone
  aeroform show config -g web | jq .services")]
pub struct ShowConfigArgs {
    /// Only this group's
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Show values that look secret, and the contents of files
    #[arg(long)]
    pub show_secrets: bool,
    /// Print a document with a version, for programs
    #[arg(long)]
    pub json: bool,
}

/// `aeroform platform`.
#[derive(Debug, Subcommand)]
pub enum PlatformVerb {
    /// VM sizes with their memory, and what they cost
    #[command(after_help = "As `fly platform vm-sizes`.")]
    VmSizes {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Regions, and what they cost against iad
    #[command(after_help = "As `fly platform regions`.")]
    Regions {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
