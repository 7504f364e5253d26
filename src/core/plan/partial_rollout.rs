//! What serves what once a run has ended before its plan was done: how many Machines of each group are on which
//! version, and whether they do their work.
//!
//! Pure: the plan, what was seen before it and what came of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::types::{Action, Change, Outcome, Plan, Removal, StepId, StepResult};
use crate::core::fleet::{
    CheckState, GroupName, Machine, MachineId, MachineState, Observed, ReleaseStamp,
};

/// One group as it is after the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupVersions {
    /// The group.
    pub group: GroupName,
    /// Its Machines, the new version first.
    pub versions: Vec<VersionCount>,
    /// The plan was to change Machines of it, and none was begun.
    pub not_started: bool,
}

/// Machines of one version that do alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionCount {
    /// How many.
    pub machines: usize,
    /// What they are on.
    #[serde(flatten)]
    pub version: MachineVersion,
    /// What they do.
    #[serde(rename = "doing")]
    pub health: MachineHealth,
}

/// What a Machine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MachineVersion {
    /// Whether this run brought it.
    pub new: bool,
    /// The release that it is of, where there are releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
}

/// What a Machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineHealth {
    /// Its work, as far as is known.
    #[serde(rename = "serves")]
    Serving,
    /// It has not passed its gate, or its checks fail, or it has failed.
    Failing,
    /// Nobody knows whether it was changed.
    Unknown,
    /// It is at rest.
    Stopped,
}

/// What a run leaves that ended before its plan was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartialRollout {
    /// Every group that the plan was to change.
    pub groups: Vec<GroupVersions>,
    /// The image that takes the run back: what the Machines ran that it was to change, where that is one and
    /// nothing but the image changes.
    pub image_before: Option<String>,
}

impl PartialRollout {
    /// Reads what came of a run.
    pub fn of(
        plan: &Plan,
        observed: &Observed,
        results: &[StepResult],
        release: Option<&ReleaseStamp>,
    ) -> Self {
        Self {
            groups: group_versions(plan, observed, results, release),
            image_before: image_before(plan, observed),
        }
    }

    /// Whether a Machine is on what the run brought, or on what an earlier one brought and never came up.
    pub fn has_new(&self) -> bool {
        let mut versions = self.groups.iter().flat_map(|group| &group.versions);
        versions
            .any(|versioned| versioned.version.new || versioned.health == MachineHealth::Failing)
    }
}

fn group_versions(
    plan: &Plan,
    observed: &Observed,
    results: &[StepResult],
    release: Option<&ReleaseStamp>,
) -> Vec<GroupVersions> {
    let ended: Vec<FinishedChange<'_>> = plan
        .changes()
        .filter_map(|(id, change)| FinishedChange::of(id, change, results))
        .collect();
    let mut by_machine: BTreeMap<&MachineId, &FinishedChange<'_>> = BTreeMap::new();
    for one in &ended {
        let adopts = matches!(one.change.action, Action::Adopt | Action::Forget);
        if let (Some(id), false) = (&one.change.machine.id, adopts) {
            by_machine.insert(id, one);
        }
    }
    let new = release.map(|release| release.version);
    let groups = plan.groups.iter().filter_map(|group| {
        let fence = plan.expected_machines.get(&group.name)?;
        let mut machines: BTreeMap<(bool, Reverse<Option<u64>>, MachineHealth), usize> =
            BTreeMap::new();
        let mut add = |version: MachineVersion, does: MachineHealth| {
            *machines
                .entry((!version.new, Reverse(version.release), does))
                .or_default() += 1;
        };
        for id in fence.values().flatten() {
            let seen = observed.machines.get(id);
            let before = seen.map(|seen| (version_of(seen, None), health_of(seen)));
            match by_machine.get(id) {
                None => before.map(|(version, does)| add(version, does)),
                Some(ended) => ended
                    .old_machine(before, new)
                    .map(|(version, does)| add(version, does)),
            };
            if let Some(successor) = by_machine.get(id).and_then(|ended| ended.successor(new)) {
                add(successor.0, successor.1);
            }
        }
        for one in ended.iter().filter(|one| one.change.group == group.name) {
            if let Some((version, does)) = one.created_machine(new) {
                add(version, does);
            }
        }
        let versions = machines
            .into_iter()
            .map(|((old, Reverse(release), doing), machines)| VersionCount {
                machines,
                version: MachineVersion { new: !old, release },
                health: doing,
            });
        Some(GroupVersions {
            group: group.name.clone(),
            versions: versions.collect(),
            not_started: not_started(&ended, &group.name),
        })
    });
    groups.collect()
}

fn image_before(plan: &Plan, observed: &Observed) -> Option<String> {
    let mut images: BTreeSet<Option<String>> = BTreeSet::new();
    for (_, change) in plan.changes() {
        let new_image = change.changes.iter().any(|field| field.path == ["image"]);
        let other = change.changes.iter().any(|field| field.path != ["image"]);
        let destroys = matches!(change.action, Action::Destroy { .. });
        if destroys || change.changes.is_empty() {
            continue;
        }
        // What else changes no flag takes back.
        if other || !new_image {
            return None;
        }
        let id = change.machine.id.as_ref().or_else(|| change.replaces());
        let seen = id.and_then(|id| observed.machines.get(id));
        images.insert(seen.and_then(Machine::image));
    }
    let [one] = <[Option<String>; 1]>::try_from(images.into_iter().collect::<Vec<_>>()).ok()?;
    one
}

