//! Looking again after the run: exit 0 means it is so (RULES 31).

use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::ends::End;
use super::hands::Hands;
use super::shared::Shared;
use super::wanted::{Wanted, watched};
use crate::core::fleet::{Machine, MachineId, MachineState};
use crate::core::plan::{Action, Change, Outcome, StepId, StepResult};

/// How often a Machine is read again that is not as it should be: reads may lag for a moment.
const LOOKS: u32 = 4;
/// The pause between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// What verification has to say, in order of steps.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) findings: Vec<String>,
    pub(super) remarks: Vec<String>,
}

impl Verified {
    /// Without the lock somebody else may change at any moment what would be looked at.
    pub(super) fn nothing(results: &[StepResult]) -> Self {
        let is_done = |result: &StepResult| result.outcome == Outcome::Done;
        let finding = "nothing was looked at again: the state's lock was lost".to_owned();
        Self {
            findings: results
                .iter()
                .any(is_done)
                .then_some(finding)
                .into_iter()
                .collect(),
            remarks: Vec::new(),
        }
    }
}

/// How one touched Machine was found.
enum Found {
    AsItShould,
    ChangedSince(String),
    Otherwise(String),
    /// A cancel came in between.
    NotLooked,
}

/// Reads every Machine again that a step claims to have changed, and looks for doubles of what was
/// created.
pub(super) async fn verify(shared: &Shared<'_>, results: &[StepResult]) -> Verified {
    let done = shared.job.plan.changes().filter_map(|(step, change)| {
        let result = results.get(step.0 as usize)?;
        (result.outcome == Outcome::Done).then_some((step, change, result))
    });
    let looks = done.map(|(step, change, result)| look(shared, step, change, result));
    let at_once = shared.job.options.parallelism.max(1);
    let found: Vec<Found> = stream::iter(looks).buffered(at_once).collect().await;
    let mut verified = Verified::default();
    for found in found {
        match found {
            Found::AsItShould | Found::NotLooked => {}
            Found::ChangedSince(text) => verified.remarks.push(text),
            Found::Otherwise(text) => verified.findings.push(text),
        }
    }
    verified.findings.extend(leftovers(shared, results).await);
    verified.findings.extend(doubles(shared, results).await);
    verified
}

async fn look(shared: &Shared<'_>, step: StepId, change: &Change, result: &StepResult) -> Found {
    let seen = result.machine.as_ref();
    let id = match &change.action {
        Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => {
            seen.map(|machine| &machine.id)
        }
        Action::Destroy { .. } => change.machine.id.as_ref(),
        Action::Adopt | Action::Forget => None,
    };
    let Some(id) = id else {
        return Found::AsItShould;
    };
    let hands = Hands::new(shared, step);
    let mut looks = 1;
    loop {
        let found = match hands.get(id).await {
            Ok(live) => judge(shared, (step, change), id, live.as_ref(), seen),
            Err(End::Halted { .. }) => Found::NotLooked,
            Err(End::Failed { message, .. } | End::Unknown { message }) => {
                return Found::Otherwise(format!("{id} could not be verified: {message}"));
            }
        };
        if !matches!(found, Found::Otherwise(_)) || looks == LOOKS {
            return found;
        }
        looks += 1;
        if hands.rest(BETWEEN).await.is_err() {
            return Found::NotLooked;
        }
    }
}

/// Machines that others took the place of and that are there all the same.
async fn leftovers(shared: &Shared<'_>, results: &[StepResult]) -> Vec<String> {
    let changes = shared.job.plan.changes();
    let replaced = changes.filter_map(|(step, change)| {
        let result = results.get(step.0 as usize)?;
        let gone = result
            .instead
            .as_ref()
            .is_some_and(|instead| instead.old_gone);
        gone.then_some((step, change.machine.id.as_ref()?))
    });
    let mut found = Vec::new();
    for (step, id) in replaced {
        match Hands::new(shared, step).get(id).await {
            Ok(Some(live)) if !live.state.is_gone() => {
                let state = live.state.as_str();
                found.push(format!("{id} was replaced and is {state}"));
            }
            Ok(_) | Err(End::Halted { .. }) => {}
            Err(End::Failed { message, .. } | End::Unknown { message }) => {
                found.push(format!("{id} could not be verified: {message}"));
            }
        }
    }
    found
}

