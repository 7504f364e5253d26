//! Read-only verbs: `validate`, `drift`, `show`, `platform`.

use clap::{Args, Subcommand};

use super::output::output_format_parser;
use super::parse::parse_group_name;
use super::{OutputFlags, ReportFlags};
use crate::core::fleet::GroupName;
use crate::ui::OutputFormat;

/// `aeroform validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Treat warnings as errors
    #[arg(long)]
    pub strict: bool,
    /// Output format: text, json, or github (annotations of a pull request)
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = output_format_parser(&[OutputFormat::Text, OutputFormat::Json, OutputFormat::Github]))]
    pub format: OutputFormat,
    /// Print JSON, like `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

impl ValidateArgs {
    /// The form of standard output.
    pub(super) fn format(&self) -> OutputFormat {
        if self.json {
            OutputFormat::Json
        } else {
            self.format
        }
    }
}

/// `aeroform drift`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes nothing. Whether a Machine is started, stopped or suspended is not drift, nor are fields that no \
manifest sets. What a run did that the state does not list is shown as that run's, and is not drift.

Examples:
  aeroform drift                        every field that differs from the last apply
  aeroform drift --detailed-exitcode    exit 0 no drift, 2 drift, 5 a run is under way, 1 or 4 unknown")]
pub struct DriftArgs {
    /// Exit 2 if there is drift
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Do not fetch from the git remote: neither missing commits nor the newest state
    #[arg(long)]
    pub no_fetch: bool,
    /// What standard output and other files hold.
    #[command(flatten)]
    pub report: ReportFlags,
}

/// `aeroform show`.
#[derive(Debug, Subcommand)]
pub enum ShowVerb {
    /// Print the Machine config of each group as JSON
    Config(ShowConfigArgs),
}

/// `aeroform show config`.
#[derive(Debug, Args)]
#[command(after_help = "\
The config comes from fly.toml and aeroform.toml only. A size or image that neither file sets is omitted; a \
new Machine takes it from its group. Values that look secret are hidden.

Examples:
  aeroform show config               every group
  aeroform show config -g web        only group web
  aeroform show config -g web | jq .services")]
pub struct ShowConfigArgs {
    /// Only this group
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Show values that look secret and file contents
    #[arg(long)]
    pub show_secrets: bool,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `aeroform platform`.
#[derive(Debug, Subcommand)]
pub enum PlatformVerb {
    /// List VM sizes with memory and price
    #[command(after_help = "Like `fly platform vm-sizes`.")]
    VmSizes {
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// List regions with their price relative to iad
    #[command(after_help = "Like `fly platform regions`.")]
    Regions {
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
}
