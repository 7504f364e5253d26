//! The types of a plan.
//!
//! Data only. `reason`, `message` and `hint` are for people; no code branches on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::branch::Branch;
use super::desired_digest::DesiredGroupDigest;
use super::filter::LeftOut;
use super::hold::PlannedHold;
use super::options::PlanMode;
use super::provenance::Provenance;
use super::requested::Requested;
use super::state_source::StateSource;
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{
    AppName, AppNameSource, ConfigDigest, FieldChange, GroupName, LaunchId, Lineage, Machine,
    MachineConfig, MachineId, MachineName, MachineState, OnFailure, OnceKind, Region,
    ReleaseStrategy, RunId, VolumeId,
};

pub use super::group_change::{GroupChange, GroupVerdict};
pub use super::outcome::{Outcome, StepResult};
pub use super::swap_types::{Green, PlannedSwap, SwitchedGreen};
pub use super::waves::{Frees, LowestServing, Pool, PoolId, Wake, Wave, WaveName};

/// Version of the plan's JSON and saved form.
pub const FORMAT_VERSION: u32 = 3;

/// Everything that an apply would do, and the facts that it is based on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The app.
    pub app: AppName,
    /// The provider's name.
    pub provider: String,
    /// Whether no aeroform.toml sets the provider.
    #[serde(default)]
    pub provider_unwritten: bool,
    /// Where the app's name came from; none if from fly.toml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<AppNameSource>,
    /// The lineage; none if planned offline without a state.
    pub lineage: Option<Lineage>,
    /// Serial of the state that the plan is based on.
    pub serial: u64,
    /// The run that wrote that state.
    #[serde(default)]
    pub state: StateSource,
    /// Digest of the desired fleet.
    pub desired: String,
    /// The desired groups of the manifests, with values as digests, for a comparison with other plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "wants")]
    pub desired_digests: BTreeMap<GroupName, DesiredGroupDigest>,
    /// Whether the provider was read; otherwise the plan is based on the state alone.
    pub online: bool,
    /// The number of Machines read, or known.
    pub machines: usize,
    /// The goal.
    #[serde(default)]
    #[serde(rename = "aim")]
    pub mode: PlanMode,
    /// The release that the app follows (`[hold]`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<PlannedHold>,
    /// Requests of a verb beyond the manifests.
    #[serde(default, skip_serializing_if = "Requested::is_empty")]
    #[serde(rename = "asked")]
    pub requested: Requested,
    /// What a failure stops.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Every group, desired or existing, in order of name.
    pub groups: Vec<GroupChange>,
    /// The lists of `groups_order` with the groups that change; empty if there are fewer than two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_order: Vec<Vec<GroupName>>,
    /// What the filters of this plan leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The swap of its groups with the strategy bluegreen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<PlannedSwap>,
    /// In a possible order of execution; `needs` only points backwards.
    pub steps: Vec<Step>,
    /// The pools of the steps, by index.
    pub pools: Vec<Pool>,
    /// Standbys that no step changes and that a branch may have to re-point.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watchers: BTreeMap<MachineId, Precondition>,
    /// Differences between the state and the platform.
    pub drift: Vec<Drift>,
    /// Changes that were not planned, with the reason.
    pub notes: Vec<Note>,
    /// Warnings; they hold nothing back.
    pub warnings: Vec<Note>,
    /// Refusals; the plan is shown but not applied.
    pub refusals: Vec<Note>,
    /// State changes without a step (a protect flag, the record of a moved group), one line each.
    pub records: Vec<Note>,
    /// Runs that the state does not list yet and whose changes exist; the apply lists them.
    #[serde(default)]
    #[serde(rename = "takes_over")]
    pub adopted_runs: Vec<AdoptedRun>,
    /// Runs that the state does not list and whose changes are not adopted: the plan is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted_runs: Vec<UnlistedRun>,
    /// The run of ours that created each Machine that the state does not list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "makers")]
    pub provenance: BTreeMap<MachineId, Provenance>,
    /// The release that the plan registers; none if the platform has no releases, or if the config of no
    /// Machine changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<PlannedRelease>,
    /// The config of the release command, if it does not run because it ended with code 0 before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command_done: Option<ConfigDigest>,
    /// The highest release number known to the platform, a Machine or the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_release: Option<u64>,
    /// The lowest release by somebody else, newer than the state's, on a Machine that this plan leaves unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_release: Option<u64>,
    /// The change of the bill; none if the provider is free or a price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Box<Cost>>,
    /// The minimum duration in milliseconds, however fast the platform is; none if no Machine has to stay up
    /// for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_ms: Option<u64>,
    /// Ids of all Machines in each touched group and region, to check a fresh snapshot.
    #[serde(rename = "fences")]
    pub expected_machines: BTreeMap<GroupName, BTreeMap<Region, Vec<MachineId>>>,
}

/// An estimate of the change of the bill for a month of 30 days: Machines without standbys, as if they never
/// stopped, and new volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// US cents more, or less.
    pub cents_per_month: i64,
    /// Some of the Machines stop automatically or are stopped, and cost less.
    pub if_always_running: bool,
    /// When the prices were published (`2025-08-19`).
    #[serde(rename = "prices_of")]
    pub prices_date: String,
}

