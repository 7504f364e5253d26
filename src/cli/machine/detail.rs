//! `aeroform machine status ID`.

use super::super::Context;
use super::super::args::{MachineStatusArgs, RecoveryFlags};
use super::super::formats::{self, CommandOutput};
use super::super::session::{self, Session};
use super::find_machine;
use crate::core::plan::{DriftKind, PlanMode, Requested, plan};
use crate::core::view::MachineView;
use crate::observe::observe;
use crate::ui::{Exit, Failure, Signals};

/// Shows one Machine.
pub(super) async fn run(context: &Context<'_>, args: &MachineStatusArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let (app, ui) = (&session.desired.app, context.ui);
    let reading = async {
        let remembered = session.load_state_or_warn(ui).await;
        let known = remembered.unwrap_or_else(|| session.empty_state());
        let observed = observe(&*provider, app, &known).await?;
        let machine = find_machine(observed.all_machines(), &args.id)?.clone();
        let events = match provider.events(app, &machine.id).await {
            Ok(events) => events,
            // The Machine is shown even without its events.
            Err(error) => {
                ui.warn(&format!(
                    "cannot read the events of {}: {}",
                    machine.id, error.message
                ));
                Vec::new()
            }
        };
        Ok::<_, Failure>((known, observed, machine, events))
    };
    let (known, observed, machine, events) = signals.or_interrupted(reading).await??;
    let options = session::planner_options(
        &RecoveryFlags::default(),
        PlanMode::RefreshOnly,
        Requested::default(),
    );
    let plan = plan(&session.desired, &known, Some(&observed), &options);
    let drift = plan.drift.into_iter().find(|drift| {
        drift.kind == DriftKind::Changed && drift.machine.id.as_ref() == Some(&machine.id)
    });
    let drift = drift.map(|drift| drift.changes).unwrap_or_default();
    let known = known.machines.get(&machine.id).cloned();
    let mut view = MachineView::of(&machine, known, drift, events);
    if observed.other_projects.contains_key(&machine.id) {
        view.status.other_project.clone_from(&machine.project);
    }
    formats::print(ui, CommandOutput::MachineDetail { app, view: &view });
    Ok(Exit::Done)
}
