//! What is remembered: the content of the state file, without its layout.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    AppName, ComputedFields, ConfigDigest, GroupName, LaunchId, Lineage, MachineId, MachineName,
    Region, RunId, StoredConfig, VolumeId,
};

/// What the state file says. Holds what we *sent*, never what the platform added.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The app that this state is of.
    pub app: AppName,
    /// The provider by name.
    pub provider: String,
    /// The scope that the Machines belong to; none before the first apply.
    pub lineage: Option<Lineage>,
    /// Rises by one with every change of content; 0 is a state that was never written.
    pub serial: u64,
    /// The run that wrote this content.
    pub run: Option<RunId>,
    /// Digest of the file that this one came from.
    pub parent: Option<String>,
    /// The newest release that we made or saw.
    pub release: Option<u64>,
    /// Protected groups; outlives the manifest that set it (rule 33).
    pub protected_groups: BTreeSet<GroupName>,
    /// Machines that `state rm` took out, ignored until they are imported again.
    pub ignored_machines: BTreeSet<MachineId>,
    /// Creates whose outcome was unknown when their run ended.
    pub pending_creates: Vec<PendingCreate>,
    /// The last 50 runs, oldest first.
    pub runs: Vec<RunRecord>,
    /// The last 10 releases, oldest first.
    pub releases: Vec<ReleaseRecord>,
    /// Configs by their digest; exactly those that machines and releases name.
    pub configs: BTreeMap<ConfigDigest, StoredConfig>,
    /// What the platform added by itself to Machines of a config (rule 10).
    pub computed_fields: BTreeMap<ConfigDigest, ComputedFields>,
    /// Machines by id.
    pub machines: BTreeMap<MachineId, KnownMachine>,
    /// So many configs held a secret in clear where this was read from. They do not here, and will not where
    /// it is written to.
    pub configs_with_cleartext: usize,
}

/// One remembered Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownMachine {
    /// Its name.
    pub name: MachineName,
    /// Its group.
    pub group: GroupName,
    /// Where it is.
    pub region: Region,
    /// The region that its create named, where the platform chose another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_region: Option<Region>,
    /// The config that we sent.
    pub config: ConfigDigest,
    /// The intent that made it; none for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// Its volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeId>,
    /// The Machines that it stands by for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standby_for: Vec<MachineId>,
    /// The Machine whose place it was to take and which is still there: together they are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MachineId>,
    /// What was sent last was not seen to work: the next apply waits for that before it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
}

/// A create that is owed: it may or may not have happened, or its group has no written count that would
/// ask for it again. The next plan spends this id first (rule 4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingCreate {
    /// Its launch id.
    pub launch: LaunchId,
    /// For which group.
    pub group: GroupName,
    /// Where.
    pub region: Region,
    /// It was to be a standby.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The Machine whose place it was to take and which is still there: together they are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MachineId>,
}

/// One run as the state remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// The serial that it wrote.
    pub serial: u64,
    /// When it ended, RFC 3339.
    pub at: String,
    /// Who ran it.
    pub by: String,
    /// Which verb (`apply`, `destroy`).
    pub command: String,
    /// `complete`, `failed`, `overtaken`, `interrupted`.
    pub outcome: String,
    /// Commit that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Digest of the saved plan that it carried out, where it carried out one: that plan is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl RunRecord {
    /// The outcome of a run that never wrote the state and whose work another run took in.
    pub const TAKEN_OVER: &str = "taken over";

    /// Whether it is one of those: nobody knows what it saw.
    pub fn is_taken_over(&self) -> bool {
        self.outcome == Self::TAKEN_OVER
    }
}

/// One release: which config and placement each group had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// Release number.
    pub release: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who made it.
    pub by: String,
    /// Config digest and Machines per region, by group.
    pub groups: BTreeMap<GroupName, ReleasedGroup>,
}

/// A group in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedGroup {
    /// Its config.
    pub config: ConfigDigest,
    /// Machines per region.
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
