//! `aeroform machine move` and its flyctl syntax: moves Machines to another group.

use super::super::args::{EditFlags, MachineMoveArgs, MachineUpdateArgs};
use super::super::edit::{self, EditContext};
use super::super::{Context, codes, scale};
use super::choose;
use super::count_edits::{CountEdits, TargetMachine};
use crate::core::fleet::GroupName;
use crate::core::manifest::edit::Edit;
use crate::core::plan::Requested;
use crate::ui::{Exit, Failure};

/// `machine move ID… --to GROUP`.
pub(super) async fn run(context: &Context<'_>, args: &MachineMoveArgs) -> Result<Exit, Failure> {
    let ids = choose::choose_machines(context, &args.ids, "move").await?;
    let to = choose::choose_group(context, args.to.as_ref()).await?;
    move_machines(context, "machine move", &ids, &to, &args.edit_flags).await
}

/// `machine update --metadata fly_process_group=GROUP ID`.
pub(super) async fn update(
    context: &Context<'_>,
    args: &MachineUpdateArgs,
) -> Result<Exit, Failure> {
    let ids = [args.id.clone()];
    move_machines(
        context,
        "machine update",
        &ids,
        &args.metadata,
        &args.edit_flags,
    )
    .await
}

async fn move_machines(
    context: &Context<'_>,
    command: &'static str,
    ids: &[String],
    to: &GroupName,
    edit_flags: &EditFlags,
) -> Result<Exit, Failure> {
    let ui = context.ui;
    let edits = |edit_context: &EditContext<'_>| {
        let to = scale::find_group(edit_context.desired, to.as_str())?;
        let mut numbers = CountEdits::new(edit_context);
        let mut moves = Vec::new();
        for id in ids {
            let target = TargetMachine::find(edit_context, id)?;
            if target.standby {
                return Err(standby_error(&target));
            }
            let machine = target.id.clone();
            if target.group == to || moves.iter().any(|(moved, _)| *moved == machine) {
                continue;
            }
            numbers.remove(&target);
            numbers.add(&to, &target.region);
            if target.has_volume {
                ui.say(&format!(
                    "Machine {machine} has a volume; the plan shows whether the volume moves too"
                ));
            }
            moves.push((machine, to.clone()));
        }
        let (mut edits, said) = numbers.into_edits();
        for text in &said {
            ui.say(text);
        }
        let moves = moves
            .into_iter()
            .map(|(machine, to)| Edit::MoveMachine { machine, to });
        edits.extend(moves);
        Ok(edits)
    };
    edit::run(context, command, edit_flags, Requested::default(), edits).await
}

fn standby_error(target: &TargetMachine) -> Failure {
    Failure::new(
        codes::STANDBY,
        format!("Machine {} is a standby and cannot be moved", target.id),
    )
    .hint("move one of its primaries; standbys follow them")
}
