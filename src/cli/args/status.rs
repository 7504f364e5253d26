//! The flags of `status`.

use std::time::Duration;

use clap::Args;

use super::{duration, group_name};
use crate::core::fleet::GroupName;

/// The shortest time between two looks: what Fly grants for lists, with room for others.
const LEAST: Duration = Duration::from_secs(2);

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
pub struct Status {
    /// Only this group's Machines
    #[arg(value_name = "GROUP", value_parser = group_name, conflicts_with = "group")]
    pub of: Option<GroupName>,
    /// The same as a flag
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = group_name)]
    pub group: Option<GroupName>,
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

impl Status {
    /// The group that it is limited to.
    pub fn only(&self) -> Option<&GroupName> {
        self.of.as_ref().or(self.group.as_ref())
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < LEAST {
        return Err("looks are at least 2s apart, or the platform refuses them".to_owned());
    }
    Ok(every)
}
