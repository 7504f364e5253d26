//! `aeroform group`: groups that are added, renamed and removed.

use super::args::Group as Args;
use super::edit::{self, Ground};
use super::scale::{group, list};
use super::{Context, codes};
use crate::core::fleet::{Desired, GroupName, MovedGroup};
use crate::core::manifest::edit::Edit;
use crate::ui::{Exit, Failure};

/// Does it.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    match args {
        Args::Add {
            name,
            command,
            count,
            editing,
        } => {
            let edits = |ground: &Ground<'_>| {
                free(ground.desired, name)?;
                left(ground, name, None)?;
                Ok(vec![Edit::AddGroup {
                    group: name.clone(),
                    command: command.clone(),
                    count: *count,
                }])
            };
            edit::run_blind(context, "group add", editing, edits).await
        }
        Args::Rename { from, to, editing } => {
            let edits = |ground: &Ground<'_>| {
                let from = group(ground.desired, from.as_str())?;
                free(ground.desired, to)?;
                left(ground, to, Some(&from))?;
                Ok(vec![Edit::RenameGroup {
                    from,
                    to: to.clone(),
                }])
            };
            edit::run_blind(context, "group rename", editing, edits).await
        }
        Args::Remove { name, editing } => {
            let edits = |ground: &Ground<'_>| {
                let group = group(ground.desired, name.as_str())?;
                if ground.desired.groups.len() == 1 {
                    return Err(Failure::new(
                        codes::LAST_GROUP,
                        format!("`{name}` is the only process group"),
                    )
                    .hint("`aeroform destroy` takes the whole app; `aeroform scale count 0` its Machines"));
                }
                Ok(vec![Edit::RemoveGroup { group }])
            };
            edit::run_blind(context, "group remove", editing, edits).await
        }
    }
}

/// Whether no Machine has the name still that another or a new group is to get: a rename that is written and not
/// applied yet would be forgotten, and its Machines become the other group's.
fn left(ground: &Ground<'_>, to: &GroupName, from: Option<&GroupName>) -> Result<(), Failure> {
    let moved = &ground.desired.moved;
    // The way back is no way away.
    let away = |moved: &&MovedGroup| moved.from == *to && Some(&moved.to) != from;
    let Some(pending) = moved.iter().find(away) else {
        return Ok(());
    };
    let known = ground.look.remembered.known.machines.values();
    let observed = ground.look.observed.iter();
    let mut there = observed.flat_map(|observed| observed.machines.values());
    let stays = known.map(|machine| &machine.group).any(|group| group == to)
        || there.any(|machine| machine.group.as_ref() == Some(to) && !machine.state.is_gone());
    if !stays {
        return Ok(());
    }
    let next = &pending.to;
    Err(Failure::new(
        codes::GROUP_MOVES,
        format!("Machines of group `{to}` are still to move to `{next}`"),
    )
    .hint(format!(
        "run `aeroform apply` first; then the name `{to}` is free"
    )))
}

fn free(desired: &Desired, name: &GroupName) -> Result<(), Failure> {
    if !desired.groups.contains_key(name) {
        return Ok(());
    }
    Err(Failure::new(
        codes::GROUP_EXISTS,
        format!("there is a process group `{name}` already"),
    )
    .hint(format!("the groups are {}", list(desired))))
}
