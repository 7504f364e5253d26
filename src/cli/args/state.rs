//! `aeroform state`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

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
    /// Move the state to another file, or to a branch of a git remote
    Migrate(MigrateArgs),
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

/// `aeroform state migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `terraform init -migrate-state`. Under the locks of both places it copies the state, leaves a record in the old \
place that says where the state went, and writes `[state]` in aeroform.toml. Commands that still name the old place \
end with `state_moved`. No Machine is changed. If it is interrupted, the same command continues.

A state that is at the new place already is replaced only if this one follows it.

Examples:
  aeroform state migrate --to git+origin                     to the branch aeroform-state
  aeroform state migrate --to 'git+origin?branch=state&path=prod/shop.json'
  aeroform state migrate --to state/shop.json                back into a file
  aeroform state migrate --from state/shop.json --to git+origin    if aeroform.toml names git+origin already")]
pub struct MigrateArgs {
    /// The new place: a path, or git+REMOTE
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The old place, if it is not that of `[state]` in aeroform.toml
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// Skip interactive approval
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for each lock (30s, 5m); not at all by default, 90s for a state in git
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub lock_timeout: Option<Duration>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}
