//! `aeroform state`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::OutputFlags;
use super::parse::parse_duration_flag;

/// `aeroform state`.
#[derive(Debug, Subcommand)]
pub enum StateVerb {
    /// List the Machines in the state
    List {
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Show the state or one of its Machines
    Show {
        /// Machine id or name
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// List the runs in the state, the newest first
    #[command(after_help = "\
Shows the last 50 runs: serial, time, run, commit, person, command and outcome. Calls no provider; a state in git \
is read from its remote, and a file of `state pull` is not.

Examples:
  aeroform state log
  aeroform state log --state pulled.json")]
    Log {
        /// The runs of this state file, which is only read
        #[arg(long = "state", value_name = "FILE")]
        state_file: Option<PathBuf>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Remove a Machine from the state; it keeps running and is no longer managed
    Rm {
        /// Machine id or name
        #[arg(value_name = "ID")]
        id: String,
        /// How long to wait for the state's lock (30s, 5m); not at all by default, 90s for a state in git
        #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
        lock_timeout: Option<Duration>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Copy the state into a file that only its owner may read
    Pull {
        /// The file to write
        file: PathBuf,
        /// The state of this commit instead, for a state in git
        #[arg(long, value_name = "COMMIT")]
        at: Option<String>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Publish a state file that an apply could not write
    Push {
        /// The file that the apply saved
        file: PathBuf,
        /// How long to wait for the state's lock (30s, 5m); not at all by default, 90s for a state in git
        #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
        lock_timeout: Option<Duration>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
}
