//! The running versions after an incomplete run: how many Machines of each group have which
//! version, and whether they work.
//!
//! Pure: the plan, the snapshot before it, and its results.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::types::{Action, Change, Outcome, Plan, StepId, StepResult};
use super::way_back::Undone;
use crate::core::fleet::{
    CheckState, GroupName, Machine, MachineId, MachineState, Observed, ReleaseStamp,
};

/// One group after the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupVersions {
    /// The group.
    pub group: GroupName,
    /// Its Machines, new version first.
    pub versions: Vec<VersionCount>,
    /// Whether the plan had changes for it and none was started.
    pub not_started: bool,
}

/// Machines of one version with the same health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionCount {
    /// How many.
    pub machines: usize,
    /// Their version.
    #[serde(flatten)]
    pub version: MachineVersion,
    /// Their health.
    #[serde(rename = "doing")]
    pub health: MachineHealth,
}

/// The version of a Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MachineVersion {
    /// Whether this run deployed it.
    pub new: bool,
    /// Its release, if there are releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
}

/// The health of a Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineHealth {
    /// It works, as far as is known.
    #[serde(rename = "serves")]
    Serving,
    /// It has not passed its gate, its checks fail, or it has failed.
    Failing,
    /// It is unknown whether it was changed.
    Unknown,
    /// It is stopped.
    Stopped,
}

/// The state of an app after an incomplete run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartialRollout {
    /// Every group with planned changes.
    pub groups: Vec<GroupVersions>,
    /// The image that reverts the run: the one that its Machines ran before, if it is the same for all and only
    /// the image changes.
    pub image_before: Option<String>,
}

impl PartialRollout {
    /// Evaluates the results of a run.
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

    /// Whether a Machine has the version of this run, or of an earlier one that never became healthy.
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
    for finished in &ended {
        let adopts = matches!(finished.change.action, Action::Adopt | Action::Forget);
        if let (Some(id), false) = (&finished.change.machine.id, adopts) {
            by_machine.insert(id, finished);
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
        for finished in ended
            .iter()
            .filter(|finished| finished.change.group == group.name)
        {
            if let Some((version, does)) = finished.created_machine(new) {
                add(version, does);
            }
            for (version, does) in finished.restored_machines() {
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
        // No flag reverts other changes.
        if other || !new_image {
            return None;
        }
        let id = change.machine.id.as_ref().or_else(|| change.replaces());
        let seen = id.and_then(|id| observed.machines.get(id));
        images.insert(seen.and_then(Machine::image));
    }
    let [image] = <[Option<String>; 1]>::try_from(images.into_iter().collect::<Vec<_>>()).ok()?;
    image
}

/// A change with its result.
struct FinishedChange<'a> {
    change: &'a Change,
    result: &'a StepResult,
}

impl<'a> FinishedChange<'a> {
    fn of(id: StepId, change: &'a Change, results: &'a [StepResult]) -> Option<Self> {
        let result = results.get(id.0 as usize)?;
        Some(Self { change, result })
    }

    /// The old Machine; none once it is gone.
    fn old_machine(
        &self,
        before: Option<(MachineVersion, MachineHealth)>,
        new: Option<u64>,
    ) -> Option<(MachineVersion, MachineHealth)> {
        let (was, did) = before?;
        let fallback = self.result.replace_fallback.as_ref();
        if self.fails_as_before() {
            return Some((was, MachineHealth::Failing));
        }
        match (&self.change.action, &self.result.outcome) {
            (Action::Destroy { .. }, Outcome::Done) => None,
            (Action::Update { .. } | Action::Move { .. }, _)
                if fallback.is_some_and(|fallback| fallback.old_gone) =>
            {
                None
            }
            (Action::Update { .. } | Action::Move { .. }, outcome)
                if fallback.is_none() && self.result.sent.is_some() =>
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

    /// The Machine that replaced one whose host had no room.
    fn successor(&self, new: Option<u64>) -> Option<(MachineVersion, MachineHealth)> {
        let created = self
            .result
            .replace_fallback
            .as_ref()
            .is_some_and(|i| i.created);
        let machine = self.result.machine.as_ref().filter(|_| created)?;
        let version = MachineVersion {
            new: true,
            ..version_of(machine, new)
        };
        Some((
            version,
            self.health_after(&self.result.outcome, health_of(machine)),
        ))
    }

    /// The Machine that a create made.
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

    /// Machines that a rollback created in the place of replaced ones.
    fn restored_machines(&self) -> impl Iterator<Item = (MachineVersion, MachineHealth)> {
        self.result.undone.iter().filter_map(|undone| match undone {
            Undone::Restored { machine, works, .. } => {
                let does = if *works {
                    health_of(machine)
                } else {
                    MachineHealth::Failing
                };
                Some((version_of(machine, None), does))
            }
            Undone::PutBack { .. }
            | Undone::Removed { .. }
            | Undone::LeftAlone { .. }
            | Undone::Remains { .. } => None,
        })
    }

    /// Whether a rollback put its Machine back and it does not work.
    fn fails_as_before(&self) -> bool {
        let mut undone = self.result.undone.iter();
        undone.any(|undone| matches!(undone, Undone::PutBack { works: false, .. }))
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

/// Its version; `new` is the release of this run, if it changed the Machine.
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
    let of_it = ended.iter().filter(|finished| {
        let changes = match &finished.change.action {
            Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
            Action::Destroy { removal, .. } => removal.is_loss(),
            Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
        };
        changes && finished.change.group == *group
    });
    let outcomes: Vec<&Outcome> = of_it.map(|finished| &finished.result.outcome).collect();
    !outcomes.is_empty()
        && outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Skipped { .. } | Outcome::NotStarted))
}
