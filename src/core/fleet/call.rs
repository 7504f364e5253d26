//! The mutating calls to a provider, as data. The journal records them, fault rules match them, and their
//! JSON is the plugin protocol.

use serde::{Deserialize, Serialize};

use super::schema::Guest;
use super::{GroupName, Machine, MachineConfig, MachineId, MachineName, Region, Stamps, Volume};

/// One mutating request, about one Machine of one app or about a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Call {
    /// Creates a Machine. A provider rejects a second Machine with the same name with `Conflict`.
    Create(Box<CreateCall>),
    /// Replaces a Machine's config with the complete config of the call.
    Update(Box<UpdateCall>),
    /// Starts a stopped Machine.
    Start {
        /// The Machine.
        id: MachineId,
    },
    /// Stops a Machine with its own signal and timeout.
    Stop {
        /// The Machine.
        id: MachineId,
    },
    /// Suspends a started Machine: its memory is saved, and a start resumes it.
    Suspend {
        /// The Machine.
        id: MachineId,
    },
    /// Stops a started Machine with its own signal and starts it again; creates no new version.
    Restart {
        /// The Machine.
        id: MachineId,
    },
    /// Destroys a Machine; without `force` only a stopped or suspended one.
    Destroy {
        /// The Machine.
        id: MachineId,
        /// Kill it first if it runs.
        force: bool,
    },
    /// Removes a Machine from the proxy's load balancing.
    Cordon {
        /// The Machine.
        id: MachineId,
    },
    /// Adds it to the proxy's load balancing again.
    Uncordon {
        /// The Machine.
        id: MachineId,
    },
    /// Writes bookkeeping without a restart (rule 1).
    Stamp {
        /// The Machine.
        id: MachineId,
        /// The new bookkeeping.
        stamps: Stamps,
    },
    /// Creates an unattached volume. Volume names are not unique: the same call twice creates two volumes.
    CreateVolume(Box<VolumeCall>),
}

/// Body of [`Call::Create`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateCall {
    /// Its name; ends in the launch id.
    pub name: MachineName,
    /// Its group.
    pub group: GroupName,
    /// Its region.
    pub region: Region,
    /// The complete config with volumes and standbys, without bookkeeping.
    pub config: MachineConfig,
    /// The bookkeeping.
    pub stamps: Stamps,
    /// Create without starting (standbys).
    pub skip_launch: bool,
    /// Create it cordoned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cordoned: bool,
    /// Create without a lease, so that the Machine can destroy itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_lease: bool,
    /// Its port, if the provider assigns one port per Machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Body of [`Call::Update`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateCall {
    /// The Machine.
    pub id: MachineId,
    /// Its group after the update (a move changes it).
    pub group: GroupName,
    /// The complete config.
    pub config: MachineConfig,
    /// The bookkeeping.
    pub stamps: Stamps,
    /// Leave it stopped.
    pub skip_launch: bool,
    /// The instance that this config was computed from; on any other instance the call is a `Conflict` (rule
    /// 24).
    pub instance: String,
}

/// Body of [`Call::CreateVolume`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeCall {
    /// Its name, the `source` of a mount.
    pub name: String,
    /// Its region.
    pub region: Region,
    /// Its size, GB.
    pub size_gb: u32,
    /// Whether the data is encrypted at rest.
    pub encrypted: bool,
    /// Whether it must be in another zone than the app's other volumes of this name in the region.
    pub unique_zone: bool,
    /// For how many days snapshots are kept; `None` is the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are taken automatically; `None` is the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
    /// The size of the future Machine; the provider picks a host with capacity for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// The image of that Machine, for the same purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// The result of a mutating call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The Machine as the response shows it; `None` after a destroy.
    pub machine: Option<Machine>,
    /// The created volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// A note for people where the provider deviated from the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// The state to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitUntil {
    /// The Machine is started.
    Started,
    /// The Machine is not running.
    Stopped,
    /// The Machine is destroyed or not found.
    Destroyed,
    /// The Machine's state is not transient.
    Settled,
}

impl Call {
    /// The action's name, used by limits, faults and the journal.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Suspend { .. } => "suspend",
            Self::Restart { .. } => "restart",
            Self::Destroy { .. } => "destroy",
            Self::Cordon { .. } => "cordon",
            Self::Uncordon { .. } => "uncordon",
            Self::Stamp { .. } => "stamp",
            Self::CreateVolume(_) => "create-volume",
        }
    }

    /// The Machine of the call; `None` for creates.
    pub fn machine(&self) -> Option<&MachineId> {
        match self {
            Self::Create(_) | Self::CreateVolume(_) => None,
            Self::Update(call) => Some(&call.id),
            Self::Start { id }
            | Self::Stop { id }
            | Self::Suspend { id }
            | Self::Restart { id }
            | Self::Destroy { id, .. }
            | Self::Cordon { id }
            | Self::Uncordon { id }
            | Self::Stamp { id, .. } => Some(id),
        }
    }
}
