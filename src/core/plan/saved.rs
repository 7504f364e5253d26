//! The saved form of a plan: its choices and preconditions, without field values
//! (docs/design/2026-11-22-plan-decides.md).
//!
//! `plan --out` writes it, the journal keeps it as the intent, and a plan on a fresh snapshot is compared with
//! it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::branch::Branch;
use super::desired_digest::DesiredGroupDigest;
use super::options::PlanMode;
use super::requested::Requested;
use super::types::{
    Action, Change, FORMAT_VERSION, MachineRef, Plan, Pool, PoolId, Precondition, StandbyTarget,
    StepId, Work,
};
use crate::core::fleet::{
    AppName, GroupName, Known, Lineage, MachineId, OnFailure, Region, RunRecord,
};
use crate::core::state::{self, RUNS_KEPT};

/// Choices and preconditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// Version of this form.
    pub format_version: u32,
    /// The app.
    pub app: AppName,
    /// The provider's name.
    pub provider: String,
    /// The lineage.
    pub lineage: Option<Lineage>,
    /// Serial of the state that it was made from.
    pub serial: u64,
    /// Digest of the desired fleet.
    pub desired: String,
    /// Whether the provider was read; a plan from the state alone cannot be applied as it is.
    pub online: bool,
    /// Whether it destroys the app.
    pub destroys_app: bool,
    /// What a failure stops.
    pub on_failure: OnFailure,
    /// The desired groups of the manifests, with values as digests.
    #[serde(rename = "wants")]
    pub desired_digests: BTreeMap<GroupName, DesiredGroupDigest>,
    /// Requests of a verb.
    #[serde(default, skip_serializing_if = "Requested::is_empty")]
    #[serde(rename = "asked")]
    pub requested: Requested,
    /// The choices.
    pub steps: Vec<SavedStep>,
    /// The pools.
    pub pools: Vec<Pool>,
    /// Ids per touched group and region.
    #[serde(rename = "fences")]
    pub expected_machines: BTreeMap<GroupName, BTreeMap<Region, Vec<MachineId>>>,
    /// State changes without a step, by code and group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<(String, Option<GroupName>)>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStep {
    /// Its index in the plan.
    pub id: StepId,
    /// The steps that it waits for.
    pub needs: Vec<StepId>,
    /// Its pool.
    pub pool: Option<PoolId>,
    /// The change; none for a barrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<SavedChange>,
}

/// The choice of one change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedChange {
    /// The action.
    pub action: Action,
    /// The group.
    pub group: GroupName,
    /// The region.
    pub region: Region,
    /// The Machine.
    pub machine: MachineRef,
    /// What must be true of it.
    #[serde(rename = "pin")]
    pub precondition: Option<Precondition>,
    /// Paths of the fields that change, without their values.
    pub fields: Vec<String>,
    /// The fields among them that reduce CPU or memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shrinks: Vec<String>,
    /// The branches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<Branch>,
    /// The release by somebody else that it reverts on this Machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<u64>,
}

/// Why a saved plan cannot be applied again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlreadyApplied {
    /// This run applied it.
    ByRun(Box<RunRecord>),
    /// It is older than all runs in the state.
    Unknown,
}

/// Why a saved plan cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// A newer program wrote it.
    #[error("the plan has format {found}, but this program reads formats up to {FORMAT_VERSION}")]
    TooNew {
        /// Its format.
        found: u64,
    },
    /// An older program wrote it; its digests are computed in another way.
    #[error("the plan has format {found}, but this program applies format {FORMAT_VERSION} only")]
    TooOld {
        /// Its format.
        found: u64,
    },
    /// It is not a saved plan.
    #[error("this is not a saved plan: {0}")]
    Damaged(String),
    /// Its content is not what the program wrote.
    #[error("the plan was edited or damaged: its checksum is that of another content")]
    Edited,
}

/// The key of the checksum, which covers everything else. It detects edits; it does not protect
/// against a recomputed checksum.
const CHECKSUM: &str = "checksum";

