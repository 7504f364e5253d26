//! Waits until a change is proven to work (rule 29).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::stability::{Stability, StabilityFailure, StabilityWatch};
use super::step_context::StepContext;
use super::step_error::{PartResult, StepError, WaitResult};
use super::steps::StepProgress;
use crate::apply::codes;
use crate::core::fleet::{CheckState, CheckStatus, Machine, MachineId, MachineState, WaitUntil};
use crate::core::plan::GateKind;
use crate::provider::codes as answers;

/// A Machine before its change: earlier check results and events do not count.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    instance: String,
    checks: BTreeMap<String, String>,
    events: BTreeSet<u64>,
    /// No call of this run starts it: everything from now on counts.
    runs: bool,
}

impl Baseline {
    pub(super) fn new(machine: &Machine) -> Self {
        let mut before = Self::before_start(machine);
        before.instance.clone_from(&machine.instance);
        before
    }

    /// For a Machine that another client changed and that has not started since, or that is outdated: what it
    /// shows is old.
    pub(super) fn before_start(machine: &Machine) -> Self {
        let mut before = Self {
            events: machine.events.iter().map(|event| event.id).collect(),
            ..Self::default()
        };
        before.ignore_current_checks(machine);
        before
    }

    /// For an unchanged, up-to-date Machine: its check results count, earlier events do not.
    pub(super) fn of_unchanged(machine: &Machine) -> Self {
        Self {
            events: machine.events.iter().map(|event| event.id).collect(),
            runs: machine.state.should_run(),
            ..Self::default()
        }
    }

    /// Check results of a stopped Machine are from an earlier start.
    fn ignore_current_checks(&mut self, machine: &Machine) {
        for check in &machine.checks {
            self.checks
                .insert(check.name.clone(), check.updated_at.clone());
        }
    }

    /// Whether the Machine has a new version.
    pub(super) fn is_new_instance(&self) -> bool {
        !self.instance.is_empty()
    }

    fn is_old_instance(&self, machine: &Machine) -> bool {
        !self.instance.is_empty() && self.instance == machine.instance
    }

    fn is_fresh(&self, check: &CheckStatus) -> bool {
        !check.updated_at.is_empty() && self.checks.get(&check.name) != Some(&check.updated_at)
    }
}

/// A gate.
pub(super) struct Gate<'a> {
    pub(super) id: &'a MachineId,
    pub(super) kind: GateKind,
    pub(super) at_most: Duration,
    /// How long it must stay up, within `at_most`.
    pub(super) steady: Duration,
    pub(super) before: Baseline,
}

/// Waits for the gate; `progress` always has the last seen Machine.
pub(super) async fn wait_for_gate(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    gate: Gate<'_>,
) -> PartResult {
    let deadline = Instant::now() + gate.at_most;
    let ended = match gate.kind {
        GateKind::None | GateKind::Gone | GateKind::Ended => Ok(()),
        GateKind::Settled => wait_settled(context, progress, &gate, deadline).await,
        GateKind::Started => wait_up(context, progress, gate, deadline, CheckPolicy::Any).await,
        GateKind::Healthy => wait_up(context, progress, gate, deadline, CheckPolicy::Passing).await,
    };
    ended.map_err(|end| match end {
        GateError::Failed(end) => {
            progress.gate_failed = true;
            end
        }
        GateError::Other(end) => end,
    })
}

/// Why a gate did not pass.
enum GateError {
    /// The Machine does not work: a cause of a rollback.
    Failed(StepError),
    /// It could not be found out, or another client destroyed the Machine.
    Other(StepError),
}

impl From<StepError> for GateError {
    fn from(end: StepError) -> Self {
        Self::Other(end)
    }
}

/// The state of its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckPolicy {
    Any,
    Passing,
}

async fn wait_settled(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    gate: &Gate<'_>,
    deadline: Instant,
) -> Result<(), GateError> {
    context.report_waiting("it to settle", gate.at_most);
    let soon = deadline.min(Instant::now() + CREATED_PATIENCE);
    let mut waited = context.wait(gate.id, WaitUntil::Settled, soon).await?;
    if matches!(waited, WaitResult::NotYet(_)) {
        let machine = context
            .get(gate.id)
            .await?
            .ok_or_else(|| gone_error(gate.id))?;
        if machine.state == MachineState::Created {
            return record_or_fail(progress, machine);
        }
        waited = context.wait(gate.id, WaitUntil::Settled, deadline).await?;
    }
    match waited {
        WaitResult::Reached(machine) => record_or_fail(progress, *machine),
        WaitResult::Gone => Err(gone_error(gate.id).into()),
        WaitResult::NotYet(_) => Err(timeout_error(gate, "it has not settled")),
    }
}

