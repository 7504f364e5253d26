//! `aeroform import`.

use std::time::Duration;

use clap::Args;

use super::OutputFlags;
use super::parse::parse_duration_flag;

/// `aeroform import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes an aeroform.toml with the Machines per group and region and a state that lists them, and shows what \
it wrote. Then it shows what fly.toml would change. No Machine is changed. No image is written, so that a later \
`fly deploy` is not drift; `--pin-image` writes it.

With ID it adds one Machine to the existing state, for example one that was created by hand or removed with \
`state rm`.

Examples:
  aeroform import                       import the app, in the folder of its fly.toml
  aeroform import --pin-image           also write the image that runs now
  aeroform import 148ed599c14189        add one Machine to the state")]
pub struct ImportArgs {
    /// Add this Machine to the existing state: id or name
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Write the running image (or `--image`) to aeroform.toml; every apply then deploys it
    #[arg(long, conflicts_with = "id")]
    pub pin_image: bool,
    /// Skip interactive approval; only an import with ID asks
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for the state's lock (30s, 5m); not at all by default, 90s for a state in git
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub lock_timeout: Option<Duration>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}
