//! An edit as text, for manual changes.

use std::fmt;

use super::Edit;
use super::hold;
use super::region_edits::map_literal;
use super::state_location::entry;
use super::toml_entries::{toml_key, toml_string};

impl Edit {
    /// Whether it changes fly.toml.
    pub(super) fn is_of_fly_toml(&self) -> bool {
        match self {
            Self::AddGroup { .. }
            | Self::RenameGroup { .. }
            | Self::RemoveGroup { .. }
            | Self::Size { .. } => true,
            Self::Layout { .. }
            | Self::Regions { .. }
            | Self::MoveMachine { .. }
            | Self::RemoveMachine { .. }
            | Self::State(_)
            | Self::Hold(_) => false,
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { group, layout } => {
                writeln!(f, "[groups.{}]", toml_key(group.as_str()))?;
                if layout.regions.values().all(|n| *n == 0) {
                    write!(f, "count = 0")?;
                } else {
                    write!(f, "regions = {}", map_literal(&layout.regions))?;
                }
                match layout.standby {
                    None => Ok(()),
                    Some(n) => write!(f, "\nstandby = {n}"),
                }
            }
            Self::Regions {
                group,
                regions,
                count,
            } => {
                writeln!(f, "[groups.{}]", toml_key(group.as_str()))?;
                write!(
                    f,
                    "regions = {}",
                    super::region_edits::list_literal(regions)
                )?;
                match count {
                    None => Ok(()),
                    Some(n) => write!(f, "\ncount = {n}"),
                }
            }
            Self::AddGroup {
                group,
                command,
                count,
            } => {
                let group = toml_key(group.as_str());
                write!(f, "[processes]\n{group} = {}", toml_string(command))?;
                match count {
                    None => Ok(()),
                    Some(n) => write!(f, "\nin aeroform.toml:\n[groups.{group}]\ncount = {n}"),
                }
            }
            Self::RenameGroup { from, to } => write!(
                f,
                "in fly.toml, rename the group `{from}` to `{to}` everywhere\n\
                 in aeroform.toml, rename [groups.{}] to [groups.{}] and the name in `groups_order` if they exist, \
                 and add:\n\
                 [[moved]]\nfrom = {}\nto = {}",
                toml_key(from.as_str()),
                toml_key(to.as_str()),
                toml_string(from.as_str()),
                toml_string(to.as_str())
            ),
            Self::RemoveGroup { group } => write!(
                f,
                "in fly.toml, remove `{group}` from [processes] and from every `processes` list\n\
                 in aeroform.toml, remove [groups.{}] and the name in `groups_order` if they exist",
                toml_key(group.as_str())
            ),
            Self::Size { group, size } => {
                writeln!(f, "[[vm]]")?;
                for line in size.toml_lines() {
                    writeln!(f, "{line}")?;
                }
                write!(f, "processes = [{}]", toml_string(group.as_str()))
            }
            Self::MoveMachine { machine, to } => write!(
                f,
                "[[moved]]\nmachine = {}\nto = {}",
                toml_string(machine.as_str()),
                toml_string(to.as_str())
            ),
            Self::RemoveMachine { machine } => {
                write!(
                    f,
                    "[[removed]]\nmachine = {}",
                    toml_string(machine.as_str())
                )
            }
            Self::State(location) => {
                let (key, value) = entry(location);
                write!(f, "[state]\n{key} = {}", toml_string(value))
            }
            Self::Hold(None) => write!(f, "in aeroform.toml, remove [hold]"),
            Self::Hold(Some(hold)) => {
                write!(f, "[hold]")?;
                let mut entries = hold::entries(hold).into_iter();
                entries.try_for_each(|(key, value)| write!(f, "\n{key} = {value}"))
            }
        }
    }
}
