//! The shape of a plan, of the events while it is carried out, and of what came of each step.
//!
//! Data only. `reason`, `message` and `hint` are for people; no code branches on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::branch::{Branch, ReplaceFallback};
use super::options::PlanMode;
use super::provenance::Provenance;
use super::requested::Requested;
use crate::core::fleet::computed::MachineComputedFields;
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{
    AppName, AppNameSource, ConfigDigest, FieldChange, GroupName, LaunchId, Lineage, Machine,
    MachineConfig, MachineId, MachineName, MachineState, OnFailure, Region, ReleaseStrategy, RunId,
    StoredConfig, VolumeId,
};

/// Version of the plan's JSON and saved form.
pub const FORMAT_VERSION: u32 = 2;

/// Everything that an apply would do, and everything that was seen on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The app.
    pub app: AppName,
    /// The provider by name.
    pub provider: String,
    /// There is no aeroform.toml that could name it.
    #[serde(default)]
    pub provider_unwritten: bool,
    /// Where the app's name came from; none where fly.toml says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<AppNameSource>,
    /// The scope; none when planned offline from no state.
    pub lineage: Option<Lineage>,
    /// Serial of the state that it was made from.
    pub serial: u64,
    /// Digest of what is wanted.
    pub desired: String,
    /// Whether the provider was read; without it the plan comes from the state alone.
    pub online: bool,
    /// How many Machines were read or known.
    pub machines: usize,
    /// What it leads to.
    #[serde(default)]
    #[serde(rename = "aim")]
    pub mode: PlanMode,
    /// What a verb asked for beyond what the manifests say.
    #[serde(default, skip_serializing_if = "Requested::is_empty")]
    #[serde(rename = "asked")]
    pub requested: Requested,
    /// What a failure stops.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Every group, wanted or existing, in order of name.
    pub groups: Vec<GroupChange>,
    /// In an order in which they may run; `needs` only points backwards.
    pub steps: Vec<Step>,
    /// The pools that steps name, by index.
    pub pools: Vec<Pool>,
    /// Standbys that no step changes and that a branch may have to re-point.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watchers: BTreeMap<MachineId, Precondition>,
    /// What differs between the state and the world.
    pub drift: Vec<Drift>,
    /// Why not: what was held back, and what it waits for.
    pub notes: Vec<Note>,
    /// What a person should look at; nothing is held back for it.
    pub warnings: Vec<Note>,
    /// Guards that refuse; the plan is shown but not applied.
    pub refusals: Vec<Note>,
    /// The state changes without a step (a protect flag, a moved group's record), one line each.
    pub records: Vec<Note>,
    /// Runs whose changes are there and which the state does not list yet; it will.
    #[serde(default)]
    #[serde(rename = "takes_over")]
    pub adopted_runs: Vec<AdoptedRun>,
    /// Who made the Machines that the state does not list, where that was a run of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "makers")]
    pub provenance: BTreeMap<MachineId, Provenance>,
    /// The release that it registers; none where the platform keeps none, or nothing of what Machines run
    /// changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<PlannedRelease>,
    /// The highest number of a release that the platform, a Machine or the state tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_release: Option<u64>,
    /// The lowest number of a release that somebody else made since the state's, of a Machine that this plan leaves
    /// as that release made it: the state does not know of it afterwards either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_release: Option<u64>,
    /// What it changes in the bill; none where the provider costs nothing or a price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Box<Cost>>,
    /// How long it takes at least, milliseconds, however fast the platform is; none where no Machine has to
    /// stay up for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_ms: Option<u64>,
    /// Ids of every Machine in each touched group and region, for the check of a fresh snapshot.
    #[serde(rename = "fences")]
    pub expected_machines: BTreeMap<GroupName, BTreeMap<Region, Vec<MachineId>>>,
}

/// An estimate of what a plan changes in the bill of a month of 30 days: Machines without standbys, as if
/// they never stopped, and the volumes that are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// US cents more, or less.
    pub cents_per_month: i64,
    /// Some of the Machines behind it stop by themselves or are stopped, and cost less than that.
    pub if_always_running: bool,
    /// When the prices were published (`2025-08-19`).
    #[serde(rename = "prices_of")]
    pub prices_date: String,
}

/// A release that a plan registers (rule 30).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRelease {
    /// Its number if nobody is faster, and where it cannot be registered.
    pub number: u64,
    /// The image that it brings, where all groups have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How its Machines are updated.
    pub strategy: ReleaseStrategy,
}

/// A run that changed Machines and never wrote the state (rule 12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedRun {
    /// The run.
    pub run: RunId,
    /// The serial that it was to write.
    pub serial: u64,
    /// Who ran it, as its stamps say; foreign text.
    pub by: Option<String>,
    /// Commit that it applied, as its stamps say; foreign text.
    pub commit: Option<String>,
}

