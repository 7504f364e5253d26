//! The flags of `status`.

use std::time::Duration;

use clap::Args;

use super::{parse_duration_flag, parse_group_name};
use crate::core::fleet::GroupName;

/// The shortest time between two looks: what Fly grants for lists, with room for others.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// `aeroform status`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly status`, with what the files want beside what is there, what was changed outside, and what an apply \
would do. A standby is marked with †.

Examples:
  aeroform status                    one look
  aeroform status web                only group web
  aeroform status --watch            on this screen, again and again, until Ctrl-C
  aeroform status --watch --json     one document per line and look, for programs")]
pub struct StatusArgs {
    /// Only this group's Machines
    #[arg(value_name = "GROUP", value_parser = parse_group_name, conflicts_with = "group")]
    pub of: Option<GroupName>,
    /// The same as a flag
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Look again and again, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// How long to wait between two looks, at least 2s
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5s",
        value_parser = parse_interval,
        requires = "watch"
    )]
    pub every: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl StatusArgs {
    /// The group that it is limited to.
    pub fn group_filter(&self) -> Option<&GroupName> {
        self.of.as_ref().or(self.group.as_ref())
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let every = parse_duration_flag(text)?;
    if every < MIN_INTERVAL {
        return Err("looks are at least 2s apart, or the platform refuses them".to_owned());
    }
    Ok(every)
}
