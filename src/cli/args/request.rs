//! Flags that request more than the manifests say, for one plan.

use std::str::FromStr;

use clap::Args;

use super::parse::{parse_group_name, parse_machine_id};
use super::{ApplyFlags, OutputFlags, PlanArgs, RefreshFlag};
use crate::core::fleet::{GroupName, MachineId};
use crate::core::plan::{self, Requested};

/// Requests beyond the manifests.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Requests beyond the files")]
pub struct RequestFlags {
    /// Replace this Machine even if it is up to date: the new one is created first
    #[arg(long, value_name = "ID", value_parser = parse_machine_id, value_delimiter = ',')]
    pub replace: Vec<MachineId>,
    /// Restart the running Machines of this group by its update strategy; `all` for every group
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub restart: Vec<RestartTarget>,
}

/// One entry of `--restart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartTarget {
    /// Every group.
    All,
    /// One group.
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
    /// The request for the planner.
    pub fn requested(&self) -> Requested {
        let groups = self.restart.iter().filter_map(|target| match target {
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
    /// The arguments of `plan` for a verb with `--plan-only`.
    pub(super) fn for_request(
        requested_flags: RequestFlags,
        apply_flags: &ApplyFlags,
        output: OutputFlags,
    ) -> Self {
        Self {
            refresh: RefreshFlag { refresh: true },
            destroy: false,
            requested_flags,
            parallelism: apply_flags.parallelism,
            base: None,
            state_file: None,
            out: None,
            expect: None,
            detailed_exitcode: false,
            report: output.into(),
            options: apply_flags.options.clone(),
            recovery_flags: apply_flags.recovery_flags.clone(),
        }
    }
}