/// A release that a plan registers (rule 30).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRelease {
    /// Its number, unless somebody else registers one first.
    pub number: u64,
    /// Its image, if all groups have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The number is the state's own: the platform has no releases, and none is registered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// How its Machines are updated.
    pub strategy: ReleaseStrategy,
}

/// A run that changed Machines and never wrote the state (rule 12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedRun {
    /// The run.
    pub run: RunId,
    /// The serial that it would have written.
    pub serial: u64,
    /// The user in its stamps; foreign text.
    pub by: Option<String>,
    /// The commit in its stamps; foreign text.
    pub commit: Option<String>,
    /// The digest of its desired state, from its stamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// Its commit is the planned one or an ancestor of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_ancestor: bool,
    /// The Machines that it changed last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<MachineId>,
}

/// A run that the state does not list and whose changes are not adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedRun {
    /// The run.
    pub run: RunId,
    /// The serial that it would have written.
    #[serde(default)]
    pub serial: u64,
    /// The user in its stamps; foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The commit in its stamps; foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The Machines that it changed last.
    pub machines: Vec<MachineId>,
}

/// Index of a step in [`Plan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// One node of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its index.
    pub id: StepId,
    /// Steps that must be done before it; it starts only when all ended in [`Outcome::Done`].
    pub needs: Vec<StepId>,
    /// Its pool; a barrier has none.
    pub pool: Option<PoolId>,
    /// The first half of the change that this step completes: the two halves of a replacement keep one place
    /// in the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completes: Option<StepId>,
    /// Its work.
    pub work: Work,
}

/// The work of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// No work: phases meet here, so that the number of edges grows linearly with the steps.
    Barrier {
        /// For people (`web: all created`).
        name: String,
    },
    /// One change of one Machine.
    Change(Box<Change>),
}

/// One change of one Machine: a fixed sequence of calls, without choices except its branches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The action.
    pub action: Action,
    /// The Machine's group after the change.
    pub group: GroupName,
    /// Its region.
    pub region: Region,
    /// The Machine.
    pub machine: MachineRef,
    /// The reason, for people.
    pub reason: String,
    /// The fields that change; empty for creates and destroys.
    pub changes: Vec<FieldChange>,
    /// What must be true of the Machine when it is changed; none for creates.
    #[serde(rename = "pin")]
    pub precondition: Option<Precondition>,
    /// How the change is confirmed.
    pub gate: GateKind,
    /// It rests, and its change starts it, so that its gate can prove the version (`--wake`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Wake>,
    /// Alternative outcomes, shown before the apply.
    pub branches: Vec<Branch>,
    /// The Machine's state when the plan was made.
    pub state: Option<MachineState>,
    /// The release by somebody else, newer than the state's, that the change reverts on this Machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<u64>,
    /// Whether the Machine is a standby before the change; for views.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}

/// The Machine of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRef {
    /// Its id; none for a new Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MachineId>,
    /// Its name.
    pub name: MachineName,
}

/// What is done to a Machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Create it.
    Create {
        /// The launch id; the name ends in it.
        launch: LaunchId,
        /// Its own port, if the provider assigns one to each Machine.
        port: Option<u16>,
        /// The Machines that it is a standby for.
        standby_for: Vec<StandbyTarget>,
        /// The Machine that it replaces, which a later step destroys.
        replaces: Option<MachineId>,
        /// Unattached volumes that it takes, in the order of its mounts.
        volumes: Vec<VolumeId>,
        /// Volumes created for it, for the mounts after those.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        new_volumes: Vec<PlannedVolume>,
        /// What it inherits from running Machines where no manifest sets a value.
        #[serde(default, skip_serializing_if = "Inherited::is_empty")]
        inherits: Box<Inherited>,
        /// It is a green of a swap.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        green: Option<Box<Green>>,
    },
    /// Send it a new config.
    Update {
        /// Machines that it is a standby for afterwards.
        standby_for: Vec<StandbyTarget>,
    },
    /// Move it to another group, with that group's config.
    Move {
        /// The old group.
        from: GroupName,
        /// Machines that it is a standby for afterwards.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        standby_for: Vec<StandbyTarget>,
    },
    /// Destroy it.
    Destroy {
        /// Why.
        removal: Removal,
        /// Volumes that are left unattached.
        #[serde(rename = "leaves")]
        left_volumes: Vec<VolumeId>,
    },
    /// Adopt it into the state; no call is made.
    Adopt,
    /// Wait for it: its last change was never seen healthy, so it must pass its gate. No call changes it.
    Wait,
    /// Start it and wait for it: it exited without being stopped. Its config stays the same.
    Start,
    /// Remove it from the state; no call is made.
    Forget,
    /// Add the greens of a group to the proxy's load balancing and watch them; after it the blues go. From its first
    /// call no green is destroyed by this run.
    Switch {
        /// The swap's tag.
        tag: String,
        /// The greens.
        greens: Vec<SwitchedGreen>,
        /// The blues that still exist.
        blues: Vec<MachineId>,
    },
    /// Create a Machine beside those of its group, wait for its gate, keep it under traffic for a while, and destroy
    /// it again, whether it passed or not.
    Canary {
        /// The launch id; the name ends in it.
        launch: LaunchId,
        /// Its own port, if the provider assigns one to each Machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// How long it stays after its gate, in milliseconds.
        #[serde(default)]
        soak_ms: u64,
        /// What it inherits from running Machines where no manifest sets a value.
        #[serde(default, skip_serializing_if = "Inherited::is_empty")]
        inherits: Box<Inherited>,
    },
    /// Run a command once, to its end, on a Machine of its own. With a Machine id, an earlier run created it.
    Once {
        /// Which command.
        what: OnceKind,
        /// The launch id; the name ends in it.
        launch: LaunchId,
        /// The digest of its config without the size.
        config: ConfigDigest,
        /// Its image; none if the provider runs no images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// Its size; none if the provider has no sizes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guest: Option<Box<Guest>>,
        /// Its timeout, seconds; none means no timeout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_s: Option<u64>,
    },
}

