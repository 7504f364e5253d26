//! A run with progress, signals and a final report.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use super::Context;
use super::args::parse_steady;
use super::formats::{self, CommandOutput};
use crate::apply::{CancelHandle, Halt};
use crate::core::fleet::MachineId;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::partial_rollout::PartialRollout;
use crate::core::plan::{
    Action, Outcome, Plan, PlanMode, Requested, RestartScope, RunOutcome, StepResult, Work,
};
use crate::core::view::RunReport;
use crate::core::view::next_command::{
    Continuation, NextCommand, request_flags, with_leading_spaces,
};
use crate::provider::codes::CONFLICT;
use crate::run::{Preview, RunContext, RunRequest, RunResult};
use crate::store::StateLock;
use crate::ui::progress::RunProgress;
use crate::ui::{Exit, Failure, Signals, StopSignal, Ui};

/// How long calls in flight may take after SIGTERM or SIGHUP: a supervisor or CI runner kills the process soon
/// after.
const GRACE: Duration = Duration::from_secs(4);

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunExit {
    pub(super) exit: Exit,
    /// Whether any Machine may have been touched.
    pub(super) touched: bool,
}

/// Executes the plan and reports. `rest` is the verb that continues after a partial run.
pub(super) async fn execute_and_report(
    context: &Context<'_>,
    signals: &mut Signals,
    run_context: &RunContext<'_>,
    preview: &Preview,
    held: &dyn StateLock,
    request: &RunRequest<'_>,
    rest: &str,
) -> Result<RunExit, Failure> {
    let ended =
        execute_with_progress(context.ui, signals, run_context, preview, held, request).await?;
    let touched = has_touched(&preview.plan, &ended.report.results);
    let verb = if touched { rest } else { request.command };
    let outcome = ended.run_end(preview, request.command);
    report(context, preview, &ended, outcome, (verb, request.command));
    let exit = outcome.into();
    Ok(RunExit {
        exit,
        touched: exit == Exit::Done || touched,
    })
}

fn has_touched(plan: &Plan, results: &[StepResult]) -> bool {
    let mut steps = plan.steps.iter().zip(results);
    steps.any(|(step, result)| {
        let begun = !matches!(
            result.outcome,
            Outcome::Skipped { .. } | Outcome::NotStarted
        );
        begun && matches!(step.work, Work::Change(_))
    })
}

/// Executes the plan with a progress display, which is cleared before this returns.
async fn execute_with_progress(
    ui: &Ui,
    signals: &mut Signals,
    run_context: &RunContext<'_>,
    preview: &Preview,
    held: &dyn StateLock,
    request: &RunRequest<'_>,
) -> Result<RunResult, Failure> {
    let (handle, cancel) = CancelHandle::new();
    let mut progress = RunProgress::new(ui, &preview.plan);
    let mut events = |event: &_| {
        let plan = &preview.plan;
        formats::print(ui, CommandOutput::Event { plan, event });
        progress.event(event);
    };
    let mut work = pin!(run_context.execute(preview, held, request, cancel, &mut events));
    let mut stopped = false;
    loop {
        tokio::select! {
            ended = &mut work => return Ok(ended?),
            stop = signals.next() => {
                let patient = stop == StopSignal::Interrupt && ui.streams().can_ask();
                if patient && stopped {
                    handle.abort();
                } else {
                    handle.stop((!patient).then_some(GRACE));
                }
                stopped = true;
            }
        }
    }
}

fn report(
    context: &Context<'_>,
    preview: &Preview,
    ended: &RunResult,
    outcome: RunOutcome,
    (verb, typed): (&str, &str),
) {
    let ui = context.ui;
    let report = &ended.report;
    if let Some(error) = &ended.journal_failure {
        ui.warn(error);
    }
    if let Some(spill) = &ended.unpublished {
        // Standard error is the last resort.
        ui.warn(&format!(
            "cannot save a copy of the state ({}); save the following text under the name below",
            spill.cause
        ));
        ui.talk(&spill.text);
    }
    for remark in &report.remarks {
        ui.say(&format!("note: {remark}"));
    }
    if let Some(why) = &report.release_not_ended {
        let number = report.release.as_ref().map_or(0, |release| release.version);
        ui.warn(&format!(
            "release v{number} could not be marked as finished, so other tools may consider it in progress: {why}"
        ));
    }
    match &report.halted {
        None => {}
        Some(Halt::LockLost) => ui.warn("stopped: the state's lock was lost"),
        Some(Halt::Journal(why) | Halt::Provider(why) | Halt::StateBehind(why)) => {
            ui.warn(&format!("nothing more was started: {why}"));
        }
    }
    let observed = preview.observed.as_ref();
    let left = observed.map(|observed| {
        let release = report.release.as_ref();
        PartialRollout::of(&preview.plan, observed, &report.results, release)
    });
    let again = next_command(context, preview, &report.results, (verb, typed));
    let report = RunReport {
        plan: &preview.plan,
        results: &report.results,
        outcome,
        findings: &report.findings,
        remarks: &report.remarks,
        additions: &report.additions,
        overtaken: &report.overtaken,
        rollback: report.rollback.as_ref(),
        state: &ended.state,
        partial_rollout: left.as_ref(),
        program: &context.global.program(),
        verb,
        next_command: Some(&again),
    };
    formats::print(ui, CommandOutput::Report(&report));
}

