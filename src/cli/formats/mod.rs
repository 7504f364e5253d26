//! The results of commands and how they are printed: one module for each [`OutputFormat`].
//!
//! Commands build a [`CommandOutput`] and do not check the format. A new format is one module with a `match` over
//! these values, an arm in [`print()`], and a variant of [`OutputFormat`]. One result goes to standard output and to the
//! files of `--also`, so that they do not differ.

pub(super) mod github;
mod gitlab;
mod json;
mod markdown;
mod text;

use super::manifests::Manifests;
use crate::core::fleet::{AppName, GroupName, Known, Machine, MachineId};
use crate::core::plan::{Comparison, Event, Plan};
use crate::core::view::json::config::{GroupConfig, SecretDisplay};
use crate::core::view::releases::ReleasesView;
use crate::core::view::{
    FileEdit, MachineView, PreparedState, RunReport, ScaleView, StateMove, StatusView,
};
use crate::env::Env;
use crate::provider::LogLine;
use crate::store::Unlocked;
use crate::ui::{Exit, Failure, OutputFormat, Ui};

/// A result, or one event of a run.
pub(super) enum CommandOutput<'a> {
    /// The plan, as the result of a command.
    Plan(&'a Plan),
    /// The plan, compared with that of its base.
    ComparedPlan(&'a Plan, &'a Comparison),
    /// The plan before the approval; the run that follows prints its own results.
    ProposedPlan(&'a Plan),
    /// A plan without steps, instead of a run.
    EmptyRun(&'a Plan),
    /// The end of a run without steps; its plan was printed before.
    EndOfEmptyRun(&'a Plan),
    /// An event of a run.
    Event {
        /// The plan of the run.
        plan: &'a Plan,
        /// The event.
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
        /// Whether they were written.
        written: bool,
        /// The plan that follows, if no run prints it.
        plan: Option<&'a Plan>,
    },
    /// The manifests already have the values.
    NoEdit(&'a AppName),
    /// The files that `init` wrote.
    Init {
        /// The app.
        app: &'a AppName,
        /// The written files.
        written: &'a [FileEdit],
        /// The place of a state in git.
        state: Option<&'a PreparedState>,
    },
    /// The files that `import` wrote.
    Import {
        /// The app.
        app: &'a AppName,
        /// The written files.
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
        /// Whether secrets are shown.
        secrets: SecretDisplay,
    },
    /// The app and its Machines.
    Status(&'a StatusView),
    /// The releases of the app.
    Releases(&'a ReleasesView),
    /// The Machines of the app.
    MachineList(&'a StatusView),
    /// One Machine.
    MachineDetail {
        /// The app.
        app: &'a AppName,
        /// The Machine.
        view: &'a MachineView,
    },
    /// The change by a call to one Machine.
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
    /// The runs in the state.
    StateLog(&'a Known),
    /// A state that was copied into a file.
    StatePulled {
        /// The file.
        file: &'a str,
        /// The location of the state.
        location: &'a str,
        /// Its serial.
        serial: u64,
    },
    /// A state that is about to move.
    StateMove {
        /// The state and both places.
        view: &'a StateMove,
        /// The edit of aeroform.toml.
        edits: &'a [FileEdit],
    },
    /// A state that was moved, or is in its place already.
    StateMoved {
        /// The state and both places.
        view: &'a StateMove,
        /// Whether anything was changed.
        moved: bool,
        /// The files to commit.
        commit: &'a [String],
    },
    /// A state that was published.
    StatePushed {
        /// Its location.
        location: &'a str,
        /// Its serial.
        serial: u64,
    },
    /// A Machine that was added to the state or removed from it.
    StateMachine {
        /// The location of the state.
        location: &'a str,
        /// Its serial.
        serial: u64,
        /// The Machine.
        id: &'a MachineId,
        /// Its group.
        group: &'a GroupName,
        /// The next step for the user.
        advice: &'a str,
    },
    /// The lock of the state.
    Lock {
        /// The location of the state.
        location: &'a str,
        /// What became of its lock.
        status: &'a Unlocked,
    },
    /// The URL of the emulator.
    EmulatorListens(&'a str),
    /// Fly's VM sizes.
    VmSizes,
    /// Fly's regions.
    Regions,
    /// The version of this program.
    Version(&'a str),
}

/// A command that ended with an error.
struct FailedCommand<'a> {
    command: &'a str,
    app: Option<&'a AppName>,
    /// The plan that it showed before, with that of its base.
    shown_plan: Option<&'a (Plan, Option<Comparison>)>,
    failure: &'a Failure,
}

/// Prints a result in the format of this run, and in that of every file of it.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a result is made where it is printed, and printed once"
)]
pub(super) fn print(ui: &Ui, output: CommandOutput<'_>) {
    if let Some(plan) = output.plan() {
        ui.step().app = Some(plan.app.clone());
    }
    match output {
        CommandOutput::Plan(plan) | CommandOutput::ProposedPlan(plan) => note_plan(ui, plan, None),
        CommandOutput::ComparedPlan(plan, comparison) => note_plan(ui, plan, Some(comparison)),
        // A run has begun, and its report says more than the plan.
        CommandOutput::Event { .. } | CommandOutput::Report(_) => ui.step().shown_plan = None,
        _ => {}
    }
    for target in ui.outputs() {
        match target.format() {
            OutputFormat::Text => text::print(target, &output),
            OutputFormat::Json => json::print(target, &output),
            OutputFormat::Markdown => markdown::print(target, &output),
            OutputFormat::Github => github::print(target, &output),
            OutputFormat::Gitlab => gitlab::print(target, &output),
        }
    }
}

/// Notes the plan that a failure is about, for the forms that show it.
pub(super) fn note_plan(ui: &Ui, plan: &Plan, comparison: Option<&Comparison>) {
    let shows_plan = |format| matches!(format, OutputFormat::Markdown | OutputFormat::Github);
    if ui.outputs().any(|output| shows_plan(output.format())) {
        ui.step().shown_plan = Some(Box::new((plan.clone(), comparison.cloned())));
    }
}

/// Prints the error of a command, in every form that has one.
pub(super) fn print_failure(ui: &Ui, command: &str, failure: &Failure) {
    ui.failure(failure);
    let (app, shown_plan) = {
        let mut step = ui.step();
        (step.app.clone(), step.shown_plan.take())
    };
    let failed = FailedCommand {
        command,
        app: app.as_ref(),
        shown_plan: shown_plan.as_deref(),
        failure,
    };
    for target in ui.outputs() {
        match target.format() {
            OutputFormat::Markdown => markdown::print_failure(target, &failed),
            OutputFormat::Github => github::note_failure(target, &failed),
            // Errors of text go to standard error only; `ui` has written JSON.
            OutputFormat::Text | OutputFormat::Json | OutputFormat::Gitlab => {}
        }
    }
}

/// What has to be known before the first result.
pub(super) fn begin(ui: &Ui, env: &Env) {
    if ui.format() == OutputFormat::Github {
        github::begin(ui, env);
    }
}

/// What is written once the exit code is known.
pub(super) fn finish(ui: &Ui, env: &Env, command: &str, exit: Exit) {
    if ui.format() == OutputFormat::Github {
        github::finish(ui, env, command, exit);
    }
}

impl CommandOutput<'_> {
    /// The plan that it is about, for results of `plan`, `apply` and `drift`.
    fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(plan)
            | Self::ComparedPlan(plan, _)
            | Self::ProposedPlan(plan)
            | Self::EmptyRun(plan)
            | Self::EndOfEmptyRun(plan)
            | Self::Drift(plan) => Some(plan),
            Self::Report(report) => Some(report.plan),
            _ => None,
        }
    }
}

fn file_names(written: &[FileEdit]) -> Vec<String> {
    written.iter().map(|file| file.path.clone()).collect()
}
