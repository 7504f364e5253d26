//! The flags of `import`, and of the platform to try it on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse_duration_flag;

/// `aeroform import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes an aeroform.toml that says how many Machines of each group run where, and a state that knows them, \
and shows the lines that it wrote. Then it shows what fly.toml itself would change. No Machine is touched. \
No image is written, so that what runs stays and the next `fly deploy` is no drift; `--pin-image` writes it.

With ID it shows that one Machine, which `state rm` took out or somebody made by hand, and takes it into the \
state that there is.

Examples:
  aeroform import                       an app on Fly, in the folder of its fly.toml
  aeroform import --pin-image           and it is to run the image that runs now, whoever deploys another
  aeroform import 148ed599c14189        one Machine, which the state leaves alone so far")]
pub struct ImportArgs {
    /// One Machine by id or name, which is taken into the state that there is
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Write the image that runs, or that of `--image`: from then on every apply goes back to it
    #[arg(long, conflicts_with = "id")]
    pub pin_image: bool,
    /// Do not ask whether that Machine is meant; without one nothing is asked
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for the state's lock (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
    pub lock_timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `aeroform emulator`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aeroform emulator                                   at http://127.0.0.1:4280, forgets at its end
  aeroform emulator --data fly.db                     and remembers
  aeroform emulator --rate-limits off --latency 50ms  as fast as the network
  aeroform emulator --faults faults.toml              and things go wrong as written there")]
pub struct EmulatorArgs {
    /// Where to listen; who can reach this address needs no real token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4280")]
    pub listen: SocketAddr,
    /// Keep the platform in this file
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// How long every answer takes (50ms)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
    pub latency: Duration,
    /// Refuse what Fly would refuse as too fast
    #[arg(long, value_enum, value_name = "WHICH", default_value = "real")]
    pub rate_limits: RateLimits,
    /// What is to go wrong, as a TOML file
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Show configs with the platform's defaults filled in, or as they were sent
    #[arg(long, value_enum, value_name = "WHICH", default_value = "on")]
    pub fill: Fill,
    /// Draw ids from this number, so that the same calls give the same ids
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Whether an emulated platform shows configs with its own defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fill {
    /// As Fly does: `restart`, `guest`, `dns` and `init` of a Machine that was sent without them.
    On,
    /// As they were sent.
    Off,
}

/// Whose limits of calls an emulated platform has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RateLimits {
    /// Fly's own.
    Real,
    /// None.
    Off,
}
