//! The content of the state file, independent of its format.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    AppName, ComputedFields, ConfigDigest, GroupName, LaunchId, Lineage, MachineId, MachineName,
    Region, ReleaseStatus, RunId, StoredConfig, VolumeId,
};

/// The known state. It contains what was *sent* and never what the platform added.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The app's name.
    pub app: AppName,
    /// The provider's name.
    pub provider: String,
    /// The scope of the Machines; `None` before the first apply.
    pub lineage: Option<Lineage>,
    /// Increases by one with every change; 0 means never written.
    pub serial: u64,
    /// The run that wrote this state.
    pub run: Option<RunId>,
    /// The digest of the previous state file.
    pub parent: Option<String>,
    /// The newest release created or seen.
    pub release: Option<u64>,
    /// Protected groups; kept after the manifest that set it changes (rule 33).
    pub protected_groups: BTreeSet<GroupName>,
    /// Machines that `state rm` removed; ignored until they are imported.
    pub ignored_machines: BTreeSet<MachineId>,
    /// Creates with unknown outcome at the end of their run.
    pub pending_creates: Vec<PendingCreate>,
    /// The last 50 runs, oldest first.
    pub runs: Vec<RunRecord>,
    /// The last 10 releases, oldest first.
    pub releases: Vec<ReleaseRecord>,
    /// Configs by digest: exactly those that machines and releases refer to.
    pub configs: BTreeMap<ConfigDigest, StoredConfig>,
    /// Fields that the platform computed on Machines, by config (rule 10).
    pub computed_fields: BTreeMap<ConfigDigest, ComputedFields>,
    /// Machines by id.
    pub machines: BTreeMap<MachineId, KnownMachine>,
    /// The number of configs that contained cleartext secrets where this state was read. They are hidden here
    /// and stay hidden when it is written.
    pub configs_with_cleartext: usize,
}

/// One known Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownMachine {
    /// Its name.
    pub name: MachineName,
    /// Its group.
    pub group: GroupName,
    /// Its region.
    pub region: Region,
    /// The region that its create requested, if the platform chose another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_region: Option<Region>,
    /// The digest of the sent config.
    pub config: ConfigDigest,
    /// The launch id of its create; `None` for an adopted Machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// Its volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeId>,
    /// The Machines that it is a standby for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standby_for: Vec<MachineId>,
    /// The Machine that it replaces and that still exists; both count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MachineId>,
    /// Its part in a swap that has not ended. None in states before format 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<SwapRole>,
    /// The last change was not seen healthy; the next apply waits for it first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
}

/// The part of a Machine in a swap that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwapRole {
    /// It is new, and takes the place of a blue one.
    Green,
    /// It is destroyed once the green ones serve.
    Blue,
}

/// A pending create: its outcome is unknown, or its group has no written count that would request it again.
/// The next plan uses this launch id first (rule 4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingCreate {
    /// Its launch id.
    pub launch: LaunchId,
    /// Its group.
    pub group: GroupName,
    /// Its region.
    pub region: Region,
    /// It is a standby.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The Machine that it replaces and that still exists; both count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MachineId>,
}

/// One run in the state's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The run's id.
    pub run: RunId,
    /// The serial that it wrote.
    pub serial: u64,
    /// When it ended, RFC 3339.
    pub at: String,
    /// The user or pipeline that ran it.
    pub by: String,
    /// The command (`apply`, `destroy`).
    pub command: String,
    /// `complete`, `failed`, `overtaken`, `interrupted`.
    pub outcome: String,
    /// The applied commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The page of the pipeline's job that it ran in. None in states before format 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The digest of the desired state that it applied, as in the stamps of its Machines; [`Self::NOTHING`] for a
    /// destroy of the app. None for a run that applied no manifests or changed no Machine to what an earlier run
    /// wanted, and in states before format 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// The digest of the saved plan that it applied; that plan cannot be applied again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl RunRecord {
    /// The outcome of a run that did not write the state and whose changes another run adopted.
    pub const TAKEN_OVER: &str = "taken over";
    /// The desired state of a destroy of the app.
    pub const NOTHING: &str = "nothing";

    /// Whether another run adopted its changes, so that its own observations are unknown.
    pub fn is_taken_over(&self) -> bool {
        self.outcome == Self::TAKEN_OVER
    }
}

/// One release: the desired config and the placement of each group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// Release number.
    pub release: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The user or pipeline that created it.
    pub by: String,
    /// The run that created it. None in states before format 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// How it ended: `complete`, `partial`, `failed`, `interrupted`. None in states before format 4, where it counts as
    /// complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Its image, if all groups have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest of the config of its release command, once that ended with code 0: it does not run again for
    /// the same content until another release is complete (rule 28). None in states before format 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command: Option<ConfigDigest>,
    /// Config digest and Machines per region, by group.
    pub groups: BTreeMap<GroupName, ReleasedGroup>,
}

impl ReleaseRecord {
    /// The outcome of a release of which a filter left a part out.
    pub const PARTIAL: &'static str = "partial";

    /// The outcome of a release; a state before format 4 recorded none.
    pub fn outcome(&self) -> &str {
        self.outcome
            .as_deref()
            .unwrap_or(ReleaseStatus::Complete.as_str())
    }

    /// Whether all that it changed is done, and a filter left out the rest.
    pub fn is_partial(&self) -> bool {
        self.outcome() == Self::PARTIAL
    }

    /// Whether every Machine got its config.
    pub fn is_complete(&self) -> bool {
        self.outcome() == ReleaseStatus::Complete.as_str()
    }
}

/// A group in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedGroup {
    /// Its desired config. In states before format 4, the config of most of its Machines.
    pub config: ConfigDigest,
    /// Machines per region after the run.
    pub placement: BTreeMap<Region, u32>,
}

impl Known {
    /// The state of an app that was never applied.
    pub fn empty(app: AppName, provider: impl Into<String>) -> Self {
        Self {
            app,
            provider: provider.into(),
            lineage: None,
            serial: 0,
            run: None,
            parent: None,
            release: None,
            protected_groups: BTreeSet::new(),
            ignored_machines: BTreeSet::new(),
            pending_creates: Vec::new(),
            runs: Vec::new(),
            releases: Vec::new(),
            configs: BTreeMap::new(),
            computed_fields: BTreeMap::new(),
            machines: BTreeMap::new(),
            configs_with_cleartext: 0,
        }
    }

    /// The config that we last sent to this Machine.
    pub fn sent_config(&self, id: &MachineId) -> Option<&StoredConfig> {
        self.configs.get(&self.machines.get(id)?.config)
    }
}
