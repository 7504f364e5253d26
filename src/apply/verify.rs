//! Verification after the run: exit 0 means that it succeeded (rule 31).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::apply_context::ApplyContext;
use super::desired_machine::{DesiredMachine, watched_machines};
use super::overtaken;
use super::precondition;
use super::step_context::StepContext;
use super::step_error::StepError;
use crate::core::fleet::{
    Exit, Machine, MachineId, MachineState, ProcessEvent, ProcessEventKind, VolumeId,
};
use crate::core::plan::{
    Action, Change, GateKind, Outcome, StandbyTarget, StepId, StepResult, forked_text,
};

/// Number of reads of a Machine that differs: reads may lag.
const MAX_READS: u32 = 4;
/// Pause between reads.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// One exit after the gate may be chance; this many are not.
const FAILING_EXITS: usize = 2;

/// The result of verification, by step.
#[derive(Debug, Default)]
pub(super) struct Verification {
    pub(super) findings: Vec<String>,
    pub(super) remarks: Vec<String>,
    pub(super) overtaken: Vec<String>,
    /// Completed steps whose Machines do not stay up.
    pub(super) went_down: Vec<StepId>,
}

impl Verification {
    /// Without the lock another client may be changing the Machines.
    pub(super) fn skipped(results: &[StepResult]) -> Self {
        let is_done = |result: &StepResult| result.outcome == Outcome::Done;
        let finding = "nothing was verified: the state's lock was lost".to_owned();
        Self {
            findings: results
                .iter()
                .any(is_done)
                .then_some(finding)
                .into_iter()
                .collect(),
            ..Self::default()
        }
    }
}

/// The verification of one changed Machine.
enum MachineVerdict {
    AsExpected,
    /// Correct, with a note.
    Remark(String),
    /// Changed by another client since.
    ChangedSince(Box<Machine>),
    /// Correct except for these volumes, each replacing another.
    OtherVolumes(Box<Machine>, Vec<(VolumeId, VolumeId)>),
    Mismatch(String),
    /// It passed its gate, but is down or does not stay up.
    Down(String),
    /// Cancelled.
    NotRead,
}

/// Reads every Machine again that a step changed, and looks for duplicates of created ones.
pub(super) async fn verify(shared: &ApplyContext<'_>, results: &[StepResult]) -> Verification {
    let done = shared.input.plan.changes().filter_map(|(step, change)| {
        let result = results.get(step.0 as usize)?;
        let stays = result.outcome == Outcome::Done && !result.is_reverted();
        stays.then_some((step, change, result))
    });
    let looks = done.map(|(step, change, result)| async move {
        (step, verify_machine(shared, step, change, result).await)
    });
    let at_once = shared.input.options.parallelism.max(1);
    let found: Vec<(StepId, MachineVerdict)> =
        stream::iter(looks).buffered(at_once).collect().await;
    let mut verified = Verification::default();
    let found = accept_forked_volumes(shared, found).await;
    let overtaken = found
        .iter()
        .any(|(_, found)| matches!(found, MachineVerdict::ChangedSince(_)));
    let newest = if overtaken {
        overtaken::newest_release(shared).await
    } else {
        None
    };
    for (step, found) in found {
        match found {
            MachineVerdict::AsExpected
            | MachineVerdict::NotRead
            | MachineVerdict::OtherVolumes(..) => {}
            MachineVerdict::Remark(text) => verified.remarks.push(text),
            MachineVerdict::ChangedSince(live) => {
                let text = overtaken::describe_overtaken(shared, &live, newest.as_ref());
                verified.overtaken.push(text);
            }
            MachineVerdict::Mismatch(text) => verified.findings.push(text),
            MachineVerdict::Down(text) => {
                verified.went_down.push(step);
                verified.findings.push(text);
            }
        }
    }
    verified
        .findings
        .extend(replaced_but_present(shared, results).await);
    verified
        .findings
        .extend(standbys_not_repointed(shared, results).await);
    verified
        .findings
        .extend(greens_not_added(shared, results).await);
    verified
        .findings
        .extend(find_duplicates(shared, results).await);
    verified
}