/// Index of a step in [`Plan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// Index of a pool in [`Plan::pools`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PoolId(pub u32);

/// A set of steps of which only so many run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// For people (`web: update, rolling`).
    pub name: String,
    /// How many at once; the executor's own `--parallelism` holds on top.
    pub size: usize,
    /// The first step of the pool runs alone, gate included, before the others.
    pub first_alone: bool,
    /// What a failure in it does to its steps that have not begun: they are not started, or go on.
    pub stops_on_failure: bool,
    /// Whether a failure in it stops the release, where failures do ([`Plan::on_failure`]).
    #[serde(default)]
    pub stops_release: bool,
}

/// One node of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its index.
    pub id: StepId,
    /// Steps that must be done before it; it starts only when all ended in [`Outcome::Done`].
    pub needs: Vec<StepId>,
    /// Its pool; a barrier has none.
    pub pool: Option<PoolId>,
    /// What it is.
    pub work: Work,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Nothing by itself: phases meet here, so that edges grow with the number of steps and not its
    /// square.
    Barrier {
        /// For people (`web: all created`).
        name: String,
    },
    /// One change of one Machine.
    Change(Box<Change>),
}

/// One change of one Machine: a fixed sequence of calls, and no choice but its branches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// The Machine's group after the change.
    pub group: GroupName,
    /// Where it is.
    pub region: Region,
    /// Which Machine.
    pub machine: MachineRef,
    /// Why, for people.
    pub reason: String,
    /// The fields that change; empty for creates and destroys.
    pub changes: Vec<FieldChange>,
    /// What must still be true of the Machine when it is touched; none for creates.
    #[serde(rename = "pin")]
    pub precondition: Option<Precondition>,
    /// How the change is known to have worked.
    pub gate: GateKind,
    /// What else may happen instead, shown before it does.
    pub branches: Vec<Branch>,
    /// What the Machine was doing when the plan was made.
    pub state: Option<MachineState>,
    /// The release of somebody else, newer than the state's, that it takes the Machine back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<u64>,
}

/// Which Machine a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRef {
    /// Its id; none for one that is to be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MachineId>,
    /// Its name.
    pub name: MachineName,
}

/// What is done to a Machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Create {
        /// The intent; the name ends in it.
        launch: LaunchId,
        /// Its own port, with a provider that gives each Machine one.
        port: Option<u16>,
        /// It is a standby of these.
        standby_for: Vec<StandbyTarget>,
        /// It takes the place of this one, which a later step destroys.
        replaces: Option<MachineId>,
        /// Unattached volumes that it takes, in the order of its mounts.
        volumes: Vec<VolumeId>,
        /// Volumes that are made for it, for the mounts behind those.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        new_volumes: Vec<PlannedVolume>,
        /// What it has like the Machines that run, where no manifest says it.
        #[serde(default, skip_serializing_if = "Inherited::is_empty")]
        inherits: Box<Inherited>,
    },
    /// It gets a new config.
    Update {
        /// Machines that it stands by for afterwards.
        standby_for: Vec<StandbyTarget>,
    },
    /// It goes to another group, with that group's config.
    Move {
        /// The group it comes from.
        from: GroupName,
        /// Machines that it stands by for afterwards.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        standby_for: Vec<StandbyTarget>,
    },
    /// It goes for good.
    Destroy {
        /// Why it goes.
        removal: Removal,
        /// Volumes that are left unattached.
        #[serde(rename = "leaves")]
        left_volumes: Vec<VolumeId>,
    },
    /// It is taken into the state; no call is made.
    Adopt,
    /// Nobody has seen its last change work yet: it is taken into the state and must pass its gate, and no
    /// call changes it.
    Wait,
    /// The same of one that ended although nobody stopped it: it is started first, with the config that it
    /// has.
    Start,
    /// It leaves the state; no call is made.
    Forget,
}

/// A volume that is made for a new Machine, in its region, before the Machine itself (rule 32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedVolume {
    /// The `source` of the mount.
    pub name: String,
    /// GB.
    pub size_gb: u32,
    /// Whether what it holds is encrypted at rest.
    pub encrypted: bool,
    /// Whether it must lie apart from the app's other volumes of its name in that region.
    pub unique_zone: bool,
    /// How many days its snapshots are kept, where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are made by themselves, where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
}

/// What a new Machine takes over from those that run, where no manifest says it (rules 18, 19).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherited {
    /// The image that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The size of its group's Machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// The Machine that it is to be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "like")]
    pub clone_source: Option<MachineId>,
}

impl Inherited {
    /// Whether the manifests say everything, or nothing runs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The config that a new Machine's own is laid over: that of the Machine whose place it takes or that
    /// it is to be like, if there is one and that can be read, with the image by its digest and without its
    /// volumes; else what is inherited.
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

/// A Machine that a standby watches: one that exists, or one that this plan creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandbyTarget {
    /// It exists.
    Machine(MachineId),
    /// That step creates it.
    Step(StepId),
}

