//! Whether a Machine that has passed its gate goes on working under traffic: it stays up, and its checks pass.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::gate::{gone_error, logs_hint, poll_interval};
use super::stability::{Stability, StabilityWatch};
use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use super::steps::StepProgress;
use crate::apply::codes;
use crate::core::fleet::{CheckState, Exit, GroupName, Machine, MachineId, ProcessEventKind};

/// The shortest time between two reads: nothing waits for the result of one.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Watches a Machine for this long. One exit that nobody requested fails it, and so does one failing check; a Machine
/// that was stopped on request passes, as it does its gate.
pub(super) async fn soak(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    (group, id): (&GroupName, &MachineId),
    time: Duration,
) -> PartResult {
    if time.is_zero() {
        return Ok(());
    }
    let seen = progress.machine.iter().flat_map(|machine| &machine.events);
    let known: BTreeSet<u64> = seen.map(|event| event.id).collect();
    let mut watch = StabilityWatch::with_events(time, known.clone(), true);
    let end = Instant::now() + time;
    context.report_waiting("it to work under traffic", time);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let machine = context.get(id).await?.ok_or_else(|| gone_error(id))?;
        if machine.state.is_gone() {
            return Err(gone_error(id));
        }
        let stability = watch.observe(&machine, Instant::now());
        let failure = match (&stability, crash(&machine, &known), failing_check(&machine)) {
            (Stability::Failed(failing), ..) => Some(failing.message(&machine)),
            (_, Some(exit), _) => Some(format!("Machine {id} exited: {exit}")),
            (Stability::AtRest(_), ..) => None,
            (_, _, Some(check)) => Some(format!("check {check} of Machine {id} fails")),
            (Stability::Up(_) | Stability::Down, ..) => None,
        };
        progress.record_seen(machine);
        if let Some(failure) = failure {
            progress.gate_failed = true;
            return Err(StepError::Failed {
                code: codes::CANARY_FAILED.name().to_owned(),
                message: format!("the canary of `{group}` did not work under traffic: {failure}"),
                hint: Some(logs_hint(id, None)),
            });
        }
        if let Stability::AtRest(remark) = stability {
            progress.remarks.push(remark);
            return Ok(());
        }
        if left.is_zero() {
            return Ok(());
        }
        let pause = poll_interval(context).max(READ_INTERVAL);
        context.pause(pause.min(left)).await?;
    }
}

/// The first exit since then that nobody requested, except of a Machine that may end.
fn crash(machine: &Machine, known: &BTreeSet<u64>) -> Option<Exit> {
    let config = machine.config.as_deref();
    let serves = config.is_some_and(|config| config.has_services() || config.has_checks());
    let new = machine.events.iter().rev();
    let mut exits = new
        .filter(|event| !known.contains(&event.id))
        .filter_map(|event| match event.kind {
            ProcessEventKind::Exited(exit) => Some(exit),
            ProcessEventKind::Changed
            | ProcessEventKind::Started
            | ProcessEventKind::StopRequested
            | ProcessEventKind::Other => None,
        });
    exits.find(|exit| exit.is_crash() || serves && !exit.requested)
}

fn failing_check(machine: &Machine) -> Option<&str> {
    let mut checks = machine.checks.iter();
    let failing = checks.find(|check| check.status == CheckState::Critical)?;
    Some(&failing.name)
}
