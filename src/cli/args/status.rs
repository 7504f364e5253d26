//! `aeroform status`, `aeroform releases`.

use std::time::Duration;

use clap::Args;

use super::parse::{parse_duration_flag, parse_group_name};
use super::{OutputFlags, RefreshFlag};
use crate::core::fleet::GroupName;

/// Shortest interval: within Fly's rate limit for lists, with some left for other clients.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// `aeroform status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly status`, plus desired counts, drift, and what an apply would change. † marks a standby.

Examples:
  aeroform status                    once
  aeroform status web                only group web
  aeroform status --watch            refresh the screen until Ctrl-C
  aeroform status --watch --json     one JSON document per refresh and line")]
pub struct StatusArgs {
    /// Only this group
    #[arg(value_name = "GROUP", value_parser = parse_group_name, conflicts_with = "group")]
    pub of: Option<GroupName>,
    /// The group, as a flag
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// Refresh until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// Interval between refreshes, at least 2s
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5s",
        value_parser = parse_interval,
        requires = "watch"
    )]
    pub every: Duration,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `aeroform releases`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly releases`, plus the groups that changed and the number of Machines that run each release. A group is \
listed if its config changed, or if it is new or removed; - is unknown. The state remembers the last 10 releases \
of Aeroform.

Examples:
  aeroform releases                    the newest 25
  aeroform releases -n 3               the newest 3
  aeroform releases --refresh=false    from the state only, offline")]
pub struct ReleasesArgs {
    /// Show the newest N
    #[arg(
        short,
        long,
        value_name = "N",
        default_value = "25",
        value_parser = parse_release_count
    )]
    pub number: usize,
    /// Whether the provider is read.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

fn parse_release_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err("expected a number from 1 to 1000".to_owned()),
    }
}

impl StatusArgs {
    /// The group to show, `None` for all.
    pub fn group_filter(&self) -> Option<&GroupName> {
        self.of.as_ref().or(self.group.as_ref())
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let every = parse_duration_flag(text)?;
    if every < MIN_INTERVAL {
        return Err("the shortest interval is 2s, because of the platform's rate limit".to_owned());
    }
    Ok(every)
}