/// Waits until it is up, has been up long enough, and its checks pass, all at once.
async fn wait_up(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    mut gate: Gate<'_>,
    deadline: Instant,
    checks: CheckPolicy,
) -> Result<(), GateError> {
    let known = std::mem::take(&mut gate.before.events);
    let mut watch = StabilityWatch::with_events(gate.steady, known, gate.before.runs);
    let mut reason = None;
    let mut said = WAITS_TO_START.to_owned();
    // The response of the update has the new version, if any.
    let answered = progress.machine.as_ref();
    let mut changed = answered.is_some_and(|machine| !gate.before.is_old_instance(machine));
    // So are check results between the last read and the call.
    if let Some(machine) = answered.filter(|machine| machine.state != MachineState::Started) {
        gate.before.ignore_current_checks(machine);
    }
    context.report_waiting(WAITS_TO_START, gate.at_most);
    loop {
        let machine = next_read(context, &gate, &watch, deadline, &mut reason).await?;
        if machine.state.is_gone() {
            return Err(gone_error(gate.id).into());
        }
        let state = machine.state;
        let mut on = WAITS_TO_START.to_owned();
        let mut missing = format!("it is {}", state.as_str());
        if gate.before.is_old_instance(&machine) {
            gate.before.ignore_current_checks(&machine);
            if changed && state == MachineState::Started {
                return Err(reverted_error(progress, machine));
            }
            "it still has the version of before".clone_into(&mut missing);
            progress.record_seen(machine);
        } else {
            changed |= !gate.before.instance.is_empty();
            if state != MachineState::Started {
                gate.before.ignore_current_checks(&machine);
            }
            let seen = watch.observe(&machine, Instant::now());
            let machine = progress.record_seen(machine);
            match seen {
                Stability::Failed(failing) => {
                    return Err(failure_error(context, failing, machine, reason).await);
                }
                Stability::AtRest(remark) => {
                    progress.remarks.push(remark);
                    return Ok(());
                }
                Stability::Down if machine.is_restart_looping() => {
                    return Err(bad_state_error(machine, reason.as_deref()));
                }
                Stability::Down => {}
                Stability::Up(left) => match unhealthy_checks(&gate.before, machine, checks) {
                    None if left.is_zero() => return Ok(()),
                    None => {
                        WAITS_TO_STAY_UP.clone_into(&mut on);
                        let up = gate.steady.saturating_sub(left);
                        missing = format!("it has been up for {up:.0?} of {:?}", gate.steady);
                    }
                    Some(waiting) => {
                        on = describe_checks(&waiting);
                        missing = check_outputs(&gate.before, &waiting);
                    }
                },
            }
        }
        if Instant::now() >= deadline {
            return Err(timeout_error(&gate, &missing));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if on != said {
            let at_most = if on == WAITS_TO_STAY_UP {
                gate.steady
            } else {
                left
            };
            context.report_waiting(on.clone(), at_most);
            said = on;
        }
        let pause = match state {
            MachineState::Started => poll_interval(context),
            _ => poll_interval(context).max(NOT_YET_PAUSE),
        };
        context.pause(pause.min(left)).await?;
    }
}

/// Reads the Machine; one that was not up yet is awaited by the provider for a while.
async fn next_read(
    context: &StepContext<'_>,
    gate: &Gate<'_>,
    watch: &StabilityWatch,
    deadline: Instant,
    reason: &mut Option<String>,
) -> PartResult<Machine> {
    let read = if watch.was_up() {
        context.get(gate.id).await?
    } else {
        let until = deadline.min(Instant::now() + poll_interval(context) * POLLS_PER_WAIT);
        match context.wait(gate.id, WaitUntil::Started, until).await? {
            WaitResult::Reached(machine) => Some(*machine),
            WaitResult::Gone => None,
            // It may have failed, or the provider stopped waiting early.
            WaitResult::NotYet(why) => {
                *reason = why;
                context.get(gate.id).await?
            }
        }
    };
    read.ok_or_else(|| gone_error(gate.id))
}

/// The checks that do not pass yet; `None` if all pass.
fn unhealthy_checks<'m>(
    before: &Baseline,
    machine: &'m Machine,
    checks: CheckPolicy,
) -> Option<Vec<&'m CheckStatus>> {
    if checks == CheckPolicy::Any {
        return None;
    }
    let passes =
        |check: &&CheckStatus| before.is_fresh(check) && check.status == CheckState::Passing;
    let all = machine.checks.iter();
    let waiting: Vec<&CheckStatus> = all.filter(|check| !passes(check)).collect();
    let healthy = waiting.is_empty() && !machine.checks.is_empty();
    (!healthy).then_some(waiting)
}

const WAITS_TO_START: &str = "it to start";
const WAITS_TO_STAY_UP: &str = "it to stay up";

/// One provider wait replaces this many reads.
const POLLS_PER_WAIT: u32 = 20;

