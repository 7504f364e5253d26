//! The flags of what looks at the state file, changes it by hand, or publishes one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::parse_duration_flag;

/// `aeroform state`.
#[derive(Debug, Subcommand)]
pub enum StateVerb {
    /// List the Machines that the state knows
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the state, or one Machine of it
    Show {
        /// The Machine's id or name
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a Machine out of the state and leave it alone from then on; it goes on running
    Rm {
        /// The Machine's id or name
        #[arg(value_name = "ID")]
        id: String,
        /// How long to wait for the state's lock (30s, 5m)
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
        lock_timeout: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Publish a state file that an apply could not write
    Push {
        /// The file that the apply left
        file: PathBuf,
        /// How long to wait for the state's lock (30s, 5m)
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
        lock_timeout: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
