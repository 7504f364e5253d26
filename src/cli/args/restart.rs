//! `aeroform restart`.

use clap::Args;

use super::parse::parse_group_name;
use super::{ApplyFlags, OutputFlags, PlanArgs, RequestFlags, RestartTarget};
use crate::core::fleet::GroupName;
use crate::core::plan::{Requested, RestartScope};

/// `aeroform restart`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly apps restart`, and like `fly secrets deploy` after `fly secrets set --stage`: every running Machine \
is updated with its own config, so that it boots with the newest secrets. The group's strategy decides how many \
restart at a time, and each must pass its checks before the next. Stopped and suspended Machines stay as they \
are. The plan also contains all other changes of the files.

Examples:
  aeroform restart              every group
  aeroform restart -g web       the Machines of group web
  aeroform plan --restart web   only show the plan")]
pub struct RestartArgs {
    /// Only this group; can be repeated
    #[arg(
        short,
        long = "group",
        visible_alias = "process-group",
        value_name = "GROUP",
        value_parser = parse_group_name,
        value_delimiter = ','
    )]
    pub group: Vec<GroupName>,
    /// Only show the plan, like `plan --restart`
    #[arg(long)]
    pub plan_only: bool,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

impl RestartArgs {
    /// The arguments of `plan` that show this restart.
    pub fn plan(&self) -> PlanArgs {
        let groups = self.group.iter().cloned().map(RestartTarget::Group);
        let mut restart: Vec<RestartTarget> = groups.collect();
        if restart.is_empty() {
            restart.push(RestartTarget::All);
        }
        let requested_flags = RequestFlags {
            restart,
            ..RequestFlags::default()
        };
        PlanArgs::for_request(requested_flags, &self.apply_flags, self.output)
    }

    /// The request for the planner.
    pub fn requested(&self) -> Requested {
        Requested {
            restart: if self.group.is_empty() {
                RestartScope::All
            } else {
                RestartScope::Groups(self.group.iter().cloned().collect())
            },
            ..Requested::default()
        }
    }
}
