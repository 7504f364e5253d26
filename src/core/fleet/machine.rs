//! The observed state: Machines as a provider reports them, and one snapshot of an app.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::exit::{self, Exit, ProcessEvent};
use super::{
    AppName, GroupName, Lineage, MachineConfig, MachineId, MachineName, Region, Release,
    ReleaseStamp, RunId, RunRecord, VolumeId, WaitUntil, normalise,
};

/// One Machine as its provider reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The platform's id.
    pub id: MachineId,
    /// Unique in the app; names made by Aeroform end in the launch id.
    pub name: MachineName,
    /// The process group in its metadata; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// Its region.
    pub region: Region,
    /// Its current state.
    pub state: MachineState,
    /// Changes with every version; never stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Its config without bookkeeping; `None` if its host does not respond (rule 9). Equal configs in one
    /// list are shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Arc<MachineConfig>>,
    /// Why the reported config cannot be parsed; `config` is then `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The reported image if the config cannot be read (rule 9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_image: Option<String>,
    /// The digest (`sha256:…`) of its image, as the platform resolved it; `None` if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Aeroform's bookkeeping on it.
    #[serde(default)]
    pub stamps: Stamps,
    /// Attached volumes in the order of the config's mounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeId>,
    /// The Machines that it is a standby for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standby_for: Vec<MachineId>,
    /// Whether its host responds; a missing status means ok (rule 9).
    #[serde(default)]
    pub host: HostStatus,
    /// It is cordoned.
    #[serde(default)]
    pub cordoned: bool,
    /// The results of its checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckStatus>,
    /// Who manages it.
    #[serde(default)]
    pub management: Management,
    /// Its project folder, for providers whose Machines belong to one (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Creation time, RFC 3339; used for ordering and never compared with the local clock.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_at: String,
    /// Its stable port, for providers that assign one per Machine (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The process id of its supervisor or main process, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its address (`http://127.0.0.1:8100`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Restarts since its last start, if known.
    #[serde(default)]
    pub restarts: u32,
    /// Its last events, newest first, if reported; may be incomplete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ProcessEvent>,
    /// A detail about its state for people ("supervisor is gone", "exit code 3").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Consecutive failed starts that count as a restart loop. With the pauses of provider `local` this takes
/// about six seconds, enough for a process to wait for a dependency, and about as long as flyctl's smoke
/// checks.
const RESTART_LOOP_THRESHOLD: u32 = 6;

impl Machine {
    /// The running image, by digest if known, else as sent.
    pub fn image(&self) -> Option<String> {
        let image = match self.config.as_deref() {
            Some(config) => config.image.as_deref()?,
            None => self.partial_image.as_deref()?,
        };
        let digest = self.image_digest.as_deref();
        Some(digest.map_or_else(
            || image.to_owned(),
            |digest| normalise::pin_to_digest(image, digest),
        ))
    }