fn judge(
    shared: &Shared<'_>,
    (step, change): (StepId, &Change),
    id: &MachineId,
    live: Option<&Machine>,
    seen: Option<&Machine>,
) -> Found {
    let live = live.filter(|live| !live.state.is_gone());
    let mounted = shared.mounted.borrow();
    let (volumes, standby_for) = match &change.action {
        Action::Destroy { .. } => {
            return live.map_or(Found::AsItShould, |live| {
                Found::Otherwise(format!("{id} was destroyed and is {}", live.state.as_str()))
            });
        }
        Action::Create { standby_for, .. } => (
            mounted.get(&step).map_or(&[][..], Vec::as_slice),
            watched(shared, standby_for),
        ),
        Action::Update { standby_for } | Action::Move { standby_for, .. } => {
            (pinned(change), watched(shared, standby_for))
        }
        Action::Adopt | Action::Forget => {
            let standby_for = change.pin.as_ref().map(|pin| pin.standby_for.clone());
            (pinned(change), Ok(standby_for.unwrap_or_default()))
        }
    };
    let Some(live) = live else {
        return Found::Otherwise(format!("{id} was changed and is gone"));
    };
    let known = change.machine.id.as_ref().or_else(|| change.model());
    let wanted = standby_for
        .and_then(|standby_for| Wanted::of(shared, &change.group, known, volumes, standby_for));
    if wanted.is_ok_and(|wanted| wanted.is_so(live)) {
        return if live.state == MachineState::Failed {
            Found::Otherwise(format!("{id} was changed and has failed since"))
        } else {
            Found::AsItShould
        };
    }
    let ours = seen.is_some_and(|seen| seen.instance == live.instance);
    if ours || live.instance.is_empty() {
        Found::Otherwise(format!("{id} does not have the config that was sent to it"))
    } else {
        Found::ChangedSince(format!(
            "{id} was changed by somebody else after this run changed it"
        ))
    }
}

fn pinned(change: &Change) -> &[crate::core::fleet::VolumeId] {
    change.pin.as_ref().map_or(&[], |pin| &pin.volumes)
}

/// Machines that bear the name of an intent beside the one that answers it.
async fn doubles(shared: &Shared<'_>, results: &[StepResult]) -> Vec<String> {
    let launches: std::collections::BTreeMap<&str, Option<&MachineId>> = shared
        .job
        .plan
        .changes()
        .filter_map(|(step, change)| {
            let result = results.get(step.0 as usize)?;
            let machine = result.machine.as_ref().map(|machine| &machine.id);
            let made = result.instead.as_ref().is_some_and(|instead| instead.made);
            match &change.action {
                Action::Create { launch, .. } => Some((launch.as_str(), machine)),
                Action::Update { .. } | Action::Move { .. } if made => {
                    Some((change.successor()?.launch.as_str(), machine))
                }
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Adopt
                | Action::Forget => None,
            }
        })
        .collect();
    let Some(first) = shared.job.plan.changes().next() else {
        return Vec::new();
    };
    if launches.is_empty() {
        return Vec::new();
    }
    let listing = match Hands::new(shared, first.0).list().await {
        Ok(listing) => listing,
        Err(End::Halted { .. }) => return Vec::new(),
        Err(End::Failed { message, .. } | End::Unknown { message }) => {
            return vec![format!("doubles could not be looked for: {message}")];
        }
    };
    let mut found: Vec<String> = listing
        .machines
        .iter()
        .filter(|machine| !machine.state.is_gone())
        .filter_map(|machine| {
            let launch = machine.name.launch_part()?;
            let owner = (*launches.get(launch)?)?;
            (*owner != machine.id)
                .then(|| format!("{} ({}) is a double of {owner}", machine.id, machine.name))
        })
        .collect();
    found.sort();
    found
}
