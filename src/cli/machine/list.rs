//! `aeroform machine list`.

use super::super::Context;
use super::super::args::MachineListArgs;
use super::super::formats::{self, CommandOutput};
use super::inspect::inspect;
use crate::ui::{Exit, Failure, Signals};

/// Lists the Machines, including unmanaged ones.
pub(super) async fn run(context: &Context<'_>, args: &MachineListArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut view = inspect(context, &mut signals).await?;
    view.machines.retain(|machine| {
        let group = args.group.is_none() || machine.group == args.group;
        group && (args.region.is_empty() || args.region.contains(&machine.region))
    });
    view.other_project_machines
        .retain(|other| args.group.is_none() || other.group == args.group);
    formats::print(context.ui, CommandOutput::MachineList(&view));
    Ok(Exit::Done)
}
