//! `aeroform machine`: verbs for single Machines.
//!
//! Verbs that change the manifests use the common plan; those in [`act`] make one call and change no manifest.

mod act;
mod choose;
mod clone;
mod count_edits;
mod destroy;
mod detail;
mod inspect;
mod list;
mod move_group;

use super::Context;
use super::apply_flow::{self, ApplyRequest};
use super::args::{MachineReplaceArgs, MachineVerb};
use super::saved_plan::ReviewedPlan;
use super::{codes, plan};
use crate::core::fleet;
use crate::core::plan::{PlanMode, Requested};
use crate::ui::{Exit, Failure};
use act::MachineAction;

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &MachineVerb) -> Result<Exit, Failure> {
    match args {
        MachineVerb::List(args) => list::run(context, args).await,
        MachineVerb::Status(args) => detail::run(context, args).await,
        MachineVerb::Start(args) => act::run(context, MachineAction::Start, args).await,
        MachineVerb::Stop(args) => act::run(context, MachineAction::Stop, args).await,
        MachineVerb::Restart(args) => act::run(context, MachineAction::Restart, args).await,
        MachineVerb::Suspend(args) => act::run(context, MachineAction::Suspend, args).await,
        MachineVerb::Cordon(args) => act::run(context, MachineAction::Cordon, args).await,
        MachineVerb::Uncordon(args) => act::run(context, MachineAction::Uncordon, args).await,
        MachineVerb::Replace(args) => replace(context, args).await,
        MachineVerb::Clone(args) => clone::run(context, args).await,
        MachineVerb::Destroy(args) => destroy::run(context, args).await,
        MachineVerb::Move(args) => move_group::run(context, args).await,
        MachineVerb::Update(args) => move_group::update(context, args).await,
    }
}

async fn replace(context: &Context<'_>, args: &MachineReplaceArgs) -> Result<Exit, Failure> {
    if args.plan_only {
        return plan::run(context, &args.plan()).await;
    }
    let request = ApplyRequest {
        command: "machine replace",
        mode: PlanMode::Normal,
        requested: Requested {
            replace: args.ids.iter().cloned().collect(),
            ..Requested::default()
        },
        reviewed: ReviewedPlan::None,
        flags: &args.apply_flags,
    };
    apply_flow::run(context, &request).await
}

/// The error for a Machine of another project folder.
fn other_project_error(machine: &fleet::Machine) -> Failure {
    let (id, folder) = (&machine.id, machine.project.as_deref().unwrap_or_default());
    let message = format!("Machine {id} belongs to the project in `{folder}`");
    Failure::new(codes::MACHINE_OF_OTHER_PROJECT, message).hint(format!(
        "run the command there, or adopt the Machine: `aeroform import {id}`"
    ))
}

/// Finds a Machine by id or name.
fn find_machine<'m>(
    mut machines: impl Iterator<Item = &'m fleet::Machine>,
    id_or_name: &str,
) -> Result<&'m fleet::Machine, Failure> {
    let is_it = |machine: &&fleet::Machine| {
        machine.id.as_str() == id_or_name || machine.name.as_str() == id_or_name
    };
    machines.find(is_it).ok_or_else(|| {
        Failure::new(
            codes::NO_SUCH_MACHINE,
            format!("the app has no Machine `{id_or_name}`"),
        )
        .hint("`aeroform machine list` lists the Machines")
    })
}
