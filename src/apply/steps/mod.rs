//! The fixed sequences of calls, one file per action and one for the branch of an update, and how their ends
//! become outcomes.

mod create;
mod destroy;
mod instead;
mod keep;
mod start;
mod update;
pub(super) mod volumes;

use super::codes;
use super::ends::{End, Part};
use super::hands::Hands;
use super::shared::Shared;
use crate::core::code::Code;
use crate::core::fleet::{Machine, StoredConfig};
use crate::core::plan::{Action, Change, Outcome, ReplaceFallback, StepId, StepResult};
use crate::provider::codes as answers;

/// How a gate fails.
const GATES: [Code; 4] = [
    codes::GATE_TIMEOUT,
    codes::REVERTED,
    answers::MACHINE_FAILED,
    answers::MACHINE_KEEPS_ENDING,
];

/// What a step has to show so far; kept whatever way it ends.
#[derive(Default)]
pub(super) struct Progress {
    /// The Machine as last seen.
    pub(super) machine: Option<Machine>,
    /// What was sent and taken, in its remembered form.
    pub(super) sent: Option<StoredConfig>,
    /// A create that found its Machine there has changed it.
    pub(super) updated: bool,
    /// The branch that was taken.
    pub(super) instead: Option<ReplaceFallback>,
    /// What there is to say of a step that is done, for people.
    pub(super) remarks: Vec<String>,
}

impl Progress {
    /// Takes up the Machine as it is seen now. As long as nothing tells its config, it watches and mounts what it
    /// did when it was seen last (rule 9).
    pub(super) fn see(&mut self, mut machine: Machine) -> &Machine {
        let before = self.machine.take();
        if let Some(before) = before.filter(|before| before.id == machine.id)
            && machine.config.is_none()
        {
            if machine.standby_for.is_empty() {
                machine.standby_for = before.standby_for;
            }
            if machine.volumes.is_empty() {
                machine.volumes = before.volumes;
            }
        }
        self.machine.insert(machine)
    }
}

/// Carries out one step to its end. Never fails: an end is an outcome.
pub(super) async fn carry_out<'a>(
    shared: &'a Shared<'a>,
    step: StepId,
    change: &'a Change,
) -> (StepId, StepResult) {
    let hands = Hands::new(shared, step);
    let mut progress = Progress::default();
    let end = tokio::select! {
        biased;
        end = Box::pin(act(&hands, &mut progress, step, change)) => end,
        never = hands.keep_leased() => match never {},
    };
    hands.let_go().await;
    let end = end.map_err(|end| ways_out(end, change));
    let result = StepResult {
        outcome: outcome(&hands, end),
        machine: progress.machine,
        sent: progress.sent,
        updated: progress.updated,
        replace_fallback: progress.instead.map(Box::new),
        filled: None,
        remarks: progress.remarks,
        went_down: false,
    };
    (step, result)
}

async fn act<'a>(
    hands: &Hands<'a>,
    progress: &mut Progress,
    step: StepId,
    change: &'a Change,
) -> Part {
    match &change.action {
        Action::Create { .. } => create::create(hands, progress, step, change).await,
        Action::Update { .. } | Action::Move { .. } => {
            update::update(hands, progress, change).await
        }
        Action::Destroy { .. } => destroy::destroy(hands, progress, change).await,
        Action::Adopt => keep::adopt(hands, progress, change),
        Action::Wait => keep::wait(hands, progress, change).await,
        Action::Start => start::start(hands, progress, change).await,
        Action::Forget => Ok(()),
    }
}

/// A Machine that does not pass keeps its group waiting: names what an operator can do about it.
fn ways_out(end: End, change: &Change) -> End {
    let waits = matches!(
        change.action,
        Action::Update { .. } | Action::Move { .. } | Action::Adopt | Action::Wait | Action::Start
    );
    let Some(id) = change.machine.id.as_ref().filter(|_| waits) else {
        return end;
    };
    let End::Failed {
        code,
        message,
        hint,
    } = end
    else {
        return end;
    };
    let hint = if GATES.iter().any(|gate| gate.name() == code) {
        let ways = format!(
            "until it passes no other of its group goes down; `aeroform machine replace {id}` makes \
             another, `aeroform machine destroy {id} --force` takes it away, `--exclude-machines {id}` leaves it alone"
        );
        Some(hint.map_or_else(|| ways.clone(), |hint| format!("{hint}; {ways}")))
    } else {
        hint
    };
    End::Failed {
        code,
        message,
        hint,
    }
}

fn outcome(hands: &Hands<'_>, end: Part) -> Outcome {
    match end {
        Ok(()) => Outcome::Done,
        Err(End::Failed {
            code,
            message,
            hint,
        }) => Outcome::Failed {
            code,
            message,
            hint,
        },
        Err(End::Unknown { message }) => Outcome::Unknown { message },
        // A step that has changed something may be half done; the next run looks.
        Err(End::Halted { during }) if hands.has_touched() => Outcome::Unknown {
            message: format!("stopped {during}"),
        },
        Err(End::Halted { .. }) => Outcome::NotStarted,
    }
}
