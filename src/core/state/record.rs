//! The records of a state file. One JSON array: the header, then one record per line.
//!
//! The header comes first, so that every other line can start with a comma and each added or removed Machine is
//! one line in a diff, including the first and last. In a map of Machines, a diff would show a neighbour as
//! removed and added again, where people look for destroys.

use serde::{Deserialize, Serialize};

use crate::core::fleet::{
    AppName, ComputedFields, ConfigDigest, GroupName, KnownMachine, LaunchId, Lineage, MachineId,
    MachineName, PendingCreate, Region, ReleaseRecord, RunId, RunRecord, StoredConfig, SwapRole,
    VolumeId,
};

/// The first element.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: u64,
    pub(super) app: AppName,
    pub(super) provider: String,
    #[serde(default)]
    pub(super) lineage: Option<Lineage>,
    pub(super) serial: u64,
    #[serde(default)]
    pub(super) run: Option<RunId>,
    #[serde(default)]
    pub(super) parent: Option<String>,
    #[serde(default)]
    pub(super) release: Option<u64>,
}

/// Every other element: an object with one key, the record's kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    Protect(GroupName),
    Ignored(MachineId),
    Pending(PendingCreate),
    Machine(MachineRecord),
    Config(ConfigRecord),
    Release(ReleaseRecord),
    Run(RunRecord),
    Moved(MovedRecord),
}

/// Where the state of a file went: the only record of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedRecord {
    /// The place, as `[state]` of aeroform.toml names it.
    pub to: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who moved it.
    pub by: String,
    /// The lineage of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The serial of the state at that time.
    pub serial: u64,
}

/// A config with its digest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigRecord {
    pub(super) digest: ConfigDigest,
    pub(super) body: StoredConfig,
    #[serde(
        default,
        rename = "filled",
        skip_serializing_if = "ComputedFields::is_empty"
    )]
    pub(super) computed: ComputedFields,
}

/// A Machine with its id. Written out, since serde cannot both flatten and refuse unknown fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineRecord {
    id: MachineId,
    name: MachineName,
    group: GroupName,
    region: Region,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requested_region: Option<Region>,
    config: ConfigDigest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    launch: Option<LaunchId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<VolumeId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    standby_for: Vec<MachineId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<MachineId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swap: Option<SwapRole>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unproven: bool,
}

impl MachineRecord {
    pub(super) fn new(id: MachineId, machine: KnownMachine) -> Self {
        let KnownMachine {
            name,
            group,
            region,
            requested_region,
            config,
            launch,
            volumes,
            standby_for,
            replaces,
            swap,
            unproven,
        } = machine;
        Self {
            id,
            name,
            group,
            region,
            requested_region,
            config,
            launch,
            volumes,
            standby_for,
            replaces,
            swap,
            unproven,
        }
    }

    pub(super) fn into_parts(self) -> (MachineId, KnownMachine) {
        let machine = KnownMachine {
            name: self.name,
            group: self.group,
            region: self.region,
            requested_region: self.requested_region,
            config: self.config,
            launch: self.launch,
            volumes: self.volumes,
            standby_for: self.standby_for,
            replaces: self.replaces,
            swap: self.swap,
            unproven: self.unproven,
        };
        (self.id, machine)
    }
}
