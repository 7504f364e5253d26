//! Waiting until a change is known to have worked (rule 29).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ends::{End, Part, Waited};
use super::hands::Hands;
use super::steps::Progress;
use super::watch::{Failing, Seen, Watch};
use crate::apply::codes;
use crate::core::fleet::{CheckState, CheckStatus, Machine, MachineId, MachineState, WaitUntil};
use crate::core::plan::GateKind;
use crate::provider::codes as answers;

/// What a Machine showed before its change: results of checks and events from then do not count.
#[derive(Debug, Default)]
pub(super) struct Before {
    instance: String,
    checks: BTreeMap<String, String>,
    events: BTreeSet<u64>,
    /// No call of this run starts it: what it does from now on counts.
    runs: bool,
}

impl Before {
    pub(super) fn of(machine: &Machine) -> Self {
        let mut before = Self::on_its_way(machine);
        before.instance.clone_from(&machine.instance);
        before
    }

    /// Of a Machine that was changed by somebody else and has not started since, or that is only started:
    /// what it shows is of before.
    pub(super) fn on_its_way(machine: &Machine) -> Self {
        let mut before = Self {
            events: machine.events.iter().map(|event| event.id).collect(),
            ..Self::default()
        };
        before.learn(machine);
        before
    }

    /// Of a Machine that is as wanted and is not touched: its checks count, and what it did before does not.
    pub(super) fn untouched(machine: &Machine) -> Self {
        Self {
            events: machine.events.iter().map(|event| event.id).collect(),
            runs: machine.state.should_run(),
            ..Self::default()
        }
    }

    /// Results that stand there while the Machine is not started are of an older run as well.
    fn learn(&mut self, machine: &Machine) {
        for check in &machine.checks {
            self.checks
                .insert(check.name.clone(), check.updated_at.clone());
        }
    }

    /// Whether the Machine has another version since.
    pub(super) fn is_of_a_change(&self) -> bool {
        !self.instance.is_empty()
    }

    fn is_old(&self, machine: &Machine) -> bool {
        !self.instance.is_empty() && self.instance == machine.instance
    }

    fn is_fresh(&self, check: &CheckStatus) -> bool {
        !check.updated_at.is_empty() && self.checks.get(&check.name) != Some(&check.updated_at)
    }
}

/// One gate.
pub(super) struct Gate<'a> {
    pub(super) id: &'a MachineId,
    pub(super) kind: GateKind,
    pub(super) at_most: Duration,
    /// How long it must be up; within `at_most`.
    pub(super) steady: Duration,
    pub(super) before: Before,
}

/// Waits until the gate has passed; the Machine as last seen is in `progress` whatever happens.
pub(super) async fn pass(hands: &Hands<'_>, progress: &mut Progress, gate: Gate<'_>) -> Part {
    let deadline = Instant::now() + gate.at_most;
    match gate.kind {
        GateKind::None | GateKind::Gone => Ok(()),
        GateKind::Settled => settled(hands, progress, &gate, deadline).await,
        GateKind::Started => up(hands, progress, gate, deadline, Checks::Any).await,
        GateKind::Healthy => up(hands, progress, gate, deadline, Checks::Passing).await,
    }
}

/// What its checks have to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    Any,
    Passing,
}

async fn settled(
    hands: &Hands<'_>,
    progress: &mut Progress,
    gate: &Gate<'_>,
    deadline: Instant,
) -> Part {
    hands.waiting("it to settle", gate.at_most);
    let soon = deadline.min(Instant::now() + STAYS_CREATED);
    let mut waited = hands.wait(gate.id, WaitUntil::Settled, soon).await?;
    if matches!(waited, Waited::NotYet(_)) {
        let machine = hands.get(gate.id).await?.ok_or_else(|| gone(gate.id))?;
        if machine.state == MachineState::Created {
            return accept(progress, machine);
        }
        waited = hands.wait(gate.id, WaitUntil::Settled, deadline).await?;
    }
    match waited {
        Waited::Reached(machine) => accept(progress, *machine),
        Waited::Gone => Err(gone(gate.id)),
        Waited::NotYet(_) => Err(timeout(gate, "it has not settled")),
    }
}

