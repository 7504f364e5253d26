//! `aeroform emulator`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::OutputFlags;
use super::parse::parse_duration_flag;

/// `aeroform emulator`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aeroform emulator                                   at http://127.0.0.1:4280, in memory
  aeroform emulator --data fly.db                     persistent
  aeroform emulator --rate-limits off --latency 50ms  no rate limits, 50ms per response
  aeroform emulator --faults faults.toml              with injected faults")]
pub struct EmulatorArgs {
    /// Address to listen on; clients need no real token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4280")]
    pub listen: SocketAddr,
    /// Persist the platform in this file
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Latency of every response (50ms)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
    pub latency: Duration,
    /// How long a Machine with `auto_destroy` runs before it exits by itself
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration_flag)]
    pub once: Duration,
    /// Rate limits: Fly's (real) or none (off)
    #[arg(long, value_enum, value_name = "WHICH", default_value = "real")]
    pub rate_limits: RateLimits,
    /// TOML file of faults to inject
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Whether configs include the platform's defaults
    #[arg(long, value_enum, value_name = "WHICH", default_value = "on")]
    pub fill: Fill,
    /// Seed for ids: the same calls return the same ids
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// Whether the emulator adds platform defaults to configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fill {
    /// Like Fly: adds `restart`, `guest`, `dns` and `init` where a request omits them.
    On,
    /// Returns configs as they were sent.
    Off,
}

/// Rate limits of the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RateLimits {
    /// Fly's own.
    Real,
    /// None.
    Off,
}
