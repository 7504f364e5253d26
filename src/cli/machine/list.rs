//! `aeroform machine list`.

use super::super::args::MachineListArgs;
use super::super::{Context, views};
use super::inspect::inspect;
use crate::core::view::{json, terminal};
use crate::ui::{Exit, Failure, Loudness, Signals};

/// Looks once and lists what is there, whoever manages it.
pub(super) async fn run(context: &Context<'_>, args: &MachineListArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut view = inspect(context, &mut signals).await?;
    view.machines.retain(|machine| {
        let group = args.group.is_none() || machine.group == args.group;
        group && (args.region.is_empty() || args.region.contains(&machine.region))
    });
    view.other_project_machines
        .retain(|other| args.group.is_none() || other.group == args.group);
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::machine::list(&view));
    } else if ui.loudness() == Loudness::Quiet {
        for machine in &view.machines {
            ui.data(&format!("{}\n", machine.id));
        }
    } else {
        views::write_stdout(ui, |style, text| {
            terminal::machine::list(&view, style, text)
        });
    }
    Ok(Exit::Done)
}
