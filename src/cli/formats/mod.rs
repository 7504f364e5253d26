//! What a command prints as its result, and the forms of it: one module for each [`OutputFormat`].
//!
//! Commands build a [`CommandOutput`] and never look at the format to print it. A new format is a module with one
//! `match` over these values, an arm in [`print()`], and its name in [`OutputFormat`].

mod github;
mod json;
mod text;

use super::manifests::Manifests;
use crate::core::fleet::{AppName, GroupName, Known, Machine, MachineId};
use crate::core::plan::{Event, Plan};
use crate::core::view::json::config::{GroupConfig, SecretDisplay};
use crate::core::view::{FileEdit, MachineView, RunReport, ScaleView, StatusView};
use crate::provider::LogLine;
use crate::store::LockStatus;
use crate::ui::{OutputFormat, Ui};

/// A result, or one event of a run.
pub(super) enum CommandOutput<'a> {
    /// The plan, as the result of a command.
    Plan(&'a Plan),
    /// The plan before the approval; the run that follows prints its own results.
    ProposedPlan(&'a Plan),
    /// The run that a plan without steps does not need.
    EmptyRun(&'a Plan),
    /// The end of a run whose plan, without steps, was shown before.
    EndOfEmptyRun(&'a Plan),
    /// Something that happened in a run.
    Event {
        /// What runs.
        plan: &'a Plan,
        /// What happened.
        event: &'a Event,
    },
    /// The end of a run.
    Report(&'a RunReport<'a>),
    /// The drift that this plan found.
    Drift(&'a Plan),
    /// An edit of the manifests.
    Edit {
        /// The app.
        app: &'a AppName,
        /// The files, before and after.
        files: &'a [FileEdit],
        /// Whether they are written.
        written: bool,
        /// The plan that follows, where no run shows it.
        plan: Option<&'a Plan>,
    },
    /// The manifests have the values already.
    NoEdit(&'a AppName),
    /// The files that `init` wrote.
    Init {
        /// The app.
        app: &'a AppName,
        /// What was written.
        written: &'a [FileEdit],
    },
    /// The files that `import` wrote.
    Import {
        /// The app.
        app: &'a AppName,
        /// What was written.
        written: &'a [FileEdit],
    },
    /// The manifests and their diagnostics.
    Validated(&'a Manifests),
    /// The Machine config of each group.
    Configs {
        /// The app.
        app: &'a AppName,
        /// The configs.
        groups: Vec<GroupConfig<'a>>,
        /// Whether one group was named on the command line.
        one_group: bool,
        /// Whether the configs hold secrets.
        secrets: SecretDisplay,
    },
    /// The app and its Machines.
    Status(&'a StatusView),
    /// The Machines of the app.
    MachineList(&'a StatusView),
    /// One Machine.
    MachineDetail {
        /// The app.
        app: &'a AppName,
        /// The Machine.
        view: &'a MachineView,
    },
    /// What a call to one Machine changed.
    MachineAction {
        /// The verb.
        action: &'a str,
        /// The Machine before the call.
        before: &'a Machine,
        /// The Machine after it.
        after: &'a Machine,
    },
    /// Counts and sizes of the groups.
    Scale(&'a ScaleView),
    /// A line that a Machine printed.
    Log(&'a LogLine),
    /// The Machines in the state.
    StateList(&'a Known),
    /// The state.
    StateShow(&'a Known),
    /// A state that was published.
    StatePushed {
        /// Where it is.
        place: &'a str,
        /// Its serial.
        serial: u64,
    },
    /// A Machine that was put into the state or taken out of it.
    StateMachine {
        /// Where the state is.
        place: &'a str,
        /// Its serial.
        serial: u64,
        /// The Machine.
        id: &'a MachineId,
        /// Its group.
        group: &'a GroupName,
        /// What a person does next.
        advice: &'a str,
    },
    /// The lock of the state.
    Lock {
        /// Where the state is.
        place: &'a str,
        /// Its lock.
        status: &'a LockStatus,
    },
    /// The emulator listens at this URL.
    EmulatorListens(&'a str),
    /// The sizes that Fly offers.
    VmSizes,
    /// The regions that Fly offers.
    Regions,
    /// The version of this program.
    Version(&'a str),
}

/// Prints it in the format of this run.
pub(super) fn print(ui: &Ui, output: CommandOutput<'_>) {
    match ui.format() {
        OutputFormat::Text => text::print(ui, output),
        OutputFormat::Json => json::print(ui, output),
        OutputFormat::Github => github::print(ui, output),
    }
}

fn file_names(written: &[FileEdit]) -> Vec<String> {
    written.iter().map(|file| file.path.clone()).collect()
}
