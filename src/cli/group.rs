//! `aeroform group`: adds, renames and removes process groups.

use super::args::GroupVerb as Args;
use super::edit::{self, EditContext};
use super::scale::{find_group, list_groups};
use super::{Context, codes};
use crate::core::fleet::{Desired, GroupName, MovedGroup, Observed};
use crate::core::manifest::edit::Edit;
use crate::ui::{Exit, Failure};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    match args {
        Args::Add {
            name,
            command,
            count,
            edit_flags,
        } => {
            let edits = |edit_context: &EditContext<'_>| {
                check_name_is_free(edit_context.desired, name)?;
                check_name_has_no_machines(edit_context, name, None)?;
                Ok(vec![Edit::AddGroup {
                    group: name.clone(),
                    command: command.clone(),
                    count: *count,
                }])
            };
            edit::run_without_context(context, "group add", edit_flags, edits).await
        }
        Args::Rename {
            from,
            to,
            edit_flags,
        } => {
            let edits = |edit_context: &EditContext<'_>| {
                let from = find_group(edit_context.desired, from.as_str())?;
                check_name_is_free(edit_context.desired, to)?;
                check_name_has_no_machines(edit_context, to, Some(&from))?;
                Ok(vec![Edit::RenameGroup {
                    from,
                    to: to.clone(),
                }])
            };
            edit::run_without_context(context, "group rename", edit_flags, edits).await
        }
        Args::Remove { name, edit_flags } => {
            let edits = |edit_context: &EditContext<'_>| {
                let group = find_group(edit_context.desired, name.as_str())?;
                if edit_context.desired.groups.len() == 1 {
                    return Err(Failure::new(
                        codes::LAST_GROUP,
                        format!("`{name}` is the only process group"),
                    )
                    .hint("use `aeroform destroy` to destroy all Machines, or `aeroform scale count 0` to keep the group without Machines"));
                }
                Ok(vec![Edit::RemoveGroup { group }])
            };
            edit::run_without_context(context, "group remove", edit_flags, edits).await
        }
    }
}

/// Checks that no Machine still has this name through a pending rename: the new group would take over its
/// Machines.
fn check_name_has_no_machines(
    edit_context: &EditContext<'_>,
    to: &GroupName,
    from: Option<&GroupName>,
) -> Result<(), Failure> {
    let moved = &edit_context.desired.moved;
    // Renaming back is allowed.
    let away = |moved: &&MovedGroup| moved.from == *to && Some(&moved.to) != from;
    let Some(pending) = moved.iter().find(away) else {
        return Ok(());
    };
    let known = edit_context.preview.stored_state.known.machines.values();
    let observed = edit_context.preview.observed.iter();
    let mut there = observed.flat_map(Observed::counted_machines);
    let stays = known.map(|machine| &machine.group).any(|group| group == to)
        || there.any(|machine| machine.group.as_ref() == Some(to) && !machine.state.is_gone());
    if !stays {
        return Ok(());
    }
    let next = &pending.to;
    Err(Failure::new(
        codes::GROUP_MOVES,
        format!("Machines of group `{to}` have not moved to `{next}`"),
    )
    .hint(format!(
        "run `aeroform apply` first; then the name `{to}` is free"
    )))
}

fn check_name_is_free(desired: &Desired, name: &GroupName) -> Result<(), Failure> {
    if !desired.groups.contains_key(name) {
        return Ok(());
    }
    Err(Failure::new(
        codes::GROUP_EXISTS,
        format!("process group `{name}` already exists"),
    )
    .hint(format!("the groups are {}", list_groups(desired))))
}
