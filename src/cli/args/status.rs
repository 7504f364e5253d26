//! The flags of `status`.

use std::time::Duration;

use clap::Args;

use super::duration;

/// The shortest time between two looks: what Fly grants for lists, with room for others.
const LEAST: Duration = Duration::from_secs(2);

/// `aeroform status`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly status`, with what the files want beside what is there, what was changed outside, and what an apply \
would do. A standby is marked with †.

Examples:
  aeroform status                    one look
  aeroform status --watch            on this screen, again and again, until Ctrl-C
  aeroform status --watch --json     one document per line and look, for programs")]
pub struct Status {
    /// Look again and again, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// How long to wait between two looks, at least 2s
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5s",
        value_parser = interval,
        requires = "watch"
    )]
    pub every: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < LEAST {
        return Err("looks are at least 2s apart, or the platform refuses them".to_owned());
    }
    Ok(every)
}