    /// Its config for overlaying or comparing with this desired image. The image that keeps running is named
    /// by digest, because the tag may have moved. A desired tag is compared with the tag that was sent.
    pub fn resolved_config(&self, desired_image: Option<&str>) -> Option<Cow<'_, MachineConfig>> {
        let config = self.config.as_deref()?;
        let same = |desired_image: &str| {
            let digest = desired_image.split_once('@').map(|(_, digest)| digest);
            digest.is_some() && digest == self.image_digest.as_deref()
        };
        let pinned = self.image().filter(|_| desired_image.is_none_or(same));
        Some(match pinned {
            Some(image) if config.image.as_ref() != Some(&image) => Cow::Owned(MachineConfig {
                image: Some(image),
                ..config.clone()
            }),
            Some(_) | None => Cow::Borrowed(config),
        })
    }

    /// The last exit of its process if it has not started since; `None` if the provider does not report it.
    pub fn last_exit(&self) -> Option<Exit> {
        exit::last_exit(&self.events)
    }

    /// Whether it was updated after its process had exited, and has not been started since.
    pub fn is_updated_since_exit(&self) -> bool {
        exit::is_updated_since(&self.events)
    }

    /// Whether it is stopped, or about to be, because its process exited uncleanly on its own. An update starts it,
    /// unless it has a schedule or is a standby, which the platform starts (rule 23).
    pub fn has_crashed(&self) -> bool {
        let scheduled = self.config.as_deref().is_some_and(|c| c.schedule.is_some());
        let is_down = matches!(
            self.state,
            MachineState::Stopping | MachineState::Stopped | MachineState::Failed
        );
        is_down
            && !scheduled
            && self.standby_for.is_empty()
            && self.last_exit().is_some_and(|exit| exit.is_crash())
    }

    /// Whether it runs, or is down only because it has crashed.
    pub fn ran(&self) -> bool {
        self.standby_for.is_empty() && (self.state.should_run() || self.has_crashed())
    }

    /// Whether it is stopped because its process exited, and not on request.
    pub fn exited_by_itself(&self) -> bool {
        self.state.is_inactive() && self.last_exit().is_some_and(|exit| !exit.requested)
    }

    /// Whether a rollback had begun to destroy it: it is stamped with that before it is cordoned and stopped.
    pub fn removal_begun(&self) -> bool {
        self.stamps.desired.as_deref() == Some(RunRecord::NOTHING)
    }

    /// Why it cannot be updated in place: its host does not respond, or its config cannot be read.
    pub fn update_blocker(&self) -> Option<UpdateBlocker<'_>> {
        match (&self.unreadable, self.host) {
            (_, HostStatus::Unknown | HostStatus::Unreachable) => Some(UpdateBlocker::Host),
            (Some(why), HostStatus::Ok) => Some(UpdateBlocker::Config(why)),
            (None, HostStatus::Ok) if self.config.is_none() => Some(UpdateBlocker::NoConfig),
            (None, HostStatus::Ok) => None,
        }
    }

    /// Whether it starts and exits repeatedly, so that waiting for it is useless.
    pub fn is_restart_looping(&self) -> bool {
        self.state == MachineState::Starting && self.restarts >= RESTART_LOOP_THRESHOLD
    }
}

/// What blocks an in-place update of a Machine (rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateBlocker<'a> {
    /// Its host does not respond, or that is unknown.
    Host,
    /// Its config cannot be parsed, with the reason.
    Config(&'a str),
    /// Its host responds, but the provider returned no config.
    NoConfig,
}

impl UpdateBlocker<'_> {
    /// The reason, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "its host does not answer",
            Self::Config(_) => "its config cannot be parsed",
            Self::NoConfig => "the platform returned no config for it",
        }
    }
}

/// The lifecycle states of a Machine, named as on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    /// Being prepared.
    Created,
    /// Booting.
    Starting,
    /// Running.
    Started,
    /// Being stopped.
    Stopping,
    /// Not running.
    Stopped,
    /// Being suspended.
    Suspending,
    /// Suspended with its memory.
    Suspended,
    /// Changing to a new version.
    Replacing,
    /// Could not start, or the platform gave up restarting it.
    Failed,
    /// Being destroyed.
    Destroying,
    /// Destroyed.
    Destroyed,
    /// Missing or not a known state; treated as transient.
    Unknown,
}

impl MachineState {
    /// The platform's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Replacing => "replacing",
            Self::Failed => "failed",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the state changes without a call.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Created
            | Self::Starting
            | Self::Stopping
            | Self::Suspending
            | Self::Replacing
            | Self::Destroying
            | Self::Unknown => true,
            Self::Started | Self::Stopped | Self::Suspended | Self::Failed | Self::Destroyed => {
                false
            }
        }
    }

    /// Whether it is the state that a wait waits for.
    pub fn has_reached(self, until: WaitUntil) -> bool {
        match until {
            WaitUntil::Started => self == Self::Started,
            WaitUntil::Stopped => matches!(self, Self::Stopped | Self::Suspended),
            WaitUntil::Destroyed => self == Self::Destroyed,
            WaitUntil::Settled => !self.is_transient(),
        }
    }

    /// Whether an update launches it: started, starting and failed Machines are launched, others keep their
    /// state (rule 23).
    pub fn should_run(self) -> bool {
        matches!(self, Self::Started | Self::Starting | Self::Failed)
    }

    /// Whether it is stopped or suspended, or about to be.
    pub fn is_inactive(self) -> bool {
        matches!(
            self,
            Self::Stopping | Self::Stopped | Self::Suspending | Self::Suspended
        )
    }

    /// Whether it is destroyed or being destroyed.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Destroying | Self::Destroyed)
    }
}