/// Why a Machine is destroyed. Guards and consent ask this, never the words of the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// Its group is not wanted any more.
    GroupRemoved,
    /// Its group has too many.
    CountLowered,
    /// Its group has too many in this region and gets another elsewhere.
    Rebalanced,
    /// Another Machine took its place.
    Replaced,
    /// A `[[removed]]` entry or a verb names it.
    Named,
    /// The whole app goes.
    AppDestroyed,
}

/// What must still be true of a Machine when it is touched (rule 24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// Which.
    pub id: MachineId,
    /// Where.
    pub region: Region,
    /// Digest of its normalised config; none when its host could not be asked.
    pub config: Option<ConfigDigest>,
    /// Its volumes.
    pub volumes: Vec<VolumeId>,
    /// The Machines that it stands by for.
    pub standby_for: Vec<MachineId>,
}

/// How a change is known to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    /// The call's answer is enough.
    None,
    /// It has settled (a stopped Machine that stays stopped).
    Settled,
    /// It is started.
    Started,
    /// It is started and every check that it reports passes, at least one being reported.
    Healthy,
    /// It is gone.
    Gone,
}

/// One group before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupChange {
    /// Its name.
    pub name: GroupName,
    /// Its command as written.
    pub command: Option<String>,
    /// Machines before, standbys included.
    pub before: u32,
    /// Machines after, standbys included.
    pub after: u32,
    /// What happens to it.
    pub verdict: GroupVerdict,
    /// Machines per region, before and after.
    pub regions: BTreeMap<Region, (u32, u32)>,
    /// Primaries per region, after: all of them but the standbys.
    #[serde(default)]
    pub primaries: BTreeMap<Region, u32>,
    /// Why the count is what it is, and how to change it, where nobody wrote one.
    #[serde(rename = "why")]
    pub count_reason: Option<String>,
    /// The groups that `[[moved]]` brings here, by name.
    pub moved_from: Vec<GroupName>,
    /// How many of the Machines before are theirs.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[serde(rename = "came")]
    pub moved_in: u32,
    /// How its Machines are updated, for people (`rolling: 1 first, then 2 at a time`), within what the executor does at
    /// once.
    pub strategy: String,
    /// How long a Machine must stay up before its change counts as done, milliseconds; none where that
    /// is not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
    /// How long its changes take at least, milliseconds: windows that follow each other. None where none is
    /// waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_ms: Option<u64>,
    /// Size of its Machines where written (`shared-cpu-2x 1 GB`).
    pub size: Option<String>,
    /// The service that is written as `[http_service]`, as field changes name it (`8080 tcp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_service: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What happens to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupVerdict {
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// Something of it changes.
    Changed,
    /// Nothing of it changes.
    Unchanged,
}

/// One difference between the state and the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// What kind.
    pub kind: DriftKind,
    /// Which Machine.
    pub machine: MachineRef,
    /// Its group.
    pub group: GroupName,
    /// Where.
    pub region: Region,
    /// Fields that differ from what we sent, sent → there.
    pub changes: Vec<FieldChange>,
}

/// Kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftKind {
    /// Fields that we own have other values; they will be put back.
    Changed,
    /// A known Machine is gone.
    Missing,
    /// A Machine was added outside.
    Added,
}

/// Something said about the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code (`protected_group`).
    pub code: String,
    /// The group that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// What, for people.
    pub message: String,
    /// What to do, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is so.
    Done,
    /// It is not so, for certain.
    Failed {
        /// Stable code of the failure (`gate_timeout`, `conflict`, …).
        code: String,
        /// What happened, for people.
        message: String,
        /// What to do, for people.
        hint: Option<String>,
    },
    /// It may or may not be so; the next run settles it.
    Unknown {
        /// What was not answered, for people.
        message: String,
    },
    /// Not begun, because this step did not end in Done.
    Skipped {
        /// That step.
        because: StepId,
    },
    /// Not begun, because the run was interrupted or its pool stopped.
    NotStarted,
}

/// A step's end, with what it left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// What came of it.
    pub outcome: Outcome,
    /// The Machine as last seen; of a create also when its gate failed, so that nothing made is lost. Of a
    /// branch the new one, once it is there.
    pub machine: Option<Machine>,
    /// The config that was sent in its remembered form, if any was.
    pub sent: Option<StoredConfig>,
    /// A create found its Machine there, and changed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub updated: bool,
    /// What came of the branch that was taken, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "instead")]
    pub replace_fallback: Option<Box<ReplaceFallback>>,
    /// What the platform added by itself to the config that was sent; none where nothing was sent, or its answer
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<Box<MachineComputedFields>>,
    /// What there is to say of a change that is done, for people (a Machine that ended by itself).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The step is done, and verification found that its Machine does not stay up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_down: bool,
}
