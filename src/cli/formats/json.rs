//! JSON: versioned documents (schemas in docs/schemas); a run prints one event per line.

use super::{CommandOutput, file_names};
use crate::core::plan::Plan;
use crate::core::view::RunReport;
use crate::core::view::json::config::SecretDisplay;
use crate::core::view::json::unlock::{LockHolder, LockState, unlock};
use crate::core::view::json::{self, apply, to_line};
use crate::store::{Holder, Unlocked};
use crate::ui::Ui;

pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    match output {
        CommandOutput::Plan(plan) => ui.document(&json::plan::plan(plan)),
        CommandOutput::ComparedPlan(plan, comparison) => {
            let this_change = comparison.this_change(plan);
            ui.document(&json::plan::compared_plan(plan, &this_change, comparison));
        }
        CommandOutput::ProposedPlan(_) | CommandOutput::StateMove { .. } => {}
        CommandOutput::EmptyRun(plan) | CommandOutput::EndOfEmptyRun(plan) => empty_run(ui, plan),
        CommandOutput::Event { plan, event } => {
            if let Some(line) = apply::event_line(plan, event) {
                ui.document(&line);
            }
        }
        CommandOutput::Report(report) => ui.document(&apply::finished_line(report)),
        CommandOutput::Drift(plan) => ui.document(&json::drift::drift(plan)),
        CommandOutput::Edit {
            app,
            files,
            written,
            plan,
        } => ui.document(&json::edit::edit(app, files, *written, *plan)),
        CommandOutput::NoEdit(app) => ui.document(&json::edit::edit(app, &[], false, None)),
        CommandOutput::Init {
            app,
            written,
            state,
        } => {
            let names = file_names(written);
            ui.document(&json::init::init(app.as_str(), &names).with_state(*state));
        }
        CommandOutput::Import { app, written } => {
            let names = file_names(written);
            ui.document(&json::init::import(app.as_str(), &names, written));
        }
        CommandOutput::Validated(manifests) => {
            let diagnostics = &manifests.loaded.diagnostics;
            let document = json::validate::validate(diagnostics.iter().map(Into::into).collect());
            ui.document(&document.with_more(diagnostics.omitted()));
        }
        CommandOutput::Configs {
            app,
            groups,
            one_group: _,
            secrets,
        } => {
            let line = to_line(&json::config::config(app, groups.clone())) + "\n";
            match secrets {
                SecretDisplay::Shown => ui.data_with_secrets(&line),
                SecretDisplay::Hidden => ui.data(&line),
            }
        }
        CommandOutput::Status(view) => ui.document(&json::status::status(view)),
        CommandOutput::Releases(view) => ui.document(&json::releases::releases(view)),
        CommandOutput::MachineList(view) => ui.document(&json::machine::list(view)),
        CommandOutput::MachineDetail { app, view } => {
            ui.document(&json::machine::detail(app, view));
        }
        CommandOutput::MachineAction {
            action,
            before,
            after,
        } => ui.document(&json::machine::action(action, before, after)),
        CommandOutput::Scale(view) => ui.document(&json::scale::scale(view)),
        CommandOutput::Log(line) => {
            let group = line.group.as_ref();
            let document = json::logs::log(&line.machine, group, &line.at, &line.text);
            ui.data_with_secrets(&(to_line(&document) + "\n"));
        }
        CommandOutput::StateList(known) => ui.document(&json::state::list(known)),
        CommandOutput::StateShow(known) => ui.document(&json::state::show(known)),
        CommandOutput::StateLog(known) => ui.document(&json::state::log(known)),
        CommandOutput::StateMoved {
            view,
            moved,
            commit,
        } => ui.document(&json::state::migrate(view, *moved, commit)),
        CommandOutput::StatePulled {
            file: _,
            location,
            serial,
        }
        | CommandOutput::StatePushed { location, serial } => {
            ui.document(&json::state::push(location, *serial));
        }
        CommandOutput::StateMachine {
            location,
            serial,
            id,
            group,
            advice: _,
        } => ui.document(&json::state::machine_change(location, *serial, id, group)),
        CommandOutput::Lock {
            location: _,
            status,
        } => lock(ui, status),
        CommandOutput::EmulatorListens(url) => ui.document(&json::emulator::listening(url)),
        CommandOutput::VmSizes => ui.document(&json::platform::vm_sizes()),
        CommandOutput::Regions => ui.document(&json::platform::regions()),
        CommandOutput::Version(version) => ui.document(&json::version::version(version)),
    }
}

/// Every run prints these two lines.
fn empty_run(ui: &Ui, plan: &Plan) {
    ui.document(&apply::empty_run_line(plan));
    ui.document(&apply::finished_line(&RunReport::of_empty_run(plan)));
}

fn lock(ui: &Ui, status: &Unlocked) {
    let (lock, holder) = match status {
        Unlocked::Free => (LockState::Free, None),
        Unlocked::Removed(holder) => (LockState::Removed, holder.as_ref()),
        Unlocked::Live { holder, .. } => (LockState::Held, holder.as_ref()),
    };
    ui.document(&unlock(lock, holder.map(lock_holder)));
}

fn lock_holder(holder: &Holder) -> LockHolder<'_> {
    LockHolder {
        who: &holder.who,
        host: &holder.host,
        pid: holder.pid,
        command: &holder.command,
        since: &holder.since,
        run: holder.run.as_deref(),
        url: holder.url.as_deref(),
    }
}
