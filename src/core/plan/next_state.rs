//! The state after a plan was applied, completely or partly.
//!
//! Pure: results in, new content out. A step without a certain result changes only what is certain.

use std::collections::{BTreeMap, BTreeSet};

use super::branch::{ReplaceFallback, Successor};
use super::options::PlanMode;
use super::release_record::rolled_back;
use super::types::{Action, AdoptedRun, Change, Outcome, Plan, StepId, StepResult};
use super::{
    history, pending_creates, placement, release_record, releases, swap_record, unproven, way_back,
};
use crate::core::fleet::{
    ComputedFields, ConfigDigest, Desired, GroupName, Known, KnownMachine, LaunchId, Lineage,
    Machine, MachineId, ReleaseStatus, RunId, RunRecord, StoredConfig,
};
use crate::core::state::RUNS_KEPT;

/// Information about a run besides its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// The run.
    pub run: RunId,
    /// The lineage.
    pub lineage: Lineage,
    /// When it ended, RFC 3339.
    pub at: String,
    /// The user.
    pub by: String,
    /// The verb.
    pub command: String,
    /// `complete`, `failed` or `interrupted`.
    pub outcome: String,
    /// The commit that was applied.
    pub commit: Option<String>,
    /// The page of the pipeline's job.
    pub url: Option<String>,
    /// Digest of the state file that was read.
    pub parent: Option<String>,
    /// Digest of the saved plan, if one was applied.
    pub plan: Option<String>,
    /// The release that the run created: its number, and how it ended.
    pub release: Option<(u64, ReleaseStatus)>,
}

/// The state after the run. The serial rises by one if anything differs, or if the run left its stamps on a
/// Machine. Otherwise the state stays the same and the run is not listed.
pub fn next_state(
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
    facts: &RunInfo,
) -> Known {
    let mut next = known.clone();
    next.lineage = Some(facts.lineage.clone());
    // New configs never contain cleartext.
    next.configs_with_cleartext = 0;
    let replaced = pending_creates::replaced_by_create(plan, known, desired);
    for (id, change) in plan.changes() {
        if let Some(result) = results.get(id.0 as usize) {
            apply_result(&mut next, change, result, replaced.get(&id), &facts.lineage);
        }
    }
    for undone in results.iter().flat_map(|result| &result.undone) {
        way_back::apply_undone(&mut next, known, undone);
    }
    placement::remember(&mut next, known, plan, desired, results, &facts.lineage);
    keep_unproven(&mut next, known, plan, desired, results, &facts.lineage);
    record_platform_fields(&mut next, known, results);
    swap_record::record_roles(&mut next, plan, results);
    pending_creates::settle_successors(&mut next, plan, results);
    pending_creates::settle_pending(&mut next, known, plan, desired, results, &replaced);
    if rolled_back(results) {
        way_back::keep_protection(&mut next);
    } else {
        next.protected_groups = protected_groups(&next, plan, desired);
    }
    if let Some(release) = facts.release {
        release_record::add(&mut next, (plan, results), desired, release, facts);
    }
    // These runs are listed from now on, so that their stamps are known.
    let met = encountered_runs(known, plan, results, facts);
    next.runs.extend(
        plan.adopted_runs
            .iter()
            .chain(&met)
            .map(|adopted| RunRecord {
                run: adopted.run.clone(),
                serial: adopted.serial,
                at: facts.at.clone(),
                by: adopted.by.clone().unwrap_or_else(|| "unknown".to_owned()),
                command: "apply".to_owned(),
                outcome: RunRecord::TAKEN_OVER.to_owned(),
                commit: adopted.commit.clone(),
                url: None,
                desired: adopted.desired.clone(),
                plan: None,
            }),
    );
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
    next.computed_fields
        .retain(|digest, _| used.contains(digest));
    next.pending_creates.sort();
    next.pending_creates.dedup();
    if next == *known && !left_stamps(plan, results) && !rolled_back(results) {
        return next;
    }
    let release = next.releases.last().map(|release| release.release);
    next.release = if plan.mode == PlanMode::RefreshOnly {
        let machines = results.iter().filter_map(|result| result.machine.as_ref());
        releases::after_refresh(known, plan.newest_release, machines)
    } else {
        releases::after_run(known, plan, results, release)
    };
    let desired = match plan.mode {
        PlanMode::Normal => Some(plan.desired.clone()),
        PlanMode::Destroy => Some(RunRecord::NOTHING.to_owned()),
        PlanMode::RefreshOnly => None,
    };
    // A run that only confirms what an earlier one wanted does not take its place in the order of commits.
    let before = next.runs.iter().rev().find_map(|run| run.desired.as_ref());
    let confirms = before == desired.as_ref() && !changed_machines(plan, results);
    list_run(next, known, facts, desired.filter(|_| !confirms))
}