/// The text of a plan.
#[derive(Serialize)]
struct SealedPlan<'a> {
    #[serde(flatten)]
    plan: &'a SavedPlan,
    checksum: String,
}

impl SavedPlan {
    /// The saved form of a plan.
    pub fn of(plan: &Plan) -> Self {
        let steps = plan.steps.iter().map(|step| SavedStep {
            id: step.id,
            needs: step.needs.clone(),
            pool: step.pool,
            change: match &step.work {
                Work::Change(change) => Some(SavedChange::of(change)),
                Work::Barrier { .. } => None,
            },
        });
        Self {
            format_version: plan.format_version,
            app: plan.app.clone(),
            provider: plan.provider.clone(),
            lineage: plan.lineage.clone(),
            serial: plan.serial,
            desired: plan.desired.clone(),
            online: plan.online,
            destroys_app: plan.mode == PlanMode::Destroy,
            on_failure: plan.on_failure,
            desired_digests: plan.desired_digests.clone(),
            requested: plan.requested.clone(),
            steps: steps.collect(),
            pools: plan.pools.clone(),
            expected_machines: plan.expected_machines.clone(),
            records: plan
                .records
                .iter()
                .map(|note| (note.code.clone(), note.group.clone()))
                .collect(),
        }
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// If it is not a saved plan, or one of another version.
    pub fn parse(text: &str) -> Result<Self, SavedPlanError> {
        let mut value: Value = serde_json::from_str(text)
            .map_err(|error| SavedPlanError::Damaged(error.to_string()))?;
        let found = value.get("format_version").and_then(Value::as_u64);
        match found {
            Some(found) if found > u64::from(FORMAT_VERSION) => {
                return Err(SavedPlanError::TooNew { found });
            }
            Some(found) if found < u64::from(FORMAT_VERSION) => {
                return Err(SavedPlanError::TooOld { found });
            }
            Some(_) | None => {}
        }
        let fields = value.as_object_mut();
        let written = fields.and_then(|fields| fields.remove(CHECKSUM));
        let sum = checksum(&value);
        let plan: Self = serde_json::from_value(value)
            .map_err(|error| SavedPlanError::Damaged(error.to_string()))?;
        if written != Some(Value::String(sum)) {
            return Err(SavedPlanError::Edited);
        }
        Ok(plan)
    }

    /// The text of the saved form.
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(self).expect("plain data always serialises");
        let sealed = SealedPlan {
            plan: self,
            checksum: checksum(&value),
        };
        let mut text = serde_json::to_string_pretty(&sealed).expect("plain data always serialises");
        text.push('\n');
        text
    }

    /// The digest that names this plan in the record of its run.
    pub fn digest(&self) -> String {
        state::digest(&self.to_json())
    }

    /// The run that applied this plan. A plan is applied once, even if everything is again as it was when the
    /// plan was made.
    pub fn already_applied(&self, known: &Known) -> Option<AlreadyApplied> {
        let digest = self.digest();
        let by = |run: &&RunRecord| run.plan.as_ref() == Some(&digest);
        if let Some(run) = known.runs.iter().find(by) {
            return Some(AlreadyApplied::ByRun(Box::new(run.clone())));
        }
        let oldest = known.runs.iter().map(|run| run.serial).min()?;
        let forgets = known.runs.len() >= RUNS_KEPT && oldest > self.serial.saturating_add(1);
        forgets.then_some(AlreadyApplied::Unknown)
    }