/// A volume created for a new Machine, in its region, before the Machine itself (rule 32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedVolume {
    /// The `source` of the mount.
    pub name: String,
    /// GB.
    pub size_gb: u32,
    /// Whether it is encrypted at rest.
    pub encrypted: bool,
    /// Whether it must be in another zone than the app's other volumes of its name in that region.
    pub unique_zone: bool,
    /// How many days its snapshots are kept, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are scheduled, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
}

/// What a new Machine inherits from running ones where no manifest sets a value (rules 18, 19).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherited {
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// The Machine to clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "like")]
    pub clone_source: Option<MachineId>,
}

impl Inherited {
    /// Whether nothing is inherited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The config that a new Machine's own is laid over: that of the Machine which it replaces or clones, if
    /// readable, with the image by its digest and without its volumes; else the inherited values.
    pub fn base(&self, of: Option<&Machine>) -> MachineConfig {
        let Some(old) = of.and_then(|machine| machine.resolved_config(None)) else {
            return MachineConfig {
                image: self.image.clone(),
                guest: self.guest.clone(),
                ..MachineConfig::default()
            };
        };
        let mut base = old.into_owned();
        for mount in base.mounts.iter_mut().flatten() {
            mount.volume = None;
        }
        base
    }
}

/// A Machine that a standby watches: an existing one, or one that this plan creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandbyTarget {
    /// An existing Machine.
    Machine(MachineId),
    /// The Machine that this step creates.
    Step(StepId),
}

/// Why a Machine is destroyed. Guards and approval read this, never the text of the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// Its group was removed.
    GroupRemoved,
    /// Its group has too many.
    CountLowered,
    /// Its group has too many in this region and gets another elsewhere.
    Rebalanced,
    /// Another Machine replaces it.
    Replaced,
    /// A swap has replaced it.
    Swapped,
    /// It is a green of a swap that does not go on.
    SwapUndone,
    /// A `[[removed]]` entry or a verb names it.
    Named,
    /// The app is destroyed.
    AppDestroyed,
    /// It is the canary of an earlier run.
    Canary,
}

impl Removal {
    /// Whether another Machine takes its place.
    pub fn is_replacement(self) -> bool {
        matches!(self, Self::Replaced | Self::Swapped)
    }

    /// Whether its group loses a Machine: one that no other replaces, and that counted for it.
    pub fn is_loss(self) -> bool {
        match self {
            Self::GroupRemoved
            | Self::CountLowered
            | Self::Rebalanced
            | Self::Named
            | Self::AppDestroyed => true,
            Self::Replaced | Self::Swapped | Self::SwapUndone | Self::Canary => false,
        }
    }
}

/// What must be true of a Machine when it is changed (rule 24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// The Machine.
    pub id: MachineId,
    /// Its region.
    pub region: Region,
    /// Digest of its normalised config; none if its host was unreachable.
    pub config: Option<ConfigDigest>,
    /// Its volumes.
    pub volumes: Vec<VolumeId>,
    /// The Machines that it is a standby for.
    pub standby_for: Vec<MachineId>,
}

/// How a change is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    /// The call's answer is enough.
    None,
    /// It is at rest (a stopped Machine that stays stopped).
    Settled,
    /// It is started.
    Started,
    /// It is started, reports at least one check, and all its checks pass.
    Healthy,
    /// It no longer exists.
    Gone,
    /// Its process ended with code 0.
    Ended,
}

/// One difference between the state and the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Its kind.
    pub kind: DriftKind,
    /// The Machine.
    pub machine: MachineRef,
    /// Its group.
    pub group: GroupName,
    /// Its region.
    pub region: Region,
    /// Whether it is a standby.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// Fields that differ from the sent config, sent → observed.
    pub changes: Vec<FieldChange>,
    /// The run that made the difference, if the state does not list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// Kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftKind {
    /// Managed fields have other values; they will be reverted.
    Changed,
    /// A known Machine no longer exists.
    Missing,
    /// A Machine was added outside Aeroform.
    Added,
}

/// A message about the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code (`protected_group`).
    pub code: String,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// What, for people.
    pub message: String,
    /// What to do, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
