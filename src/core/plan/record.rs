//! What the state says after a plan was carried out, in whole or in part.
//!
//! Pure: results in, new content out. A step that is not certainly done changes only what is certain.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Action, Change, Outcome, Plan, StepResult};
use crate::core::fleet::{
    ConfigDigest, Count, Desired, GroupName, Known, KnownMachine, LaunchId, Lineage, Machine,
    MachineId, Pending, RunId, RunRecord, StoredConfig,
};
use crate::core::state::{RELEASES_KEPT, RUNS_KEPT};

/// What is known about a run besides its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// The scope.
    pub lineage: Lineage,
    /// When it ended, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// Which verb.
    pub command: String,
    /// `complete`, `failed`, `interrupted`.
    pub outcome: String,
    /// Commit that was applied.
    pub commit: Option<String>,
    /// Digest of the file that was read.
    pub parent: Option<String>,
}

/// The state after the run. The serial rises by one if anything differs, or if the run left its stamps
/// on a Machine; else the state stays as it is, and the run is not listed.
pub fn record(
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
    facts: &RunFacts,
) -> Known {
    let mut next = known.clone();
    next.lineage = Some(facts.lineage.clone());
    for (id, change) in plan.changes() {
        if let Some(result) = results.get(id.0 as usize) {
            apply(&mut next, change, result, &facts.lineage);
        }
    }
    settle_successors(&mut next);
    settle_pending(&mut next, known, plan, desired, results);
    next.protect = protect(&next, plan, desired);
    // Listed from now on, so that the stamps which they left are nobody's unknown work.
    next.runs
        .extend(plan.takes_over.iter().map(|taken| RunRecord {
            run: taken.run.clone(),
            serial: taken.serial,
            at: facts.at.clone(),
            by: taken.by.clone().unwrap_or_else(|| "unknown".to_owned()),
            command: "apply".to_owned(),
            outcome: "taken over".to_owned(),
            commit: taken.commit.clone(),
        }));
    let used: BTreeSet<ConfigDigest> = next
        .machines
        .values()
        .map(|machine| machine.config.clone())
        .chain(
            next.releases
                .iter()
                .flat_map(|r| r.groups.values())
                .map(|g| g.config.clone()),
        )
        .collect();
    next.configs.retain(|digest, _| used.contains(digest));
    next.pending.sort();
    next.pending.dedup();
    if next == *known && !left_stamps(plan, results) {
        return next;
    }
    next.serial = known.serial.saturating_add(1);
    next.run = Some(facts.run.clone());
    next.parent.clone_from(&facts.parent);
    next.runs.push(RunRecord {
        run: facts.run.clone(),
        serial: next.serial,
        at: facts.at.clone(),
        by: facts.by.clone(),
        command: facts.command.clone(),
        outcome: facts.outcome.clone(),
        commit: facts.commit.clone(),
    });
    keep_last(&mut next.runs, RUNS_KEPT);
    keep_last(&mut next.releases, RELEASES_KEPT);
    next
}

/// Whether the run left its stamps on a Machine, or may have: then it is listed although the state
/// says nothing else differently (drift that was put back, a Machine that was started again).
fn left_stamps(plan: &Plan, results: &[StepResult]) -> bool {
    plan.changes().any(|(id, change)| {
        let calls = match change.action {
            Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
            Action::Destroy { .. } | Action::Adopt | Action::Forget => false,
        };
        let result = results.get(id.0 as usize);
        calls
            && result
                .is_some_and(|r| r.sent.is_some() || matches!(r.outcome, Outcome::Unknown { .. }))
    })
}

fn keep_last<T>(list: &mut Vec<T>, most: usize) {
    list.drain(..list.len().saturating_sub(most));
}

fn apply(next: &mut Known, change: &Change, result: &StepResult, lineage: &Lineage) {
    match (&change.action, &result.outcome) {
        (
            Action::Create {
                launch, replaces, ..
            },
            _,
        ) => {
            // Remembered whatever its gate said, so that nothing made is lost.
            if let (Some(machine), Some(sent)) = (&result.machine, &result.sent) {
                let launch = Some(launch.clone());
                remember(next, machine, &change.group, sent, launch, replaces.clone());
            }
        }
        (Action::Update { .. } | Action::Move { .. } | Action::Adopt, _) => {
            // Without a sent config nothing was changed, or it is not known what.
            if let (Some(machine), Some(sent)) = (&result.machine, &result.sent) {
                let launch = launch_of(next, machine, lineage);
                let replaces = next.machines.get(&machine.id);
                let replaces = replaces.and_then(|known| known.replaces.clone());
                remember(next, machine, &change.group, sent, launch, replaces);
            }
        }
        (Action::Destroy { .. } | Action::Forget, Outcome::Done) => {
            if let Some(id) = &change.machine.id {
                next.machines.remove(id);
            }
        }
        (
            Action::Destroy { .. } | Action::Forget,
            Outcome::Failed { .. }
            | Outcome::Unknown { .. }
            | Outcome::Skipped { .. }
            | Outcome::NotStarted,
        ) => {}
    }
}