    /// The differences of a fresh plan, for people; empty if it is the same. Only what this plan changes is
    /// compared.
    pub fn differences(&self, fresh: &Plan) -> Vec<String> {
        let fresh = Self::of(fresh);
        let mut found = Vec::new();
        let mut head = |what: &str, same: bool| {
            if !same {
                found.push(format!("{what} differs"));
            }
        };
        head("the app", self.app == fresh.app);
        head("the provider", self.provider == fresh.provider);
        head("the lineage", self.lineage == fresh.lineage);
        head("the desired state", self.desired == fresh.desired);
        head(
            "the mode (apply or destroy)",
            self.destroys_app == fresh.destroys_app,
        );
        head("the set of flags", self.requested == fresh.requested);
        head(
            "the set of state-only changes",
            self.records == fresh.records,
        );
        let same_flags = self.requested == fresh.requested;
        let planned = self.changes().filter(|_| same_flags);
        let changed: BTreeSet<&GroupName> = planned.map(|change| &change.group).collect();
        for group in changed {
            let (saved, now) = (&self.desired_digests, &fresh.desired_digests);
            if let (Some(saved), Some(now)) = (saved.get(group), now.get(group))
                && !saved.has_same_rollout(now)
            {
                found.push(format!("the rollout settings of group `{group}` differ"));
            }
        }
        for (group, regions) in &self.expected_machines {
            if fresh.expected_machines.get(group) != Some(regions) {
                found.push(format!("the Machines of group `{group}` differ"));
            }
        }
        let mut theirs: BTreeMap<String, Vec<&SavedChange>> = BTreeMap::new();
        for change in fresh.changes().rev() {
            theirs.entry(change.key()).or_default().push(change);
        }
        // Creates of one group and region differ in their volumes, so each is searched among all of them;
        // usually it is the next one.
        let mut others = Vec::new();
        for change in self.changes() {
            let choices = theirs.entry(change.key()).or_default();
            match choices
                .iter()
                .rposition(|other| change.is_same_choice(other))
            {
                Some(at) => drop(choices.remove(at)),
                None => others.push(change),
            }
        }
        for change in others {
            let what = match theirs.get_mut(&change.key()).and_then(Vec::pop) {
                None => "is no longer needed",
                Some(_) => "is now a different change",
            };
            found.push(format!("{} {what}", change.describe()));
        }
        for change in theirs.values().flatten() {
            found.push(format!("{} is new", change.describe()));
        }
        found
    }

    /// The choices of its steps.
    pub(super) fn changes(&self) -> impl DoubleEndedIterator<Item = &SavedChange> {
        self.steps.iter().filter_map(|step| step.change.as_ref())
    }
}

/// The digest of a plan's content; its keys are sorted.
fn checksum(content: &Value) -> String {
    state::digest(&content.to_string())
}

impl SavedChange {
    /// The choice of a change.
    pub(super) fn of(change: &Change) -> Self {
        let paths = |only_shrinking: bool| {
            let fields = change.changes.iter();
            let fields = fields.filter(|field| field.shrinks || !only_shrinking);
            fields.map(|field| field.path.join(".")).collect()
        };
        Self {
            action: change.action.clone(),
            group: change.group.clone(),
            region: change.region.clone(),
            machine: change.machine.clone(),
            precondition: change.precondition.clone(),
            fields: paths(false),
            shrinks: paths(true),
            branches: change.branches.clone(),
            reverts: change.reverts,
        }
    }

    /// Whether both change the same Machine in the same way.
    pub(super) fn is_same_step(&self, other: &Self) -> bool {
        self.key() == other.key() && self.is_same_choice(other)
    }