/// Whether the host of a Machine or volume responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostStatus {
    /// It responds, or no status says otherwise.
    #[default]
    Ok,
    /// Unknown.
    Unknown,
    /// It does not respond.
    Unreachable,
}

/// The tool that manages a Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Management {
    /// Aeroform created or adopted it: it has our stamps.
    #[default]
    Ours,
    /// Fly Launch (`fly_platform_version = v2`); it may be adopted.
    #[serde(rename = "launch")]
    FlyLaunch,
    /// A release-command, console or test Machine, or an old canary; reported, never adopted.
    #[serde(rename = "special")]
    Auxiliary,
    /// Any other Machine; reported, never changed.
    #[serde(rename = "stranger")]
    Unmanaged,
    /// Its metadata cannot be read (rule 9).
    Unknown,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// The check's name.
    pub name: String,
    /// Its last result.
    pub status: CheckState,
    /// Its output; untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// When it last ran, RFC 3339; empty if never. A gate accepts a result only if this changed after our
    /// change (rule 29).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub updated_at: String,
}

/// The last result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It passed.
    Passing,
    /// It has not run yet, or it fails within its grace period.
    Warning,
    /// It failed.
    Critical,
}

impl CheckState {
    /// The platform's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Aeroform's bookkeeping on a Machine (metadata `aeroform_*` in the API). Not part of the config, its
/// digest, drift or changes (rule 1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// The scope that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The serial that the last run to change it was about to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The run's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The digest of that run's desired state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// The launch id of its create; a Machine copied by another tool has this stamp and another name (rule
    /// 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// The applied commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The user or pipeline that applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Its group is protected (rule 33).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// The swap that it was created by (flyctl's key, which it sets on the new Machines of a bluegreen deploy), or
    /// [`Stamps::SAFE_TO_DESTROY`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<String>,
    /// It is a canary.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// Its release, created by any tool; a write without one keeps the existing value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Box<ReleaseStamp>>,
}

impl Stamps {
    /// The mark of a Machine that a switched swap is about to destroy, in the place of the swap's tag.
    pub const SAFE_TO_DESTROY: &str = "safe_to_destroy";
}

/// A volume as its provider reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The platform's id.
    pub id: VolumeId,
    /// Its name, the `source` of a mount.
    pub name: String,
    /// Its region.
    pub region: Region,
    /// Its size, GB.
    pub size_gb: u32,
    /// Whether the data is encrypted at rest.
    #[serde(default)]
    pub encrypted: bool,
    /// The Machine that it is attached to.
    pub attached_to: Option<MachineId>,
    /// Whether its host responds.
    #[serde(default)]
    pub host: HostStatus,
}

/// The provider's description of an app's scope and of its own capabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The provider's id of this app; becomes the lineage.
    pub scope: Lineage,
    /// The provider does not report that id. The scope is then the state's lineage or derived from names, and
    /// a recreated app cannot be detected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "without_id")]
    pub scope_is_derived: bool,
    /// The provider's own count of the app's Machines, which confirms the list (rule 8). `None` if not
    /// reported, which does not confirm an empty list.
    pub machine_count: Option<u64>,
    /// The provider reports that the app was never deployed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_pending: bool,
    /// The project folder of new Machines, symlinks resolved, for providers whose Machines belong to one
    /// (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The provider's capabilities.
    pub capabilities: Capabilities,
}

impl Description {
    /// Whether this Machine belongs to another project folder. Such a Machine is left alone unless the state
    /// lists it.
    pub fn belongs_to_other_project(&self, machine: &Machine) -> bool {
        machine.project.is_some() && machine.project != self.project
    }

    /// The lineage for the journal: the scope, or one lineage per project folder where Machines belong to
    /// folders. Two folders share a scope, and neither may settle the other's runs.
    pub fn journal_lineage(&self) -> Lineage {
        match &self.project {
            None => self.scope.clone(),
            Some(project) => self.scope.for_project(project),
        }
    }
}

