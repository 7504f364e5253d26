//! `aeroform machine move`, and the spelling of it that Fly users know: these Machines get another group.

use super::super::args::{Editing, Move, Update};
use super::super::edit::{self, Ground};
use super::super::{Context, codes, scale};
use super::pick;
use super::places::{Numbers, Place};
use crate::core::fleet::GroupName;
use crate::core::manifest::edit::Edit;
use crate::core::plan::Requested;
use crate::ui::{Exit, Failure};

/// `machine move ID… --to GROUP`.
pub(super) async fn run(context: &Context<'_>, args: &Move) -> Result<Exit, Failure> {
    let ids = pick::machines(context, &args.ids, "move").await?;
    let to = pick::group(context, args.to.as_ref()).await?;
    go(context, "machine move", &ids, &to, &args.editing).await
}

/// `machine update --metadata fly_process_group=GROUP ID`.
pub(super) async fn update(context: &Context<'_>, args: &Update) -> Result<Exit, Failure> {
    let ids = [args.id.clone()];
    go(
        context,
        "machine update",
        &ids,
        &args.metadata,
        &args.editing,
    )
    .await
}

async fn go(
    context: &Context<'_>,
    command: &'static str,
    ids: &[String],
    to: &GroupName,
    editing: &Editing,
) -> Result<Exit, Failure> {
    let ui = context.ui;
    let edits = |ground: &Ground<'_>| {
        let to = scale::group(ground.desired, to.as_str())?;
        let mut numbers = Numbers::of(ground);
        let mut moves = Vec::new();
        for id in ids {
            let place = Place::named(ground, id)?;
            if place.standby {
                return Err(standby(&place));
            }
            let machine = place.id.clone();
            if place.group == to || moves.iter().any(|(moved, _)| *moved == machine) {
                continue;
            }
            numbers.take(&place);
            numbers.add(&to, &place.region);
            if place.has_volume {
                ui.say(&format!(
                    "Machine {machine} has a volume: whether it goes along stands in the plan"
                ));
            }
            moves.push((machine, to.clone()));
        }
        let (mut edits, said) = numbers.edits();
        for text in &said {
            ui.say(text);
        }
        let moves = moves
            .into_iter()
            .map(|(machine, to)| Edit::MoveMachine { machine, to });
        edits.extend(moves);
        Ok(edits)
    };
    edit::run(context, command, editing, Requested::default(), edits).await
}

fn standby(place: &Place) -> Failure {
    Failure::new(
        codes::STANDBY,
        format!(
            "Machine {} is a standby of its group and is not moved",
            place.id
        ),
    )
    .hint("standbys follow their primaries: move one of those")
}