    /// Whether both are the same choice. Launch id and port are not compared: they depend on the serial and on
    /// ports that a change elsewhere may move.
    fn is_same_choice(&self, other: &Self) -> bool {
        let watched = |list: &[StandbyTarget]| {
            let known = list.iter().filter_map(|standby| match standby {
                StandbyTarget::Machine(id) => Some(id.clone()),
                StandbyTarget::Step(_) => None,
            });
            (list.len(), known.collect::<BTreeSet<_>>())
        };
        let same = match (&self.action, &other.action) {
            (
                Action::Create {
                    launch: _,
                    port: _,
                    standby_for,
                    replaces,
                    volumes,
                    new_volumes,
                    inherits,
                    green,
                },
                Action::Create {
                    launch: _,
                    port: _,
                    standby_for: standby_for_now,
                    replaces: replaces_now,
                    volumes: volumes_now,
                    new_volumes: new_volumes_now,
                    inherits: inherits_now,
                    green: green_now,
                },
            ) => {
                watched(standby_for) == watched(standby_for_now)
                    && (replaces, volumes, inherits) == (replaces_now, volumes_now, inherits_now)
                    && new_volumes == new_volumes_now
                    && green.is_some() == green_now.is_some()
            }
            (
                Action::Switch {
                    greens,
                    blues,
                    tag: _,
                },
                Action::Switch {
                    greens: greens_now,
                    blues: blues_now,
                    tag: _,
                },
            ) => (greens.len(), blues) == (greens_now.len(), blues_now),
            (Action::Update { standby_for }, Action::Update { standby_for: now }) => {
                watched(standby_for) == watched(now)
            }
            (
                Action::Move { from, standby_for },
                Action::Move {
                    from: from_now,
                    standby_for: now,
                },
            ) => from == from_now && watched(standby_for) == watched(now),
            // The launch id, the size and the region follow from the platform.
            (
                Action::Once {
                    what,
                    config,
                    timeout_s,
                    ..
                },
                Action::Once {
                    what: what_now,
                    config: config_now,
                    timeout_s: timeout_now,
                    ..
                },
            ) => (what, config, timeout_s) == (what_now, config_now, timeout_now),
            (
                Action::Canary {
                    launch: _,
                    port: _,
                    soak_ms,
                    inherits,
                },
                Action::Canary {
                    launch: _,
                    port: _,
                    soak_ms: soak_now,
                    inherits: inherits_now,
                },
            ) => (soak_ms, inherits) == (soak_now, inherits_now),
            (a, b) => a == b,
        };
        let branches = self.branches.iter().zip(&other.branches);
        same && self.precondition == other.precondition
            && self.fields == other.fields
            && self.reverts == other.reverts
            && self.branches.len() == other.branches.len()
            && branches.into_iter().all(|(a, b)| a.is_same_choice(b))
    }

    /// The identity of a choice: for a create the group and region, not the derived id, which changes with the serial.
    fn key(&self) -> String {
        let machine = self.machine.id.as_ref().map_or("new", MachineId::as_str);
        let detail = match &self.action {
            Action::Create {
                replaces,
                standby_for,
                ..
            } => {
                format!(
                    "create {} {}",
                    replaces.as_ref().map_or("", MachineId::as_str),
                    standby_for.len()
                )
            }
            Action::Update { .. } => "update".to_owned(),
            Action::Move { from, .. } => format!("move {from}"),
            Action::Destroy { removal, .. } => format!("destroy {removal:?}"),
            Action::Wait => "wait".to_owned(),
            Action::Start => "start".to_owned(),
            Action::Adopt => "adopt".to_owned(),
            Action::Forget => "forget".to_owned(),
            Action::Once { what, .. } => format!("run {}", what.as_str()),
            Action::Switch { .. } => "switch".to_owned(),
            Action::Canary { .. } => "canary".to_owned(),
        };
        format!("{} {} {machine} {detail}", self.group, self.region)
    }

    fn describe(&self) -> String {
        let verb = match &self.action {
            Action::Create { .. } => "creating a Machine",
            Action::Update { .. } => "updating",
            Action::Move { .. } => "moving",
            Action::Destroy { .. } => "destroying",
            Action::Wait => "waiting for",
            Action::Start => "starting",
            Action::Adopt => "adopting",
            Action::Forget => "forgetting",
            Action::Switch { .. } => {
                return format!("switching group `{}` to its new Machines", self.group);
            }
            Action::Canary { .. } => "trying a canary",
            Action::Once { what, .. } => {
                return format!("running the {} in {}", what.as_str(), self.region);
            }
        };
        let id = self
            .machine
            .id
            .as_ref()
            .map_or(String::new(), |id| format!(" {id}"));
        format!("{verb}{id} of group `{}` in {}", self.group, self.region)
    }
}
