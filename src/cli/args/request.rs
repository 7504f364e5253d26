//! Flags that ask for more than the manifests say, for one plan, and the verb `restart`.

use std::str::FromStr;

use clap::Args;

use super::{ApplyFlags, PlanArgs, RefreshFlag, parse_group_name, parse_machine_id};
use crate::core::fleet::{GroupName, MachineId};
use crate::core::plan::{self, Requested};

/// What is asked for beyond what the manifests say.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Beyond what the files say")]
pub struct RequestFlags {
    /// Replace this Machine although it is as wanted: a new one first, then it goes
    #[arg(long, value_name = "ID", value_parser = parse_machine_id, value_delimiter = ',')]
    pub replace: Vec<MachineId>,
    /// Restart the Machines of this group that run, as its strategy says; `all` for every group
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub restart: Vec<RestartTarget>,
}

/// One entry of `--restart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartTarget {
    /// Every group.
    All,
    /// One.
    Group(GroupName),
}

impl FromStr for RestartTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        parse_group_name(text).map(Self::Group)
    }
}

impl RequestFlags {
    /// The same for the planner.
    pub fn requested(&self) -> Requested {
        let groups = self.restart.iter().filter_map(|of| match of {
            RestartTarget::All => None,
            RestartTarget::Group(name) => Some(name.clone()),
        });
        let restart = if self.restart.contains(&RestartTarget::All) {
            plan::RestartScope::All
        } else if self.restart.is_empty() {
            plan::RestartScope::None
        } else {
            plan::RestartScope::Groups(groups.collect())
        };
        Requested {
            replace: self.replace.iter().cloned().collect(),
            restart,
            ..Requested::default()
        }
    }
}

impl PlanArgs {
    /// What a verb shows that asks for this and does nothing.
    pub(super) fn for_request(asks: RequestFlags, doing: &ApplyFlags) -> Self {
        Self {
            refresh: RefreshFlag { refresh: true },
            destroy: false,
            requested_flags: asks,
            parallelism: doing.parallelism,
            out: None,
            detailed_exitcode: false,
            json: doing.json,
            options: doing.options.clone(),
            plan_flags: doing.plan_flags.clone(),
        }
    }
}

/// `aeroform restart`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly apps restart`, and as `fly secrets deploy` after `fly secrets set --stage`: every Machine that runs \
gets its own config once more, so that it boots with the newest secrets. It is a plan like any other: the \
group's strategy says how many at a time, and each must come up and pass its checks before the next. \
Stopped and suspended Machines stay as they are. What else the files would change is in the same plan.

Examples:
  aeroform restart              every group
  aeroform restart -g web       the Machines of group web
  aeroform plan --restart web   show it and do nothing")]
pub struct RestartArgs {
    /// Only this group's; may be given more than once
    #[arg(
        short,
        long = "group",
        visible_alias = "process-group",
        value_name = "GROUP",
        value_parser = parse_group_name,
        value_delimiter = ','
    )]
    pub group: Vec<GroupName>,
    /// Show the plan and do nothing, as `plan --restart`
    #[arg(long)]
    pub plan_only: bool,
    /// How it is done.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
}

impl RestartArgs {
    /// The plan of it, as `plan` shows one.
    pub fn plan(&self) -> PlanArgs {
        let groups = self.group.iter().cloned().map(RestartTarget::Group);
        let mut restart: Vec<RestartTarget> = groups.collect();
        if restart.is_empty() {
            restart.push(RestartTarget::All);
        }
        let asks = RequestFlags {
            restart,
            ..RequestFlags::default()
        };
        PlanArgs::for_request(asks, &self.apply_flags)
    }

    /// The same for the planner.
    pub fn requested(&self) -> Requested {
        Requested {
            restart: if self.group.is_empty() {
                plan::RestartScope::All
            } else {
                plan::RestartScope::Groups(self.group.iter().cloned().collect())
            },
            ..Requested::default()
        }
    }
}