/// Whether it is a green of an earlier run that the plan switches.
fn is_switched(shared: &ApplyContext<'_>, change: &Change) -> bool {
    let changes = shared.input.plan.changes();
    let mut greens = changes.flat_map(|(_, other)| other.existing_greens());
    greens.any(|green| change.machine.id.as_ref() == Some(green))
}

/// Greens that the switch has added to the load balancing and that are cordoned again.
async fn greens_not_added(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<String> {
    let mut found = Vec::new();
    for (step, change) in shared.input.plan.changes() {
        let is_done = results
            .get(step.0 as usize)
            .is_some_and(|result| result.outcome == Outcome::Done);
        let added = change.greens().iter();
        let added = added.filter(|green| !green.stays_cordoned);
        let added: Vec<StandbyTarget> = added.map(|green| green.machine.clone()).collect();
        let Ok(ids) = watched_machines(shared, &added) else {
            continue;
        };
        for id in ids.iter().filter(|_| is_done) {
            let live = StepContext::new(shared, step).get(id).await;
            match live {
                Ok(Some(live)) if live.cordoned && !live.state.is_gone() => found.push(format!(
                    "{id} is new and cordoned: it gets no traffic until `aeroform machine uncordon {id}`"
                )),
                Ok(None) => found.push(format!("{id} is new and no longer exists")),
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }
    found
}

/// A move to another host forks a Machine's volumes: it has new ones with the same names, and the old ones have
/// no Machine. Any other difference in volumes is another client's change.
async fn accept_forked_volumes(
    shared: &ApplyContext<'_>,
    found: Vec<(StepId, MachineVerdict)>,
) -> Vec<(StepId, MachineVerdict)> {
    let mut listed = None;
    let mut judged = Vec::with_capacity(found.len());
    for (step, found) in found {
        let MachineVerdict::OtherVolumes(live, pairs) = found else {
            judged.push((step, found));
            continue;
        };
        if listed.is_none() {
            let listing = StepContext::new(shared, step).list().await;
            listed = Some(listing.map_or_else(|_| Vec::new(), |listing| listing.volumes));
        }
        let all = listed.as_deref().unwrap_or_default();
        let of = |id: &VolumeId| all.iter().find(|volume| volume.id == *id);
        let texts: Option<Vec<String>> = pairs
            .iter()
            .map(|(old, new)| {
                let left = of(old).filter(|volume| volume.attached_to.is_none())?;
                let same = of(new).is_some_and(|new| new.name == left.name);
                same.then(|| forked_text(&live.id, left, new))
            })
            .collect();
        let verdict = texts.map(|texts| MachineVerdict::Remark(texts.join("; ")));
        judged.push((step, verdict.unwrap_or(MachineVerdict::ChangedSince(live))));
    }
    judged
}

async fn verify_machine(
    shared: &ApplyContext<'_>,
    step: StepId,
    change: &Change,
    result: &StepResult,
) -> MachineVerdict {
    let seen = result.machine.as_ref();
    let id = match &change.action {
        // Its config is that of the files of an earlier run; the switch has its own verification.
        Action::Wait | Action::Start if is_switched(shared, change) => None,
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Move { .. }
        | Action::Wait
        | Action::Start => seen.map(|machine| &machine.id),
        Action::Destroy { .. } => change.machine.id.as_ref(),
        // A Machine that the step waited for.
        Action::Adopt => seen.filter(|_| must_run(change)).map(|machine| &machine.id),
        Action::Forget | Action::Once { .. } | Action::Switch { .. } | Action::Canary { .. } => {
            None
        }
    };
    let Some(id) = id else {
        return MachineVerdict::AsExpected;
    };
    let context = StepContext::new(shared, step);
    let mut looks = 1;
    loop {
        let found = match context.get(id).await {
            Ok(live) => judge(shared, (step, change), id, live.as_ref(), seen),
            Err(StepError::Halted { .. }) => MachineVerdict::NotRead,
            Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
                return MachineVerdict::Mismatch(format!("{id} could not be verified: {message}"));
            }
        };
        let may_lag = matches!(found, MachineVerdict::Mismatch(_) | MachineVerdict::Down(_));
        if !may_lag || looks == MAX_READS {
            return found;
        }
        looks += 1;
        if context.pause(READ_INTERVAL).await.is_err() {
            return MachineVerdict::NotRead;
        }
    }
}

/// Replaced Machines that still exist.
async fn replaced_but_present(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<String> {
    let changes = shared.input.plan.changes();
    let replaced = changes.filter_map(|(step, change)| {
        let result = results.get(step.0 as usize)?;
        let gone = result
            .replace_fallback
            .as_ref()
            .is_some_and(|fallback| fallback.old_gone);
        gone.then_some((step, change.machine.id.as_ref()?))
    });
    let mut found = Vec::new();
    for (step, id) in replaced {
        match StepContext::new(shared, step).get(id).await {
            Ok(Some(live)) if !live.state.is_gone() => {
                let state = live.state.as_str();
                found.push(format!("{id} was replaced and is {state}"));
            }
            Ok(_) | Err(StepError::Halted { .. }) => {}
            Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
                found.push(format!("{id} could not be verified: {message}"));
            }
        }
    }
    found
}

/// Standbys that should watch a replacement and still watch the replaced Machine.
async fn standbys_not_repointed(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<String> {
    let steps = shared.input.plan.changes().filter_map(|(step, _)| {
        let fallback = results.get(step.0 as usize)?.replace_fallback.as_ref()?;
        Some(
            fallback
                .repointed
                .iter()
                .map(move |standby| (&standby.id, step)),
        )
    });
    let standbys: BTreeMap<&MachineId, StepId> = steps.flatten().collect();
    let mut found = Vec::new();
    for (id, step) in standbys {
        if let Ok(Some(live)) = StepContext::new(shared, step).get(id).await
            && let Some(old) = live
                .standby_for
                .iter()
                .find(|id| shared.replace_fallbacks.borrow().contains_key(*id))
        {
            found.push(format!(
                "{id} was updated but still watches {old}, which was replaced"
            ));
        }
    }
    found
}

fn judge(
    shared: &ApplyContext<'_>,
    (step, change): (StepId, &Change),
    id: &MachineId,
    live: Option<&Machine>,
    seen: Option<&Machine>,
) -> MachineVerdict {
    let live = live.filter(|live| !live.state.is_gone());
    let mounted = shared.created_volumes.borrow();
    let (volumes, standby_for) = match &change.action {
        Action::Destroy { .. } => {
            return live.map_or(MachineVerdict::AsExpected, |live| {
                MachineVerdict::Mismatch(format!(
                    "{id} was destroyed and is {}",
                    live.state.as_str()
                ))
            });
        }
        Action::Create { standby_for, .. } => (
            mounted.get(&step).map_or(&[][..], Vec::as_slice),
            watched_machines(shared, standby_for),
        ),
        Action::Update { standby_for } | Action::Move { standby_for, .. } => (
            precondition_volumes(change),
            watched_machines(shared, standby_for),
        ),
        Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => {
            let standby_for = change
                .precondition
                .as_ref()
                .map(|pin| pin.standby_for.clone());
            (
                precondition_volumes(change),
                Ok(standby_for.unwrap_or_default()),
            )
        }
    };
    let Some(live) = live else {
        return MachineVerdict::Mismatch(format!("{id} was changed but no longer exists"));
    };
    if live.region.is_known() && live.region != change.region {
        return MachineVerdict::Mismatch(format!(
            "{id} is in {}, not {}",
            live.region, change.region
        ));
    }
    if change.action == Action::Adopt {
        let window = shared.input.plan.steady_window(&change.group);
        return check_still_up(window, seen, live);
    }
    let known = change
        .machine
        .id
        .as_ref()
        .or_else(|| change.config_source());
    let window = shared.input.plan.steady_window(&change.group);
    if let Ok(standby_for) = standby_for {
        let is_so = |volumes: &[VolumeId]| {
            let standby_for = standby_for.clone();
            DesiredMachine::new(shared, &change.group, known, volumes, standby_for)
                .is_ok_and(|expected| expected.matches(live))
        };
        if is_so(volumes) {
            return check_still_up(window, seen, live);
        }
        if !volumes.is_empty() && volumes.len() == live.volumes.len() && is_so(&live.volumes) {
            let pairs = volumes.iter().cloned().zip(live.volumes.iter().cloned());
            let pairs = pairs.filter(|(old, new)| old != new).collect();
            return match check_still_up(window, seen, live) {
                MachineVerdict::AsExpected => {
                    MachineVerdict::OtherVolumes(Box::new(live.clone()), pairs)
                }
                found => found,
            };
        }
    }
    let lineage = &shared.input.observed.description.scope;
    let back = change.precondition.as_ref();
    if back.is_some_and(|pin| {
        pin.config.is_some() && precondition::mismatch(pin, live, lineage).is_none()
    }) {
        return MachineVerdict::Mismatch(format!(
            "{id} was updated but has its previous config again"
        ));
    }
    let at_ours = shared.additions.is_at_sent_instance(live);
    let ours = at_ours.unwrap_or_else(|| seen.is_some_and(|seen| seen.instance == live.instance));
    if ours || live.instance.is_empty() {
        MachineVerdict::Mismatch(format!("{id} does not have the config that was sent to it"))
    } else {
        MachineVerdict::ChangedSince(Box::new(live.clone()))
    }
}

/// Whether the change should end with a running Machine that the step waited for.
fn must_run(change: &Change) -> bool {
    match change.gate {
        GateKind::Started | GateKind::Healthy => true,
        GateKind::None | GateKind::Settled | GateKind::Gone | GateKind::Ended => false,
    }
}

/// Whether a Machine with the desired config still runs as it did when its step completed.
fn check_still_up(window: Duration, seen: Option<&Machine>, live: &Machine) -> MachineVerdict {
    let id = &live.id;
    if live.state == MachineState::Failed {
        return MachineVerdict::Down(match live.last_exit() {
            Some(exit) => format!("{id} was changed and then failed: {exit}"),
            None => format!("{id} was changed and then failed"),
        });
    }
    let was = seen.map(|seen| seen.state);
    if was == Some(MachineState::Stopped) && live.state == MachineState::Started {
        return MachineVerdict::Remark(format!(
            "{id} was stopped when its change completed, and was started since"
        ));
    }
    if was != Some(MachineState::Started) {
        return MachineVerdict::AsExpected;
    }
    let known = seen.into_iter().flat_map(|seen| &seen.events);
    let known: BTreeSet<u64> = known.map(|event| event.id).collect();
    let new = |event: &&ProcessEvent| !known.contains(&event.id);
    let since: Vec<&ProcessEvent> = live.events.iter().filter(new).collect();
    // For a Machine with services or checks, no exit is a success.
    let config = live.config.as_deref();
    let serves = config.is_some_and(|config| config.has_services() || config.has_checks());
    let is_bad = |exit: &Exit| exit.is_crash() || serves && !exit.requested;
    let mut exits = since.iter().copied().filter_map(exit_of);
    let mut crashes = exits.clone().filter(is_bad).count();
    let exit = exits.next();
    let requested = since
        .iter()
        .any(|event| event.kind == ProcessEventKind::StopRequested);
    if since.len() == live.events.len()
        && let Some(last) = exit.filter(is_bad)
    {
        // The event list is too short; the platform's own count is not.
        let before = seen.into_iter().flat_map(|seen| &seen.events);
        let before = before.filter_map(exit_of).map(|exit| exit.restarts);
        let before = before.max().unwrap_or(0);
        crashes = crashes.max(last.restarts.saturating_sub(before) as usize);
    }
    match (live.state, exit) {
        (MachineState::Started, Some(exit)) if !window.is_zero() && crashes >= FAILING_EXITS => {
            MachineVerdict::Down(format!(
                "{id} ended {crashes} times after its change completed, last with {exit}"
            ))
        }
        (MachineState::Started, Some(exit)) if is_bad(&exit) => MachineVerdict::Remark(format!(
            "{id} exited after its change completed ({exit}) and was started again"
        )),
        (MachineState::Started, _) => MachineVerdict::AsExpected,
        (MachineState::Suspending | MachineState::Suspended, _) => MachineVerdict::Remark(format!(
            "{id} was suspended on request after its change completed"
        )),
        (_, Some(exit)) if !exit.requested && exit.is_success() && !serves => {
            MachineVerdict::Remark(format!(
                "{id} exited with code 0 after its change completed"
            ))
        }
        (state, Some(exit)) if !exit.requested => {
            MachineVerdict::Down(format!("{id} was up and is {}: {exit}", state.as_str()))
        }
        (_, Some(_)) => down_verdict(id),
        (_, None) if requested => down_verdict(id),
        (state, None) => MachineVerdict::Down(format!("{id} was up and is {}", state.as_str())),
    }
}

fn exit_of(event: &ProcessEvent) -> Option<Exit> {
    match event.kind {
        ProcessEventKind::Exited(exit) => Some(exit),
        ProcessEventKind::Changed
        | ProcessEventKind::Started
        | ProcessEventKind::StopRequested
        | ProcessEventKind::Other => None,
    }
}

fn down_verdict(id: &MachineId) -> MachineVerdict {
    MachineVerdict::Remark(format!(
        "{id} was stopped on request after its change completed"
    ))
}

fn precondition_volumes(change: &Change) -> &[crate::core::fleet::VolumeId] {
    change.precondition.as_ref().map_or(&[], |pin| &pin.volumes)
}

/// Other Machines with the name of a created one.
async fn find_duplicates(shared: &ApplyContext<'_>, results: &[StepResult]) -> Vec<String> {
    let launches: BTreeMap<&str, Option<&MachineId>> = shared
        .input
        .plan
        .changes()
        .filter_map(|(step, change)| {
            let result = results.get(step.0 as usize)?;
            let machine = result.machine.as_ref().map(|machine| &machine.id);
            let created = result
                .replace_fallback
                .as_ref()
                .is_some_and(|fallback| fallback.created);
            match &change.action {
                Action::Create { launch, .. } => Some((launch.as_str(), machine)),
                Action::Update { .. } | Action::Move { .. } if created => {
                    Some((change.successor()?.launch.as_str(), machine))
                }
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => None,
            }
        })
        .collect();
    let Some(first) = shared.input.plan.changes().next() else {
        return Vec::new();
    };
    if launches.is_empty() {
        return Vec::new();
    }
    let listing = match StepContext::new(shared, first.0).list().await {
        Ok(listing) => listing,
        Err(StepError::Halted { .. }) => return Vec::new(),
        Err(StepError::Failed { message, .. } | StepError::Unknown { message }) => {
            return vec![format!("duplicates could not be checked: {message}")];
        }
    };
    let mut found: Vec<String> = listing
        .machines
        .iter()
        .filter(|machine| !machine.state.is_gone())
        .filter_map(|machine| {
            let launch = machine.name.launch_suffix()?;
            let owner = (*launches.get(launch)?)?;
            (*owner != machine.id).then(|| {
                format!(
                    "{} ({}) is a duplicate of {owner}",
                    machine.id, machine.name
                )
            })
        })
        .collect();
    found.sort();
    found
}