/// A change with what came of it.
struct FinishedChange<'a> {
    change: &'a Change,
    result: &'a StepResult,
}

impl<'a> FinishedChange<'a> {
    fn of(id: StepId, change: &'a Change, results: &'a [StepResult]) -> Option<Self> {
        let result = results.get(id.0 as usize)?;
        Some(Self { change, result })
    }

    /// What the Machine is that was there before; none once it is gone.
    fn old_machine(
        &self,
        before: Option<(MachineVersion, MachineHealth)>,
        new: Option<u64>,
    ) -> Option<(MachineVersion, MachineHealth)> {
        let (was, did) = before?;
        let instead = self.result.replace_fallback.as_ref();
        match (&self.change.action, &self.result.outcome) {
            (Action::Destroy { .. }, Outcome::Done) => None,
            (Action::Update { .. } | Action::Move { .. }, _)
                if instead.is_some_and(|instead| instead.old_gone) =>
            {
                None
            }
            (Action::Update { .. } | Action::Move { .. }, outcome)
                if instead.is_none() && self.result.sent.is_some() =>
            {
                let machine = self.result.machine.as_ref();
                let version = MachineVersion {
                    new: true,
                    release: machine.map_or(was.release, |m| version_of(m, new).release),
                };
                Some((version, self.health_after(outcome, did)))
            }
            (Action::Wait | Action::Start, outcome @ (Outcome::Done | Outcome::Failed { .. })) => {
                Some((was, self.health_after(outcome, did)))
            }
            (_, Outcome::Unknown { .. }) => Some((was, MachineHealth::Unknown)),
            (
                _,
                Outcome::Done
                | Outcome::Failed { .. }
                | Outcome::Skipped { .. }
                | Outcome::NotStarted,
            ) => Some((was, did)),
        }
    }

    /// The Machine that took the place of one whose host had no room.
    fn successor(&self, new: Option<u64>) -> Option<(MachineVersion, MachineHealth)> {
        let made = self
            .result
            .replace_fallback
            .as_ref()
            .is_some_and(|i| i.created);
        let machine = self.result.machine.as_ref().filter(|_| made)?;
        let version = MachineVersion {
            new: true,
            ..version_of(machine, new)
        };
        Some((
            version,
            self.health_after(&self.result.outcome, health_of(machine)),
        ))
    }

    /// The Machine that a create has made.
    fn created_machine(&self, new: Option<u64>) -> Option<(MachineVersion, MachineHealth)> {
        let Action::Create { .. } = &self.change.action else {
            return None;
        };
        let machine = self.result.machine.as_ref()?;
        self.result.sent.as_ref()?;
        let version = MachineVersion {
            new: true,
            ..version_of(machine, new)
        };
        Some((
            version,
            self.health_after(&self.result.outcome, health_of(machine)),
        ))
    }

    fn health_after(&self, outcome: &Outcome, did: MachineHealth) -> MachineHealth {
        match outcome {
            Outcome::Done => self.result.machine.as_ref().map_or(did, health_of),
            Outcome::Failed { .. } => MachineHealth::Failing,
            Outcome::Unknown { .. } => MachineHealth::Unknown,
            Outcome::Skipped { .. } | Outcome::NotStarted => did,
        }
    }
}

/// What it is on; `new` is the release of this run, where it was the one to change it.
fn version_of(machine: &Machine, new: Option<u64>) -> MachineVersion {
    let stamped = machine.stamps.release.as_ref();
    MachineVersion {
        new: new.is_some(),
        release: new.or(stamped.map(|release| release.version)),
    }
}

fn health_of(machine: &Machine) -> MachineHealth {
    let critical = |check: &crate::core::fleet::CheckStatus| check.status == CheckState::Critical;
    match machine.state {
        MachineState::Failed => MachineHealth::Failing,
        MachineState::Started if machine.checks.iter().any(critical) => MachineHealth::Failing,
        MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
            if machine.last_exit().is_some_and(|exit| exit.is_crash()) =>
        {
            MachineHealth::Failing
        }
        MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended => MachineHealth::Stopped,
        MachineState::Created
        | MachineState::Starting
        | MachineState::Started
        | MachineState::Replacing
        | MachineState::Unknown
        | MachineState::Destroying
        | MachineState::Destroyed => MachineHealth::Serving,
    }
}

fn not_started(ended: &[FinishedChange<'_>], group: &GroupName) -> bool {
    let of_it = ended.iter().filter(|one| {
        let changes = match &one.change.action {
            Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
            Action::Destroy { removal, .. } => *removal != Removal::Replaced,
            Action::Wait | Action::Start | Action::Adopt | Action::Forget => false,
        };
        changes && one.change.group == *group
    });
    let outcomes: Vec<&Outcome> = of_it.map(|one| &one.result.outcome).collect();
    !outcomes.is_empty()
        && outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Skipped { .. } | Outcome::NotStarted))
}
