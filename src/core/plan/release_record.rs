//! The line of a run's release in the state.
//!
//! Written only for a run that left something: stamps on a Machine, a removed group, or a release command that ended.

use std::collections::{BTreeMap, BTreeSet};

use super::next_state::{RunInfo, left_stamps};
use super::types::{Action, Change, Outcome, Plan, Removal, StepResult};
use crate::core::fleet::{
    ConfigDigest, Desired, GroupName, Known, MachineId, OnceKind, Region, ReleaseRecord,
    ReleaseStatus, ReleasedGroup, StoredConfig, overlay,
};
use crate::core::state::RELEASES_KEPT;

/// Adds the release of a run, if it left something.
pub(super) fn add(
    next: &mut Known,
    (plan, results): (&Plan, &[StepResult]),
    desired: &Desired,
    release: (u64, ReleaseStatus),
    facts: &RunInfo,
) {
    let left_something = left_stamps(plan, results)
        || has_removed_group_machine(plan, results)
        || rolled_back(results)
        || release_command_done(plan, results).is_some();
    if left_something {
        let record = record_release(next, (plan, results), desired, release, facts);
        next.releases.push(record);
        keep_releases(&mut next.releases, desired);
    }
}

/// Whether the run changed Machines and undid that.
pub(super) fn rolled_back(results: &[StepResult]) -> bool {
    results.iter().any(|result| !result.undone.is_empty())
}

/// Whether a removed group has lost a Machine.
fn has_removed_group_machine(plan: &Plan, results: &[StepResult]) -> bool {
    plan.changes().any(|(id, change)| {
        let result = results.get(id.0 as usize);
        let removed = matches!(
            change.action,
            Action::Destroy {
                removal: Removal::GroupRemoved,
                ..
            }
        );
        removed && result.is_some_and(|result| result.outcome == Outcome::Done)
    })
}

/// The config of the release command that this run saw end with code 0.
fn release_command_done<'p>(plan: &'p Plan, results: &[StepResult]) -> Option<&'p ConfigDigest> {
    plan.changes().find_map(|(id, change)| {
        let Action::Once { what, config, .. } = &change.action else {
            return None;
        };
        let done = results.get(id.0 as usize)?.outcome == Outcome::Done;
        (done && *what == OnceKind::ReleaseCommand).then_some(config)
    })
}

/// The release of a run: for each desired group its desired config, also where its Machines do not have it yet, and
/// the regions of its primaries after the run. A group that a filter left out has its config of before in it, also one
/// that would be gone without the filter; one that is not there yet is not in it.
fn record_release(
    next: &mut Known,
    (plan, results): (&Plan, &[StepResult]),
    desired: &Desired,
    (number, status): (u64, ReleaseStatus),
    facts: &RunInfo,
) -> ReleaseRecord {
    let mut groups = BTreeMap::new();
    for (name, group) in &desired.groups {
        let template = StoredConfig::from_config(&group.template, &facts.lineage);
        let released = if is_left_out(plan, name) {
            let last = next.releases.last();
            let last = last.and_then(|release| Some(&release.groups.get(name)?.config));
            match most_have(next, name).or(last) {
                Some(before) => next.configs.get(before).cloned().unwrap_or(template),
                None => continue,
            }
        } else {
            // What no manifest sets is inherited: the config of most Machines has it.
            match most_have(next, name).and_then(|config| next.configs.get(config)) {
                Some(before) => {
                    StoredConfig::from_tree(overlay::stored_config_for(&template, before, before))
                }
                None => template,
            }
        };
        let config = released.digest();
        next.configs.entry(config.clone()).or_insert(released);
        let placement = placement(next, name);
        groups.insert(name.clone(), ReleasedGroup { config, placement });
    }
    for name in stay_by_filter(next, plan, desired) {
        if let Some(config) = most_have(next, name).cloned() {
            let placement = placement(next, name);
            groups.insert(name.clone(), ReleasedGroup { config, placement });
        }
    }
    ReleaseRecord {
        release: number,
        at: facts.at.clone(),
        by: facts.by.clone(),
        run: Some(facts.run.clone()),
        outcome: Some(outcome(plan, status).to_owned()),
        image: plan
            .release
            .as_ref()
            .and_then(|planned| planned.image.clone()),
        release_command: release_command_done(plan, results)
            .or(plan.release_command_done.as_ref())
            .cloned(),
        groups,
    }
}

/// How the release ended. Where a filter leaves out what the release changes, it is not complete.
fn outcome(plan: &Plan, status: ReleaseStatus) -> &'static str {
    match status {
        ReleaseStatus::Complete if plan.left_out.iter().any(|left| left.of_release) => {
            ReleaseRecord::PARTIAL
        }
        ReleaseStatus::Complete
        | ReleaseStatus::Running
        | ReleaseStatus::Failed
        | ReleaseStatus::Interrupted => status.as_str(),
    }
}

/// Whether the plan leaves out something of this group and sends it no config.
fn is_left_out(plan: &Plan, name: &GroupName) -> bool {
    let sends = |change: &Change| change.group == *name && change.action.sends_config();
    plan.left_out.iter().any(|left| left.group == *name)
        && !plan.changes().any(|(_, change)| sends(change))
}

/// The groups without a place in the manifests whose Machines are there because a filter left their end out.
fn stay_by_filter<'n>(next: &'n Known, plan: &Plan, desired: &Desired) -> BTreeSet<&'n GroupName> {
    let left = |id: &MachineId| plan.left_out.iter().any(|left| left.machines.contains(id));
    let stay = next.machines.iter().filter(|(id, _)| left(id));
    stay.map(|(_, machine)| &machine.group)
        .filter(|name| !desired.groups.contains_key(*name))
        .collect()
}

/// The config of most Machines of a group.
fn most_have<'n>(next: &'n Known, name: &GroupName) -> Option<&'n ConfigDigest> {
    let mut configs: BTreeMap<&ConfigDigest, usize> = BTreeMap::new();
    for machine in next.machines.values().filter(|m| m.group == *name) {
        *configs.entry(&machine.config).or_default() += 1;
    }
    let most = configs.into_iter().max_by_key(|(_, n)| *n);
    most.map(|(config, _)| config)
}

/// The regions of a group's primaries.
fn placement(next: &Known, name: &GroupName) -> BTreeMap<Region, u32> {
    let mut placement = BTreeMap::new();
    for machine in next.machines.values().filter(|m| m.group == *name) {
        if machine.standby_for.is_empty() {
            *placement.entry(machine.region.clone()).or_default() += 1;
        }
    }
    placement
}

/// Keeps the newest releases, and the one of `[hold]` however many follow it.
fn keep_releases(releases: &mut Vec<ReleaseRecord>, desired: &Desired) {
    let held = desired.hold.as_ref().map(|hold| hold.release);
    let surplus = releases.len().saturating_sub(RELEASES_KEPT);
    let mut at = 0;
    releases.retain(|record| {
        at += 1;
        at > surplus || Some(record.release) == held
    });
}