/// Waits until it is up, has been so for long enough, and its checks pass, all at the same time.
async fn up(
    hands: &Hands<'_>,
    progress: &mut Progress,
    mut gate: Gate<'_>,
    deadline: Instant,
    checks: Checks,
) -> Part {
    let known = std::mem::take(&mut gate.before.events);
    let mut watch = Watch::since(gate.steady, known, gate.before.runs);
    let mut told = None;
    let mut said = START.to_owned();
    // The answer of the update shows the new version, if it shows any.
    let answered = progress.machine.as_ref();
    let mut changed = answered.is_some_and(|machine| !gate.before.is_old(machine));
    // So are results of checks that came in between the last look and the call.
    if let Some(machine) = answered.filter(|machine| machine.state != MachineState::Started) {
        gate.before.learn(machine);
    }
    hands.waiting(START, gate.at_most);
    loop {
        let machine = next_look(hands, &gate, &watch, deadline, &mut told).await?;
        if machine.state.is_gone() {
            return Err(gone(gate.id));
        }
        let state = machine.state;
        let mut on = START.to_owned();
        let mut missing = format!("it is {}", state.as_str());
        if gate.before.is_old(&machine) {
            gate.before.learn(&machine);
            if changed && state == MachineState::Started {
                return Err(reverted(progress, machine));
            }
            "it still has the version of before".clone_into(&mut missing);
            progress.see(machine);
        } else {
            changed |= !gate.before.instance.is_empty();
            if state != MachineState::Started {
                gate.before.learn(&machine);
            }
            let seen = watch.look(&machine, Instant::now());
            let machine = progress.see(machine);
            match seen {
                Seen::Fails(failing) => return Err(fails(hands, failing, machine, told).await),
                Seen::Rests(remark) => {
                    progress.remarks.push(remark);
                    return Ok(());
                }
                Seen::Down if machine.is_restart_looping() => {
                    return Err(bad_state(machine, told.as_deref()));
                }
                Seen::Down => {}
                Seen::Up(left) => match unhealthy(&gate.before, machine, checks) {
                    None if left.is_zero() => return Ok(()),
                    None => {
                        STAY_UP.clone_into(&mut on);
                        let up = gate.steady.saturating_sub(left);
                        missing = format!("it has been up for {up:.0?} of {:?}", gate.steady);
                    }
                    Some(waiting) => {
                        on = describe(&waiting);
                        missing = outputs(&gate.before, &waiting);
                    }
                },
            }
        }
        if Instant::now() >= deadline {
            return Err(timeout(&gate, &missing));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if on != said {
            let at_most = if on == STAY_UP { gate.steady } else { left };
            hands.waiting(on.clone(), at_most);
            said = on;
        }
        let pause = match state {
            MachineState::Started => poll(hands),
            _ => poll(hands).max(AFTER_NOT_YET),
        };
        hands.rest(pause.min(left)).await?;
    }
}

/// The Machine as it is now; one that was not seen up yet is waited for by the provider, for a while.
async fn next_look(
    hands: &Hands<'_>,
    gate: &Gate<'_>,
    watch: &Watch,
    deadline: Instant,
    told: &mut Option<String>,
) -> Part<Machine> {
    let look = if watch.was_up() {
        hands.get(gate.id).await?
    } else {
        let until = deadline.min(Instant::now() + poll(hands) * WAITS);
        match hands.wait(gate.id, WaitUntil::Started, until).await? {
            Waited::Reached(machine) => Some(*machine),
            Waited::Gone => None,
            // It may have failed, or the provider may have given up early.
            Waited::NotYet(why) => {
                *told = why;
                hands.get(gate.id).await?
            }
        }
    };
    look.ok_or_else(|| gone(gate.id))
}

/// The checks that do not pass yet; none where all of them do.
fn unhealthy<'m>(
    before: &Before,
    machine: &'m Machine,
    checks: Checks,
) -> Option<Vec<&'m CheckStatus>> {
    if checks == Checks::Any {
        return None;
    }
    let passes =
        |check: &&CheckStatus| before.is_fresh(check) && check.status == CheckState::Passing;
    let all = machine.checks.iter();
    let waiting: Vec<&CheckStatus> = all.filter(|check| !passes(check)).collect();
    let healthy = waiting.is_empty() && !machine.checks.is_empty();
    (!healthy).then_some(waiting)
}

