//! The calls that change the world, as data: the journal names them, faults select by them, and the
//! plugin protocol is their JSON.

use serde::{Deserialize, Serialize};

use super::schema::Guest;
use super::{GroupName, Machine, MachineConfig, MachineId, MachineName, Region, Stamps, Volume};

/// One changing request to a provider, about one Machine of one app or a volume for one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Call {
    /// Makes a Machine. A provider refuses a second Machine of the same name with `Conflict`.
    Create(Box<CreateCall>),
    /// Gives a Machine a new config; the whole config is sent.
    Update(Box<UpdateCall>),
    /// Starts a stopped Machine.
    Start {
        /// Which.
        id: MachineId,
    },
    /// Stops a Machine with its own signal and timeout.
    Stop {
        /// Which.
        id: MachineId,
    },
    /// Stops a started Machine and keeps its memory, so that a start goes on where it was.
    Suspend {
        /// Which.
        id: MachineId,
    },
    /// Stops a started Machine with its own signal and starts it again as it is: no new version.
    Restart {
        /// Which.
        id: MachineId,
    },
    /// Removes a Machine for good; without `force` only a stopped or suspended one.
    Destroy {
        /// Which.
        id: MachineId,
        /// Kill it first.
        force: bool,
    },
    /// Takes a Machine out of the proxy's rotation.
    Cordon {
        /// Which.
        id: MachineId,
    },
    /// Puts it back.
    Uncordon {
        /// Which.
        id: MachineId,
    },
    /// Writes bookkeeping without a restart (rule 1).
    Stamp {
        /// Which.
        id: MachineId,
        /// The new bookkeeping.
        stamps: Stamps,
    },
    /// Makes a volume that no Machine has. Names of volumes are not unique: the same call twice makes two.
    CreateVolume(Box<VolumeCall>),
}

/// Body of [`Call::Create`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateCall {
    /// Its name, ending in the launch id.
    pub name: MachineName,
    /// Its group.
    pub group: GroupName,
    /// Where.
    pub region: Region,
    /// The whole config, volumes and standbys included, bookkeeping not.
    pub config: MachineConfig,
    /// The bookkeeping.
    pub stamps: Stamps,
    /// Create without starting (standbys).
    pub skip_launch: bool,
    /// Its own port, with a provider that gives each Machine one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Body of [`Call::Update`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateCall {
    /// Which.
    pub id: MachineId,
    /// Its group after the update (a move changes it).
    pub group: GroupName,
    /// The whole config.
    pub config: MachineConfig,
    /// The bookkeeping.
    pub stamps: Stamps,
    /// Leave it stopped.
    pub skip_launch: bool,
    /// The instance that this was computed from; another one is a `Conflict` (rule 24).
    pub instance: String,
}

/// Body of [`Call::CreateVolume`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeCall {
    /// Its name, the `source` of a mount.
    pub name: String,
    /// Where.
    pub region: Region,
    /// GB.
    pub size_gb: u32,
    /// Whether what it holds is encrypted at rest.
    pub encrypted: bool,
    /// Whether it must lie apart from the app's other volumes of its name there.
    pub unique_zone: bool,
    /// How many days its snapshots are kept; none means as the provider has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are made by themselves; none means as the provider has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
    /// The size of the Machine that it is for: a host with room for both is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// That Machine's image, for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// What a changing call answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The Machine as the answer showed it; none after a destroy.
    pub machine: Option<Machine>,
    /// The volume that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// What is otherwise than the call said, for people: the provider had to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitUntil {
    /// It runs.
    Started,
    /// It does not run.
    Stopped,
    /// It is gone; not found counts.
    Destroyed,
    /// It will not change by itself.
    Settled,
}

impl Call {
    /// The action's name, by which limits, faults and the journal select.
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

    /// The Machine that it is about; none for one that makes something.
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
