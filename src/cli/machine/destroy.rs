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
    let edits = |ground: &EditContext<'_>| {
        let mut places: Vec<TargetMachine> = Vec::new();
        for id in &ids {
            let place = TargetMachine::find(ground, id)?;
            check_destroyable(&place, args.force)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let mut numbers = CountEdits::new(ground);
        for place in &places {
            numbers.remove(place);
        }
        let (mut edits, said) = numbers.into_edits();
        for text in &said {
            ui.say(text);
        }
        let removals = places
            .into_iter()
            .map(|place| Edit::RemoveMachine { machine: place.id });
        edits.extend(removals);
        Ok(edits)
    };
    let asked = Requested::default();
    edit::run(context, "machine destroy", &args.edit_flags, asked, edits).await
}

/// Without `--force` only stopped Machines are destroyed, like `fly machine destroy`.
fn check_destroyable(place: &TargetMachine, force: bool) -> Result<(), Failure> {
    let id = &place.id;
    let message = match place.state {
        _ if force => return Ok(()),
        None | Some(MachineState::Stopped | MachineState::Suspended) => return Ok(()),
        Some(MachineState::Started) => format!("Machine {id} is started"),
        Some(state) => format!("Machine {id} is {}, not stopped", state.as_str()),
    };
    Err(Failure::new(codes::STILL_RUNS, message).hint(format!(
        "stop it first (`aeroform machine stop {id}`), or add `--force`"
    )))
}