/// A provider's features and rate limits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent abilities, not a state machine"
)]
pub struct Capabilities {
    /// Assigns each Machine one stable port, the lowest free one from this base.
    pub port_base: Option<u16>,
    /// Ports from this base in use on this computer, by Machines or other processes, as far as the system
    /// reports.
    pub ports_in_use: BTreeSet<u16>,
    /// Cordon and uncordon have an effect.
    pub cordon: bool,
    /// Machines can be leased.
    pub leases: bool,
    /// Volumes exist.
    pub volumes: bool,
    /// Sizes and images are enforced; if not, plan and docs say so once.
    pub enforces_sizes: bool,
    /// The platform stores releases.
    pub releases: bool,
    /// A Machine with `auto_destroy` is destroyed when it exits.
    #[serde(default)]
    pub auto_destroy: bool,
    /// An update may fail because the host has no capacity; the Machine is then replaced.
    pub replaces_when_full: bool,
    /// How often to poll a Machine while waiting for its gate, milliseconds.
    pub poll_ms: u64,
    /// The default time that a Machine must stay up after its start before its change counts as done,
    /// milliseconds; 0 means at once.
    pub steady_ms: u64,
    /// In a swap: how long the new Machines serve before an old one is removed from the load balancing, and how long
    /// that gets before it is stopped, milliseconds. flyctl's is 10 s.
    #[serde(default)]
    pub swap_wait_ms: u64,
    /// The maximum of calls per second for one (action, id); 0 means unlimited.
    pub calls_per_second: u32,
    /// The burst for `calls_per_second`.
    pub burst: u32,
    /// The same for reads of one Machine; 0 means the limit of other actions.
    pub reads_per_second: u32,
    /// The burst for reads.
    pub read_burst: u32,
}

/// One snapshot of an app. Planning makes no further calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The app.
    pub app: AppName,
    /// The provider's description of the scope and itself.
    pub description: Description,
    /// All listed Machines, and known Machines that were found only by id.
    pub machines: BTreeMap<MachineId, Machine>,
    /// Machines of other project folders that the state does not list: reported and left alone. Their names,
    /// ports and launch ids count as used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "others")]
    pub other_projects: BTreeMap<MachineId, Machine>,
    /// Known Machines that the list lacked and a read by id confirmed as gone (404 or destroyed).
    pub gone: Vec<MachineId>,
    /// Known Machines that the list lacked but a read by id found: the list lags (rule 8).
    pub lagging: Vec<MachineId>,
    /// Machines that ran or run the release command, also destroyed ones; read only if the manifests have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub once: Vec<Machine>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// The app's newest release, if there is one and it can be read.
    pub release: Option<Release>,
    /// Why the release is unknown although the platform stores releases; untrusted text.
    pub release_unknown: Option<String>,
    /// Problems of list entries whose id cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// Configs that Machines had at the release of `[hold]`, as far as its hidden values need them. They are compared
    /// and never stored.
    #[serde(skip)]
    pub held_configs: Vec<MachineConfig>,
}

impl Observed {
    /// Every Machine whose name and port are used, including other project folders.
    pub fn all_machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().chain(self.other_projects.values())
    }

    /// Whether a Machine is the canary of a run of this lineage. By the name, since other tools copy metadata (rule 4).
    pub fn is_canary(&self, machine: &Machine) -> bool {
        let stamps = &machine.stamps;
        let launch = stamps.launch.as_deref();
        stamps.canary
            && stamps.lineage.as_ref() == Some(&self.description.scope)
            && launch.is_some()
            && machine.name.launch_suffix() == launch
    }

    /// The listed Machines that may count for a group: all but canaries.
    pub fn counted_machines(&self) -> impl Iterator<Item = &Machine> {
        let machines = self.machines.values();
        machines.filter(|machine| !self.is_canary(machine))
    }

    /// Whether only an empty list says that the app has no Machines (rule 8).
    pub fn is_empty_unconfirmed(&self) -> bool {
        let description = &self.description;
        description.machine_count.is_none()
            && !description.is_pending
            && self.all_machines().next().is_none()
    }
}
