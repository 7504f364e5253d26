//! `aeroform machine destroy`: these Machines go, and their groups want as many fewer.

use super::super::args::DestroyMachine;
use super::super::edit::{self, Ground};
use super::super::{Context, codes};
use super::pick;
use super::places::{Numbers, Place};
use crate::core::fleet::MachineState;
use crate::core::manifest::edit::Edit;
use crate::core::plan::Requested;
use crate::ui::{Exit, Failure};

/// Does it.
pub(super) async fn run(context: &Context<'_>, args: &DestroyMachine) -> Result<Exit, Failure> {
    let ui = context.ui;
    let ids = pick::machines(context, &args.ids, "destroy").await?;
    let edits = |ground: &Ground<'_>| {
        let mut places: Vec<Place> = Vec::new();
        for id in &ids {
            let place = Place::named(ground, id)?;
            may_go(&place, args.force)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let mut numbers = Numbers::of(ground);
        for place in &places {
            numbers.take(place);
        }
        let (mut edits, said) = numbers.edits();
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
    edit::run(context, "machine destroy", &args.editing, asked, edits).await
}

/// Without `--force` only one that is at rest goes, as with `fly machine destroy`.
fn may_go(place: &Place, force: bool) -> Result<(), Failure> {
    let id = &place.id;
    let message = match place.state {
        _ if force => return Ok(()),
        None | Some(MachineState::Stopped | MachineState::Suspended) => return Ok(()),
        Some(MachineState::Started) => format!("Machine {id} is started"),
        Some(state) => format!("Machine {id} is {} and not stopped", state.as_str()),
    };
    Err(Failure::new(codes::STILL_RUNS, message).hint(format!(
        "stop it first (`aeroform machine stop {id}`), or add `--force`"
    )))
}