/// A Machine created without a start may stay `created`; one in preparation is stopped sooner than this.
pub(super) const CREATED_PATIENCE: Duration = Duration::from_secs(10);

/// How long to pause for a Machine that is not started although the provider stopped waiting.
const NOT_YET_PAUSE: Duration = Duration::from_secs(1);

pub(super) fn poll_interval(context: &StepContext<'_>) -> Duration {
    match context
        .shared
        .input
        .observed
        .description
        .capabilities
        .poll_ms
    {
        0 => Duration::from_millis(500),
        poll => Duration::from_millis(poll),
    }
}

/// Records the last seen Machine; fails if it is gone, failed, or keeps exiting, because waiting does not help.
fn record_or_fail(progress: &mut StepProgress, machine: Machine) -> Result<(), GateError> {
    if machine.state.is_gone() {
        return Err(gone_error(&machine.id).into());
    }
    let machine = progress.record_seen(machine);
    if machine.state == MachineState::Failed || machine.is_restart_looping() {
        return Err(bad_state_error(machine, None));
    }
    Ok(())
}

fn bad_state_error(machine: &Machine, reason: Option<&str>) -> GateError {
    let (code, what) = if machine.state == MachineState::Failed {
        (answers::MACHINE_FAILED, "has failed")
    } else {
        (answers::MACHINE_KEEPS_ENDING, "does not stay up")
    };
    let detail = machine.detail.as_deref().unwrap_or("it could not start");
    GateError::Failed(StepError::Failed {
        code: code.name().to_owned(),
        message: format!("Machine {} {what}: {detail}", machine.id),
        hint: Some(logs_hint(&machine.id, reason)),
    })
}

pub(super) fn gone_error(id: &MachineId) -> StepError {
    StepError::failed(
        answers::MACHINE_FAILED,
        format!("Machine {id} was destroyed by another client while this run waited for it"),
    )
}

/// The error with the process's exit and, if available, its last output.
async fn failure_error(
    context: &StepContext<'_>,
    failing: StabilityFailure,
    machine: &Machine,
    reason: Option<String>,
) -> GateError {
    let reason = match reason {
        Some(reason) => Some(reason),
        None => match context
            .wait(&machine.id, WaitUntil::Started, Instant::now())
            .await
        {
            Ok(WaitResult::NotYet(reason)) => reason,
            Ok(WaitResult::Reached(_) | WaitResult::Gone) | Err(_) => None,
        },
    };
    GateError::Failed(StepError::Failed {
        code: failing.code().name().to_owned(),
        message: failing.message(machine),
        hint: Some(logs_hint(&machine.id, reason.as_deref())),
    })
}

pub(super) fn logs_hint(id: &MachineId, reason: Option<&str>) -> String {
    let logs = format!("`aeroform logs {id}`");
    match reason {
        Some(reason) => format!("{reason}; more: {logs}"),
        None => format!("check its logs: {logs}"),
    }
}

/// The platform accepted the update and then restored the previous version.
fn reverted_error(progress: &mut StepProgress, machine: Machine) -> GateError {
    let id = machine.id.clone();
    progress.machine = Some(machine);
    progress.sent_config = None;
    GateError::Failed(StepError::Failed {
        code: codes::REVERTED.name().to_owned(),
        message: format!("Machine {id} was updated but runs its previous version again"),
        hint: Some(format!(
            "the new version did not start; check `aeroform machine status {id}`, then apply \
             again"
        )),
    })
}

fn timeout_error(gate: &Gate<'_>, what: &str) -> GateError {
    let (id, seconds) = (gate.id, gate.at_most.as_secs());
    GateError::Failed(StepError::Failed {
        code: codes::GATE_TIMEOUT.name().to_owned(),
        message: format!("Machine {id} was not ready within {seconds} s: {what}"),
        hint: Some(format!("check its logs: `aeroform logs {id}`")),
    })
}

fn describe_checks(waiting: &[&CheckStatus]) -> String {
    match waiting {
        [] => "its checks".to_owned(),
        [one] => format!("check {}", one.name),
        many => {
            let names: Vec<&str> = many.iter().map(|check| check.name.as_str()).collect();
            format!("checks {}", names.join(", "))
        }
    }
}

fn check_outputs(before: &Baseline, waiting: &[&CheckStatus]) -> String {
    if waiting.is_empty() {
        return "no check has reported".to_owned();
    }
    let parts: Vec<String> = waiting
        .iter()
        .map(|check| {
            if !before.is_fresh(check) {
                return format!("check {} has not run since", check.name);
            }
            let output: String = check.output.chars().take(200).collect();
            format!(
                "check {} is {}: {output}",
                check.name,
                check.status.as_str()
            )
        })
        .collect();
    parts.join("; ")
}