/// Whether the run changed a Machine.
fn changed_machines(plan: &Plan, results: &[StepResult]) -> bool {
    let destroyed = |(id, change): (StepId, &Change)| {
        let result = results.get(id.0 as usize);
        matches!(change.action, Action::Destroy { .. })
            && result.is_some_and(|result| result.outcome == Outcome::Done)
    };
    left_stamps(plan, results) || plan.changes().any(destroyed)
}

/// The next serial of a changed state, with the run that changed it and the digest of what it wanted.
pub(super) fn list_run(
    mut next: Known,
    known: &Known,
    facts: &RunInfo,
    desired: Option<String>,
) -> Known {
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
        url: facts.url.clone(),
        desired,
        plan: facts.plan.clone(),
    });
    keep_last(&mut next.runs, RUNS_KEPT);
    next
}

/// Runs that the plan could not see, but whose Machines its steps met: an outdated list hides them.
fn encountered_runs(
    known: &Known,
    plan: &Plan,
    results: &[StepResult],
    facts: &RunInfo,
) -> Vec<AdoptedRun> {
    let recorded = history::recorded_runs(known);
    let mut met: BTreeMap<&RunId, AdoptedRun> = BTreeMap::new();
    for machine in results.iter().filter_map(|result| result.machine.as_ref()) {
        let Some((other, serial)) = history::newer_run(machine, known, &facts.lineage, &recorded)
        else {
            continue;
        };
        let planned = plan
            .adopted_runs
            .iter()
            .any(|adopted| adopted.run == *other);
        if *other != facts.run && !planned {
            met.entry(other).or_insert_with(|| AdoptedRun {
                run: other.clone(),
                serial,
                by: machine.stamps.by.clone(),
                commit: machine.stamps.commit.clone(),
                desired: machine.stamps.desired.clone(),
                is_ancestor: false,
                machines: Vec::new(),
            });
        }
    }
    met.into_values().collect()
}