/// The command that continues, from its verb and the typed command.
fn next_command(
    context: &Context<'_>,
    preview: &Preview,
    results: &[StepResult],
    (verb, typed_verb): (&str, &str),
) -> NextCommand {
    let typed = &context.global.typed_command;
    let plan = &preview.plan;
    let requested = &plan.requested;
    let repeated = repeated_flags(context, requested);
    let options = with_leading_spaces(&request_flags(&repeated));
    let options_without_image = with_leading_spaces(&request_flags(&Requested {
        image: None,
        ..repeated.clone()
    }));
    let replaced = replaced_machines(plan, results);
    let unreplaced = requested.replace.difference(&replaced).cloned();
    let beyond = Requested {
        replace: unreplaced.collect(),
        restart: requested.restart.clone(),
        ..Requested::default()
    };
    let apply = || format!("apply{options}");
    let (command, how) = match verb {
        "apply" if preview.reviewed_plan.is_some() && plan.mode == PlanMode::Destroy => {
            (format!("destroy{options}"), Continuation::OtherCommand)
        }
        "apply" if preview.reviewed_plan.is_some() => {
            let more = with_leading_spaces(&request_flags(&beyond));
            (format!("{}{more}", apply()), Continuation::OtherCommand)
        }
        "apply" if typed_verb == "apply" => {
            let command = typed.render_without(&["replace", "restart"], &request_flags(&beyond));
            (command, Continuation::SameCommand)
        }
        // The edit is already in the files.
        "apply" => (apply(), Continuation::OtherCommand),
        "machine replace" if beyond.replace.is_empty() => (apply(), Continuation::OtherCommand),
        "machine replace" => {
            let ids: Vec<String> = beyond
                .replace
                .iter()
                .map(|id| shell_word(id.as_str()).into_owned())
                .collect();
            (
                format!("{} {}", typed.render_without(&["ids"], &[]), ids.join(" ")),
                Continuation::SameCommand,
            )
        }
        _ => (typed.render_without(&[], &[]), Continuation::SameCommand),
    };
    let restarted = plan.changes().any(|(id, change)| {
        requested.restart.covers(&change.group)
            && matches!(change.action, Action::Update { .. })
            && results
                .get(id.0 as usize)
                .is_some_and(|result| result.outcome == Outcome::Done)
    });
    NextCommand {
        command,
        continuation: if has_conflict(results) {
            Continuation::AfterReview
        } else if restarted {
            Continuation::StartsOver
        } else {
            how
        },
        options,
        options_without_image,
    }
}

/// Whether another client changed a Machine before its step.
fn has_conflict(results: &[StepResult]) -> bool {
    let mut outcomes = results.iter().map(|result| &result.outcome);
    outcomes
        .any(|outcome| matches!(outcome, Outcome::Failed { code, .. } if code == CONFLICT.name()))
}

/// The plan options for the next command.
fn repeated_flags(context: &Context<'_>, requested: &Requested) -> Requested {
    // The variable still applies to the next command.
    let variable = context.env.var("AEROFORM_STEADY");
    let by_variable = variable.and_then(|text| parse_steady(text).ok());
    Requested {
        replace: BTreeSet::new(),
        restart: RestartScope::None,
        clone_source: None,
        steady_ms: requested.steady_ms.filter(|ms| Some(*ms) != by_variable),
        ..requested.clone()
    }
}

/// The same options as flags, each after a space.
pub(super) fn flags_text(context: &Context<'_>, requested: &Requested) -> String {
    with_leading_spaces(&request_flags(&repeated_flags(context, requested)))
}

/// Replaced Machines by id and name.
fn replaced_machines(plan: &Plan, results: &[StepResult]) -> BTreeSet<MachineId> {
    let done = plan.changes().filter(|(id, _)| {
        let result = results.get(id.0 as usize);
        result.is_some_and(|result| result.outcome == Outcome::Done)
    });
    let mut gone: BTreeSet<MachineId> = BTreeSet::new();
    for (_, change) in done {
        match &change.action {
            Action::Destroy { .. } => gone.extend(change.machine.id.clone()),
            Action::Create { replaces, .. } => gone.extend(replaces.clone()),
            _ => {}
        }
    }
    let names = plan.changes().filter_map(|(_, change)| {
        let id = change.machine.id.as_ref()?;
        gone.contains(id)
            .then(|| MachineId::new(change.machine.name.as_str()).ok())?
    });
    let names: Vec<MachineId> = names.collect();
    gone.extend(names);
    gone
}