/// A successor and the one that it replaces count as one only while both are there.
fn settle_successors(next: &mut Known) {
    let there: BTreeSet<MachineId> = next.machines.keys().cloned().collect();
    for machine in next.machines.values_mut() {
        machine.replaces = machine.replaces.take().filter(|old| there.contains(old));
    }
}

/// What is owed: creates that may have happened, and in a group without a written count those that did
/// not, since nothing else would ask for them again. One that this plan did not need is owed no more.
fn settle_pending(
    next: &mut Known,
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
) {
    let counted = |name: &GroupName| {
        let group = desired.groups.get(name);
        group.is_none_or(|group| matches!(group.count, Count::Written(_)))
    };
    let before: BTreeSet<&LaunchId> = known.pending.iter().map(|p| &p.launch).collect();
    let mut owed = Vec::new();
    let mut planned = BTreeSet::new();
    for (id, change) in plan.changes() {
        let Action::Create {
            launch,
            replaces,
            standby_for,
            ..
        } = &change.action
        else {
            continue;
        };
        planned.insert(launch);
        let Some(result) = results.get(id.0 as usize) else {
            continue;
        };
        let made = result.machine.is_some() && result.sent.is_some();
        let unknown = matches!(result.outcome, Outcome::Unknown { .. });
        let stays = replaces
            .as_ref()
            .is_some_and(|old| next.machines.contains_key(old));
        let missing = !counted(&change.group) && !stays;
        if !made && (unknown || missing || before.contains(launch)) {
            owed.push(Pending {
                launch: launch.clone(),
                group: change.group.clone(),
                region: change.region.clone(),
                standby: !standby_for.is_empty(),
            });
        }
    }
    let answered = |launch: &LaunchId| next.machines.values().any(|m| m.name.answers(launch));
    let kept = known.pending.iter().filter(|pending| {
        let wanted = !plan.destroys_app && !counted(&pending.group);
        wanted && !planned.contains(&pending.launch) && !answered(&pending.launch)
    });
    owed.extend(kept.cloned());
    next.pending = owed;
}

/// The launch id of a Machine that is remembered already, or whose name and stamp agree.
fn launch_of(next: &Known, machine: &Machine, lineage: &Lineage) -> Option<LaunchId> {
    if let Some(known) = next.machines.get(&machine.id) {
        return known.launch.clone();
    }
    let launch = LaunchId::new(machine.stamps.launch.clone()?).ok()?;
    let ours = machine.stamps.lineage.as_ref() == Some(lineage);
    (ours && machine.name.answers(&launch)).then_some(launch)
}

fn remember(
    next: &mut Known,
    machine: &Machine,
    group: &GroupName,
    sent: &StoredConfig,
    launch: Option<LaunchId>,
    replaces: Option<MachineId>,
) {
    let config = sent.digest();
    next.configs
        .entry(config.clone())
        .or_insert_with(|| sent.clone());
    next.ignored.remove(&machine.id);
    let mut standby_for: Vec<MachineId> = machine.standby_for.clone();
    standby_for.sort();
    next.machines.insert(
        machine.id.clone(),
        KnownMachine {
            name: machine.name.clone(),
            group: group.clone(),
            region: machine.region.clone(),
            config,
            launch,
            volumes: machine.volumes.clone(),
            standby_for,
            replaces,
        },
    );
}

/// The flag follows the manifest for groups that are wanted, stays for groups that could not be taken
/// away, and goes with the last Machine of the others.
fn protect(next: &Known, plan: &Plan, desired: &Desired) -> BTreeSet<GroupName> {
    let moved: BTreeMap<_, _> = desired.moved.iter().map(|m| (&m.from, &m.to)).collect();
    let exists: BTreeSet<&GroupName> = next
        .machines
        .values()
        .map(|machine| &machine.group)
        .collect();
    let wanted = desired.groups.iter().filter(|(name, group)| {
        let was = next.protect.contains(*name);
        if plan.destroys_app {
            was
        } else {
            group.protect
        }
    });
    let wanted = wanted.map(|(name, _)| name);
    let others = next
        .protect
        .iter()
        .map(|name| moved.get(name).copied().unwrap_or(name))
        .filter(|name| !desired.groups.contains_key(*name));
    wanted
        .chain(others)
        .filter(|name| exists.contains(*name))
        .cloned()
        .collect()
}
