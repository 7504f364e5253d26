//! `aeroform machine clone`: one more in a group, like another where no manifest says otherwise.

use super::super::args::CloneMachine;
use super::super::edit::{self, Ground};
use super::super::{Context, codes, scale};
use super::places::{Numbers, Place};
use crate::core::plan::{Asked, Like};
use crate::ui::{Exit, Failure};

/// Does it.
pub(super) async fn run(context: &Context<'_>, args: &CloneMachine) -> Result<Exit, Failure> {
    let ui = context.ui;
    let asked = Asked {
        like: Some(Like {
            machine: args.id.clone(),
            group: args.group.clone(),
            region: args.region.clone(),
        }),
        ..Asked::default()
    };
    let edits = |ground: &Ground<'_>| {
        let source = Place::named(ground, args.id.as_str())?;
        if source.standby {
            return Err(standby(&source));
        }
        let name = args.group.as_ref().unwrap_or(&source.group);
        let group = scale::group(ground.desired, name.as_str())?;
        let mut numbers = Numbers::of(ground);
        numbers.add(&group, args.region.as_ref().unwrap_or(&source.region));
        let (edits, said) = numbers.edits();
        for text in &said {
            ui.say(text);
        }
        if ground.desired.groups[&group].template.has_mounts() {
            ui.say("the new Machine has a volume of its own: no data is copied");
        }
        Ok(edits)
    };
    edit::run(context, "machine clone", &args.editing, asked, edits).await
}

/// A standby watches others: there is nothing to be like.
fn standby(source: &Place) -> Failure {
    Failure::new(
        codes::STANDBY,
        format!("Machine {} is a standby and is not cloned", source.id),
    )
    .hint(format!(
        "write `standby = 2` in `[groups.{}]`, or clone one of its primaries",
        source.group
    ))
}
