//! `aeroform machine destroy`: destroys Machines and lowers the counts of their groups.

use super::super::args::MachineDestroyArgs;
use super::super::edit::{self, EditContext};
use super::super::{Context, codes};
use super::choose;
use super::count_edits::{CountEdits, TargetMachine};
use crate::core::fleet::MachineState;
use crate::core::manifest::edit::Edit;
use crate::core::plan::Requested;
use crate::ui::{Exit, Failure};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &MachineDestroyArgs) -> Result<Exit, Failure> {
    let ui = context.ui;
    let ids = choose::choose_machines(context, &args.ids, "destroy").await?;
    let edits = |edit_context: &EditContext<'_>| {
        let mut targets: Vec<TargetMachine> = Vec::new();
        for id in &ids {
            let target = TargetMachine::find(edit_context, id)?;
            check_destroyable(&target, args.force)?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let mut numbers = CountEdits::new(edit_context);
        for target in &targets {
            numbers.remove(target);
        }
        let (mut edits, said) = numbers.into_edits();
        for text in &said {
            ui.say(text);
        }
        let removals = targets
            .into_iter()
            .map(|target| Edit::RemoveMachine { machine: target.id });
        edits.extend(removals);
        Ok(edits)
    };
    let requested = Requested::default();
    edit::run(
        context,
        "machine destroy",
        &args.edit_flags,
        requested,
        edits,
    )
    .await
}

/// Without `--force` only stopped Machines are destroyed, like `fly machine destroy`.
fn check_destroyable(target: &TargetMachine, force: bool) -> Result<(), Failure> {
    let id = &target.id;
    let message = match target.state {
        _ if force => return Ok(()),
        None | Some(MachineState::Stopped | MachineState::Suspended) => return Ok(()),
        Some(MachineState::Started) => format!("Machine {id} is started"),
        Some(state) => format!("Machine {id} is {}, not stopped", state.as_str()),
    };
    Err(Failure::new(codes::STILL_RUNS, message).hint(format!(
        "stop it first (`aeroform machine stop {id}`), or add `--force`"
    )))
}