const START: &str = "it to start";
const STAY_UP: &str = "it to stay up";

/// One wait of the provider's lasts so many looks.
const WAITS: u32 = 20;

/// A Machine that is made without being started may stay `created` for good; one that is prepared is stopped
/// sooner than this.
pub(super) const STAYS_CREATED: Duration = Duration::from_secs(10);

/// How long to leave a Machine alone that is not started although the provider stopped waiting.
const AFTER_NOT_YET: Duration = Duration::from_secs(1);

fn poll(hands: &Hands<'_>) -> Duration {
    match hands.shared.job.observed.description.capabilities.poll_ms {
        0 => Duration::from_millis(500),
        poll => Duration::from_millis(poll),
    }
}

/// Keeps the Machine as last seen; one that is gone, has failed, or keeps ending does not come to stand
/// by being waited for.
fn accept(progress: &mut Progress, machine: Machine) -> Part {
    if machine.state.is_gone() {
        return Err(gone(&machine.id));
    }
    let machine = progress.see(machine);
    if machine.state == MachineState::Failed || machine.is_restart_looping() {
        return Err(bad_state(machine, None));
    }
    Ok(())
}

fn bad_state(machine: &Machine, told: Option<&str>) -> End {
    let (code, what) = if machine.state == MachineState::Failed {
        (answers::MACHINE_FAILED, "has failed")
    } else {
        (answers::MACHINE_KEEPS_ENDING, "does not stay up")
    };
    let detail = machine.detail.as_deref().unwrap_or("it could not start");
    End::Failed {
        code: code.name().to_owned(),
        message: format!("Machine {} {what}: {detail}", machine.id),
        hint: Some(hint(&machine.id, told)),
    }
}

fn gone(id: &MachineId) -> End {
    End::failed(
        answers::MACHINE_FAILED,
        format!("Machine {id} was destroyed by somebody else while it was awaited"),
    )
}

/// The step fails with how the process ended, and with its last output where the provider has that.
async fn fails(
    hands: &Hands<'_>,
    failing: Failing,
    machine: &Machine,
    told: Option<String>,
) -> End {
    let told = match told {
        Some(told) => Some(told),
        None => match hands
            .wait(&machine.id, WaitUntil::Started, Instant::now())
            .await
        {
            Ok(Waited::NotYet(told)) => told,
            Ok(Waited::Reached(_) | Waited::Gone) | Err(_) => None,
        },
    };
    End::Failed {
        code: failing.code().name().to_owned(),
        message: failing.message(machine),
        hint: Some(hint(&machine.id, told.as_deref())),
    }
}

fn hint(id: &MachineId, told: Option<&str>) -> String {
    let logs = format!("`aeroform logs {id}`");
    match told {
        Some(told) => format!("{told}; more: {logs}"),
        None => format!("look at its logs: {logs}"),
    }
}

/// The platform took the update and has gone back to the version before it.
fn reverted(progress: &mut Progress, machine: Machine) -> End {
    let id = machine.id.clone();
    progress.machine = Some(machine);
    progress.sent = None;
    End::Failed {
        code: codes::REVERTED.name().to_owned(),
        message: format!("Machine {id} was updated and runs the version of before again"),
        hint: Some(format!(
            "the new version could not be brought up; look at `aeroform machine status {id}`, then apply \
             again"
        )),
    }
}

fn timeout(gate: &Gate<'_>, what: &str) -> End {
    let (id, seconds) = (gate.id, gate.at_most.as_secs());
    End::Failed {
        code: codes::GATE_TIMEOUT.name().to_owned(),
        message: format!("Machine {id} was not ready within {seconds} s: {what}"),
        hint: Some(format!("look at its logs: `aeroform logs {id}`")),
    }
}

fn describe(waiting: &[&CheckStatus]) -> String {
    match waiting {
        [] => "its checks".to_owned(),
        [one] => format!("check {}", one.name),
        many => {
            let names: Vec<&str> = many.iter().map(|check| check.name.as_str()).collect();
            format!("checks {}", names.join(", "))
        }
    }
}

fn outputs(before: &Before, waiting: &[&CheckStatus]) -> String {
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
