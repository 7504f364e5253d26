//! A run under the eyes of an operator: progress, signals, and what is said at its end.

use std::pin::pin;
use std::time::Duration;

use super::{Context, show};
use crate::apply::{CancelHandle, Halt};
use crate::conduct::{Ended, Errand, Ground, Look};
use crate::core::plan::serving::Left;
use crate::core::plan::{Outcome, Plan, StepResult, Work};
use crate::core::view::{RunEnd, RunReport, json};
use crate::store::StateLock;
use crate::ui::progress::Progress;
use crate::ui::{Exit, Failure, Signals, Stop, Ui};

/// How long calls in flight have after SIGTERM or SIGHUP: a supervisor or a CI runner that sends them
/// kills soon after.
const GRACE: Duration = Duration::from_secs(4);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// Whether any Machine may have been touched.
    pub(super) touched: bool,
}

/// Carries the plan out and reports. `rest` is the verb that does what is left once anything was touched.
pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    ground: &Ground<'_>,
    look: &Look,
    held: &dyn StateLock,
    errand: &Errand<'_>,
    rest: &str,
) -> Result<Ran, Failure> {
    let ended = watched(context.ui, signals, ground, look, held, errand).await?;
    let touched = touched(&look.plan, &ended.report.results);
    let again = if touched { rest } else { errand.command };
    say(context, look, &ended, again);
    let exit = match ended.end(look) {
        RunEnd::Complete => Exit::Done,
        RunEnd::Failed if matches!(ended.report.halted, Some(Halt::StateBehind(_))) => Exit::Stale,
        RunEnd::Failed | RunEnd::Overtaken => Exit::Incomplete,
        RunEnd::Interrupted => Exit::Interrupted,
    };
    Ok(Ran {
        exit,
        touched: exit == Exit::Done || touched,
    })
}

fn touched(plan: &Plan, results: &[StepResult]) -> bool {
    let mut steps = plan.steps.iter().zip(results);
    steps.any(|(step, result)| {
        let begun = !matches!(
            result.outcome,
            Outcome::Skipped { .. } | Outcome::NotStarted
        );
        begun && matches!(step.work, Work::Change(_))
    })
}

/// Carries the plan out under a progress that is gone from the terminal when this returns, so that what
/// is said afterwards stands where it was.
async fn watched(
    ui: &Ui,
    signals: &mut Signals,
    ground: &Ground<'_>,
    look: &Look,
    held: &dyn StateLock,
    errand: &Errand<'_>,
) -> Result<Ended, Failure> {
    let (handle, cancel) = CancelHandle::new();
    let mut progress = Progress::new(ui, &look.plan);
    let mut events = |event: &_| {
        if ui.json()
            && let Some(line) = json::apply::event(&look.plan, event)
        {
            ui.document(&line);
        }
        progress.event(event);
    };
    let mut work = pin!(ground.carry_out(look, held, errand, cancel, &mut events));
    let mut stopped = false;
    loop {
        tokio::select! {
            ended = &mut work => return Ok(ended?),
            stop = signals.next() => {
                let patient = stop == Stop::Interrupt && ui.streams().can_ask();
                if patient && stopped {
                    handle.now();
                } else {
                    handle.stop((!patient).then_some(GRACE));
                }
                stopped = true;
            }
        }
    }
}

fn say(context: &Context<'_>, look: &Look, ended: &Ended, verb: &str) {
    let ui = context.ui;
    let report = &ended.report;
    if let Some(error) = &ended.unmarked {
        ui.warn(error);
    }
    if let Some(spill) = &ended.spill {
        // Standard error is the last place that is left.
        ui.warn(&format!(
            "no copy of the state could be kept ({}); its text follows, save it under the name below",
            spill.cause
        ));
        ui.talk(&spill.text);
    }
    for remark in &report.remarks {
        ui.say(&format!("note: {remark}"));
    }
    if let Some(why) = &report.unended {
        let number = report.release.as_ref().map_or(0, |release| release.version);
        ui.warn(&format!(
            "release v{number} could not be marked as ended, so other tools may take it for one in progress: {why}"
        ));
    }
    match &report.halted {
        None => {}
        Some(Halt::LockLost) => ui.warn("nothing more was started: the state's lock was lost"),
        Some(Halt::Journal(why) | Halt::Provider(why) | Halt::StateBehind(why)) => {
            ui.warn(&format!("nothing more was started: {why}"));
        }
    }
    let observed = look.observed.as_ref();
    let left = observed.map(|observed| {
        let release = report.release.as_ref();
        Left::of(&look.plan, observed, &report.results, release)
    });
    let told = RunReport {
        plan: &look.plan,
        results: &report.results,
        interrupted: report.interrupted,
        findings: &report.findings,
        remarks: &report.remarks,
        additions: &report.additions,
        overtaken: &report.overtaken,
        state: &ended.state,
        left: left.as_ref(),
        image: context.global.image.as_deref(),
        program: &context.global.program(),
        verb,
    };
    show::report(ui, &told);
}