/// Whether the run may have left its stamps on a Machine. It is listed then, even if the state does not differ
/// otherwise (reverted drift, a restarted Machine).
pub(super) fn left_stamps(plan: &Plan, results: &[StepResult]) -> bool {
    plan.changes().any(|(id, change)| {
        let calls = match change.action {
            Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
            Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
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

fn apply_result(
    next: &mut Known,
    change: &Change,
    result: &StepResult,
    replaced: Option<&MachineId>,
    lineage: &Lineage,
) {
    match (&change.action, &result.outcome) {
        (Action::Create { launch, .. }, _) => {
            // Recorded whatever the gate's result, so that no new Machine is lost.
            if let (Some(machine), Some(sent)) = (&result.machine, &result.sent) {
                let launch = Some(launch.clone());
                record_machine(
                    next,
                    machine,
                    &change.group,
                    sent,
                    launch,
                    replaced.cloned(),
                );
                record_proof(next, machine, result);
            }
        }
        (
            Action::Update { .. }
            | Action::Move { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt,
            _,
        ) => {
            if let (Some(fallback), Some(successor)) =
                (&result.replace_fallback, change.successor())
            {
                return apply_successor(next, change, successor, result, fallback);
            }
            // Without a sent config nothing was changed, or it is unknown what.
            if let (Some(machine), Some(sent)) = (&result.machine, &result.sent) {
                let launch = launch_of(next, machine, lineage);
                let known = next.machines.get(&machine.id);
                let replaced = known.and_then(|known| known.replaces.clone());
                record_machine(next, machine, &change.group, sent, launch, replaced);
                record_proof(next, machine, result);
            } else if let Some(id) = &change.machine.id
                && let Some(known) = next.machines.get_mut(id)
                && (result.went_down || matches!(result.outcome, Outcome::Unknown { .. }))
            {
                known.unproven = known.standby_for.is_empty();
            }
        }
        (Action::Destroy { .. } | Action::Forget, Outcome::Done) => {
            if let Some(id) = &change.machine.id {
                next.machines.remove(id);
            }
        }
        // The Machine of a command or a canary is gone at the end of the run, or is found by its name.
        (Action::Once { .. } | Action::Canary { .. } | Action::Switch { .. }, _)
        | (
            Action::Destroy { .. } | Action::Forget,
            Outcome::Failed { .. }
            | Outcome::Unknown { .. }
            | Outcome::Skipped { .. }
            | Outcome::NotStarted,
        ) => {}
    }
}

/// An update on a full host: the new Machine is recorded as soon as it exists, the old one until it is gone.
fn apply_successor(
    next: &mut Known,
    change: &Change,
    successor: &Successor,
    result: &StepResult,
    fallback: &ReplaceFallback,
) {
    if let (true, Some(machine), Some(sent)) = (fallback.created, &result.machine, &result.sent) {
        let launch = Some(successor.launch.clone());
        let old = change.machine.id.clone();
        record_machine(next, machine, &change.group, sent, launch, old);
        record_proof(next, machine, result);
    }
    for standby in &fallback.repointed {
        if let Some(known) = next.machines.get_mut(&standby.id) {
            known.standby_for.clone_from(&standby.standby_for);
            known.standby_for.sort();
        }
    }
    if let (true, Some(old)) = (fallback.old_gone, &change.machine.id) {
        next.machines.remove(old);
    }
}

/// Records what the platform added to the sent config (rule 10). Machines with that config that this run did
/// not write may have older values. The additions to a Machine's previous config still apply: the platform
/// may add them later this time.
fn record_platform_fields(next: &mut Known, known: &Known, results: &[StepResult]) {
    let mut seen: BTreeMap<ConfigDigest, (ComputedFields, BTreeSet<&MachineId>)> = BTreeMap::new();
    let mut before: BTreeMap<ConfigDigest, ComputedFields> = BTreeMap::new();
    for result in results {
        let (Some(machine), Some(sent), Some(found)) =
            (&result.machine, &result.sent, &result.computed)
        else {
            continue;
        };
        let digest = sent.digest();
        let (computed, machines) = seen.entry(digest.clone()).or_default();
        computed.merge(&found.fields);
        machines.insert(&machine.id);
        let had = known.machines.get(&machine.id);
        if let Some(had) = had.and_then(|had| known.computed_fields.get(&had.config)) {
            before.entry(digest).or_default().merge(had);
        }
    }
    for (digest, (computed, machines)) in seen {
        let others = next.machines.iter();
        let others = others.filter(|(id, other)| other.config == digest && !machines.contains(id));
        let mut all = next.computed_fields.remove(&digest).unwrap_or_default();
        if others.count() > 0 {
            all.merge(&computed);
        } else {
            all.update(&computed);
        }
        if let Some(before) = before.get(&digest) {
            all.add_missing(before);
        }
        if !all.is_empty() {
            next.computed_fields.insert(digest, all);
        }
    }
}

/// The launch id of a Machine that is already known, or whose name and stamp match.
fn launch_of(next: &Known, machine: &Machine, lineage: &Lineage) -> Option<LaunchId> {
    if let Some(known) = next.machines.get(&machine.id) {
        return known.launch.clone();
    }
    let launch = LaunchId::new(machine.stamps.launch.clone()?).ok()?;
    let ours = machine.stamps.lineage.as_ref() == Some(lineage);
    (ours && machine.name.matches_launch(&launch)).then_some(launch)
}

pub(super) fn record_machine(
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
    next.ignored_machines.remove(&machine.id);
    let mut standby_for: Vec<MachineId> = machine.standby_for.clone();
    standby_for.sort();
    let before = next.machines.get(&machine.id);
    let requested_region = before.and_then(|known| known.requested_region.clone());
    next.machines.insert(
        machine.id.clone(),
        KnownMachine {
            name: machine.name.clone(),
            group: group.clone(),
            region: machine.region.clone(),
            requested_region,
            config,
            launch,
            volumes: machine.volumes.clone(),
            standby_for,
            replaces,
            swap: None,
            unproven: false,
        },
    );
}

/// Keeps a change unconfirmed that this run could not observe: a refresh and an immediate group wait for
/// nothing, and an unreachable host shows nothing.
fn keep_unproven(
    next: &mut Known,
    known: &Known,
    plan: &Plan,
    desired: &Desired,
    results: &[StepResult],
    lineage: &Lineage,
) {
    let recorded = history::recorded_runs(known);
    for (id, change) in plan.changes() {
        let Some(machine) = results.get(id.0 as usize).and_then(|r| r.machine.as_ref()) else {
            continue;
        };
        let group = desired.groups.get(&change.group);
        let shown = group
            .is_none_or(|group| unproven::is_observable(group, machine.update_blocker().is_none()));
        if plan.mode != PlanMode::RefreshOnly && (change.action != Action::Adopt || shown) {
            continue;
        }
        let before = known.machines.get(&machine.id);
        let was = before.is_some_and(|before| before.unproven);
        let since =
            known.serial > 0 && history::newer_run(machine, known, lineage, &recorded).is_some();
        let trouble = before.is_none()
            && machine.stamps.lineage.as_ref() == Some(lineage)
            && group.is_some_and(|group| unproven::is_failing(group, machine));
        if let Some(now) = next.machines.get_mut(&machine.id) {
            now.unproven = (was || since || trouble) && now.standby_for.is_empty();
        }
    }
}

/// Records whether the change was confirmed. A Machine that only waits for another never confirms it.
fn record_proof(next: &mut Known, machine: &Machine, result: &StepResult) {
    let works = result.outcome == Outcome::Done && !result.went_down;
    if let Some(known) = next.machines.get_mut(&machine.id) {
        known.unproven = !works && known.standby_for.is_empty();
    }
}

/// Protection follows the manifest for desired groups, stays for groups that could not be removed, and ends
/// with the last Machine of others.
fn protected_groups(next: &Known, plan: &Plan, desired: &Desired) -> BTreeSet<GroupName> {
    let moved: BTreeMap<_, _> = desired.moved.iter().map(|m| (&m.from, &m.to)).collect();
    let exists: BTreeSet<&GroupName> = next
        .machines
        .values()
        .map(|machine| &machine.group)
        .collect();
    let protected = desired.groups.iter().filter(|(name, group)| {
        let was = next.protected_groups.contains(*name);
        if plan.mode == PlanMode::Destroy {
            was
        } else {
            group.protect
        }
    });
    // The protection of a group that the plan leaves out stays as it was.
    let is_left = |name: &GroupName| !plan.requested.covers_group(name);
    let left = next.protected_groups.iter().filter(|name| is_left(name));
    let protected = protected
        .map(|(name, _)| name)
        .filter(|name| !is_left(name));
    let others = next
        .protected_groups
        .iter()
        .map(|name| moved.get(name).copied().unwrap_or(name))
        .filter(|name| !desired.groups.contains_key(*name));
    protected
        .chain(others)
        .chain(left)
        .filter(|name| exists.contains(*name))
        .cloned()
        .collect()
}
