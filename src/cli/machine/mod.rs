//! `aeroform machine`: verbs about single Machines.
//!
//! Those that change what is wanted lead to a plan like any other; those in [`act`] do one thing at once and
//! change nothing that is wanted.

mod act;
mod clone;
mod destroy;
mod list;
mod look;
mod moving;
mod one;
mod pick;
mod places;

use super::Context;
use super::args::{Machine, Replace};
use super::carry_out::{self, Errand};
use super::{codes, plan};
use crate::core::fleet;
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};
use act::Deed;

/// Does what is asked.
pub(super) async fn run(context: &Context<'_>, args: &Machine) -> Result<Exit, Failure> {
    match args {
        Machine::List(args) => list::run(context, args).await,
        Machine::Status(args) => one::run(context, args).await,
        Machine::Start(args) => act::run(context, Deed::Start, args).await,
        Machine::Stop(args) => act::run(context, Deed::Stop, args).await,
        Machine::Restart(args) => act::run(context, Deed::Restart, args).await,
        Machine::Suspend(args) => act::run(context, Deed::Suspend, args).await,
        Machine::Cordon(args) => act::run(context, Deed::Cordon, args).await,
        Machine::Uncordon(args) => act::run(context, Deed::Uncordon, args).await,
        Machine::Replace(args) => replace(context, args).await,
        Machine::Clone(args) => clone::run(context, args).await,
        Machine::Destroy(args) => destroy::run(context, args).await,
        Machine::Move(args) => moving::run(context, args).await,
        Machine::Update(args) => moving::update(context, args).await,
    }
}

async fn replace(context: &Context<'_>, args: &Replace) -> Result<Exit, Failure> {
    if args.plan_only {
        return plan::run(context, &args.plan()).await;
    }
    let errand = Errand {
        command: "machine replace",
        aim: PlanMode::Normal,
        asked: Requested {
            replace: args.ids.iter().cloned().collect(),
            ..Requested::default()
        },
        saved: None,
        doing: &args.doing,
    };
    carry_out::run(context, &errand).await
}

/// That a Machine is left alone here, since another project folder made it.
fn of_other_project(machine: &fleet::Machine) -> Failure {
    let (id, folder) = (&machine.id, machine.project.as_deref().unwrap_or_default());
    let message = format!("Machine {id} belongs to the project in `{folder}`");
    Failure::new(codes::MACHINE_OF_OTHER_PROJECT, message).hint(format!(
        "run the command there, or take the Machine over: `aeroform import {id}`"
    ))
}

/// The Machine that this id or name is of.
fn named<'m>(
    mut machines: impl Iterator<Item = &'m fleet::Machine>,
    wanted: &str,
) -> Result<&'m fleet::Machine, Failure> {
    let is_it = |machine: &&fleet::Machine| {
        machine.id.as_str() == wanted || machine.name.as_str() == wanted
    };
    machines.find(is_it).ok_or_else(|| {
        Failure::new(
            codes::NO_SUCH_MACHINE,
            format!("the app has no Machine `{wanted}`"),
        )
        .hint("`aeroform machine list` names them")
    })
}
