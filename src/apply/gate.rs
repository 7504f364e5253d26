//! Waiting until a change is known to have worked (RULES 29).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ends::{End, Part, Waited};
use super::hands::Hands;
use super::steps::Progress;
use crate::apply::codes;
use crate::core::fleet::{CheckState, CheckStatus, Machine, MachineId, MachineState, Until};
use crate::core::plan::GateKind;
use crate::provider::codes as answers;

/// What a Machine showed before its change: results of checks from then do not count.
#[derive(Debug, Default)]
pub(super) struct Before {
    instance: String,
    checks: BTreeMap<String, String>,
}

impl Before {
    pub(super) fn of(machine: &Machine) -> Self {
        let mut before = Self {
            instance: machine.instance.clone(),
            checks: BTreeMap::new(),
        };
        before.learn(machine);
        before
    }

    /// Of a Machine that was changed by somebody else and has not started since: what it shows is of
    /// before.
    pub(super) fn on_its_way(machine: &Machine) -> Self {
        let mut before = Self::default();
        before.learn(machine);
        before
    }

    /// Results that stand there while the Machine is not started are of an older run as well.
    fn learn(&mut self, machine: &Machine) {
        for check in &machine.checks {
            self.checks
                .insert(check.name.clone(), check.updated_at.clone());
        }
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
    pub(super) before: Before,
}

/// Waits until the gate has passed; the Machine as last seen is in `progress` whatever happens.
pub(super) async fn pass(hands: &Hands<'_>, progress: &mut Progress, gate: Gate<'_>) -> Part {
    let deadline = Instant::now() + gate.at_most;
    match gate.kind {
        GateKind::None | GateKind::Gone => Ok(()),
        GateKind::Settled => settled(hands, progress, &gate, deadline).await,
        GateKind::Started => started(hands, progress, &gate, deadline).await.map(|_| ()),
        GateKind::Healthy => {
            if started(hands, progress, &gate, deadline).await? {
                healthy(hands, progress, gate, deadline).await
            } else {
                Ok(())
            }
        }
    }
}

async fn settled(
    hands: &Hands<'_>,
    progress: &mut Progress,
    gate: &Gate<'_>,
    deadline: Instant,
) -> Part {
    hands.waiting("it to settle", gate.at_most);
    match hands.wait(gate.id, Until::Settled, deadline).await? {
        Waited::Reached(machine) => accept(progress, *machine, None).map(|_| ()),
        Waited::Gone => Err(gone(gate.id)),
        Waited::NotYet(_) => Err(timeout(gate, "it has not settled")),
    }
}

/// Waits until it runs; false when it ran to its end already and was meant to.
async fn started(
    hands: &Hands<'_>,
    progress: &mut Progress,
    gate: &Gate<'_>,
    deadline: Instant,
) -> Part<bool> {
    hands.waiting("it to start", gate.at_most);
    loop {
        let (machine, told) = match hands.wait(gate.id, Until::Started, deadline).await? {
            Waited::Reached(machine) => (Some(*machine), None),
            Waited::Gone => (None, None),
            // It may have failed, or the provider may have given up early.
            Waited::NotYet(told) => (hands.get(gate.id).await?, told),
        };
        let machine = machine.ok_or_else(|| gone(gate.id))?;
        if machine.state.is_gone() {
            return Err(gone(gate.id));
        }
        let old = gate.before.is_old(&machine);
        let (state, exit) = (machine.state, machine.last_exit);
        let runs_once = machine
            .config
            .as_ref()
            .and_then(|config| config.restart.as_ref()?.policy.as_deref())
            == Some("no");
        if old {
            progress.machine = Some(machine);
        } else {
            accept(progress, machine, told.as_deref())?;
            if state == MachineState::Started {
                return Ok(true);
            }
            if state == MachineState::Stopped && runs_once {
                return match exit.filter(|code| *code != 0) {
                    Some(code) => Err(ended_badly(gate.id, code)),
                    None => Ok(false),
                };
            }
        }
        if Instant::now() >= deadline {
            return Err(timeout(gate, &format!("it is {}", state.as_str())));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        hands.rest(poll(hands).max(AFTER_NOT_YET).min(left)).await?;
    }
}

async fn healthy(
    hands: &Hands<'_>,
    progress: &mut Progress,
    mut gate: Gate<'_>,
    deadline: Instant,
) -> Part {
    let mut said = String::new();
    loop {
        let machine = hands.get(gate.id).await?.ok_or_else(|| gone(gate.id))?;
        // A read that lags shows the run before, whose checks say nothing of this one.
        let runs = machine.state == MachineState::Started && !gate.before.is_old(&machine);
        if !runs {
            gate.before.learn(&machine);
        }
        let machine = accept(progress, machine, None)?;
        let passes = |check: &&CheckStatus| {
            gate.before.is_fresh(check) && check.status == CheckState::Passing
        };
        let waiting: Vec<&CheckStatus> = machine
            .checks
            .iter()
            .filter(|check| !passes(check))
            .collect();
        if runs && waiting.is_empty() && !machine.checks.is_empty() {
            return Ok(());
        }
        let on = describe(&waiting);
        if Instant::now() >= deadline {
            return Err(timeout(&gate, &outputs(&gate.before, &waiting)));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if on != said {
            hands.waiting(on.clone(), left);
            said = on;
        }
        hands.rest(poll(hands).min(left)).await?;
    }
}

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
fn accept<'m>(
    progress: &'m mut Progress,
    machine: Machine,
    told: Option<&str>,
) -> Part<&'m Machine> {
    if machine.state.is_gone() {
        return Err(gone(&machine.id));
    }
    let machine = progress.machine.insert(machine);
    let (code, what) = match machine.state {
        MachineState::Failed => (answers::MACHINE_FAILED, "has failed"),
        _ if machine.keeps_ending() => (answers::MACHINE_KEEPS_ENDING, "does not stay up"),
        _ => return Ok(machine),
    };
    let detail = machine.detail.as_deref().unwrap_or("it could not start");
    let logs = format!("`aeroform logs {}`", machine.id);
    Err(End::Failed {
        code: code.name().to_owned(),
        message: format!("Machine {} {what}: {detail}", machine.id),
        hint: Some(match told {
            Some(told) => format!("{told}; more: {logs}"),
            None => format!("look at its logs: {logs}"),
        }),
    })
}

fn gone(id: &MachineId) -> End {
    End::failed(
        answers::MACHINE_FAILED,
        format!("Machine {id} was destroyed by somebody else while it was awaited"),
    )
}

/// A job that is not started again has done its work with exit code 0 alone.
fn ended_badly(id: &MachineId, code: i32) -> End {
    End::Failed {
        code: answers::MACHINE_FAILED.name().to_owned(),
        message: format!("Machine {id} has failed: exit code {code}, and it is not started again"),
        hint: Some(format!("look at its logs: `aeroform logs {id}`")),
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
