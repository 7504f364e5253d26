//! What exists: Machines as a provider reports them, and one snapshot of an app's world.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::exit::{self, Exit, ProcessEvent};
use super::{
    AppName, GroupName, Lineage, MachineConfig, MachineId, MachineName, Region, Release,
    ReleaseStamp, RunId, VolumeId, normalise,
};

/// One Machine as its provider reports it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The platform's id.
    pub id: MachineId,
    /// Unique in the app; those that Aeroform makes end in the launch id.
    pub name: MachineName,
    /// The process group it says it belongs to; none for a Machine of no group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// Where it runs.
    pub region: Region,
    /// What it does now.
    pub state: MachineState,
    /// Changes with every new version; never stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Its config without our bookkeeping; absent when its host cannot be asked (rule 9). Machines of one
    /// list share equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Arc<MachineConfig>>,
    /// Why its config cannot be parsed, where one was told; then `config` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The image that it is said to run, where its config cannot be read (rule 9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_image: Option<String>,
    /// The digest (`sha256:…`) of the image that it runs, as the platform resolved it; none where it does
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Our bookkeeping on it.
    #[serde(default)]
    pub stamps: Stamps,
    /// Attached volumes in the order of the config's mounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeId>,
    /// Machines that it stands by for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standby_for: Vec<MachineId>,
    /// Whether its host answers; a missing status is ok (rule 9).
    #[serde(default)]
    pub host: HostStatus,
    /// Taken out of the proxy's rotation.
    #[serde(default)]
    pub cordoned: bool,
    /// Results of its checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckStatus>,
    /// Who manages it.
    #[serde(default)]
    pub management: Management,
    /// The project folder that it belongs to, with a provider whose Machines belong to one (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// When it was made, RFC 3339; orders "newest", never compared with our clock.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_at: String,
    /// Its own stable port, with a provider that gives each Machine one (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Process id of its supervisor or main process, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it answers (`http://127.0.0.1:8100`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Restarts since its last start, where known.
    #[serde(default)]
    pub restarts: u32,
    /// Its last events, newest first, where the provider tells them; perhaps not all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ProcessEvent>,
    /// What a person should know about its state ("supervisor is gone", "exit code 3").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Starts in a row that came to nothing, after which waiting for the next one is in vain. With the
/// pauses of provider `local` that is some six seconds: enough for a process that only waits for its
/// neighbour, and about what flyctl's own smoke checks grant.
const RESTART_LOOP_THRESHOLD: u32 = 6;

impl Machine {
    /// What it runs: its image by digest where that is known, else as it was sent.
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

    /// Its config, to lay this image over or none, or to compare it with that. What goes on running is named
    /// by digest, for the tag in the config may have moved; so it is where the same digest is wanted. A
    /// wanted tag is compared with the tag that was sent.
    pub fn resolved_config(&self, wanted: Option<&str>) -> Option<Cow<'_, MachineConfig>> {
        let config = self.config.as_deref()?;
        let same = |wanted: &str| {
            let digest = wanted.split_once('@').map(|(_, digest)| digest);
            digest.is_some() && digest == self.image_digest.as_deref()
        };
        let pinned = self.image().filter(|_| wanted.is_none_or(same));
        Some(match pinned {
            Some(image) if config.image.as_ref() != Some(&image) => Cow::Owned(MachineConfig {
                image: Some(image),
                ..config.clone()
            }),
            Some(_) | None => Cow::Borrowed(config),
        })
    }

    /// How its process ended last, if it was not started since; none where the provider does not tell.
    pub fn last_exit(&self) -> Option<Exit> {
        exit::last_exit(&self.events)
    }

    /// Whether it is at rest since its process ended by itself in another way than with exit code 0. An
    /// update starts it: somebody who wanted it stopped would have stopped it. One with a schedule and a
    /// standby are started by the platform (rule 23).
    pub fn has_crashed(&self) -> bool {
        let scheduled = self.config.as_deref().is_some_and(|c| c.schedule.is_some());
        matches!(self.state, MachineState::Stopped | MachineState::Failed)
            && !scheduled
            && self.standby_for.is_empty()
            && self.last_exit().is_some_and(|exit| exit.is_crash())
    }

    /// Whether it is at rest since its process ended, and not because somebody stopped it.
    pub fn exited_by_itself(&self) -> bool {
        self.state.is_inactive() && self.last_exit().is_some_and(|exit| !exit.requested)
    }

    /// Why it cannot be changed in place: its host does not answer, or its config cannot be read.
    pub fn update_blocker(&self) -> Option<UpdateBlocker<'_>> {
        match (&self.unreadable, self.host) {
            (_, HostStatus::Unknown | HostStatus::Unreachable) => Some(UpdateBlocker::Host),
            (Some(why), HostStatus::Ok) => Some(UpdateBlocker::Config(why)),
            (None, HostStatus::Ok) if self.config.is_none() => Some(UpdateBlocker::NoConfig),
            (None, HostStatus::Ok) => None,
        }
    }

    /// Whether it starts and ends over and over, so that it is not about to be started for good.
    pub fn is_restart_looping(&self) -> bool {
        self.state == MachineState::Starting && self.restarts >= RESTART_LOOP_THRESHOLD
    }
}

/// What keeps a Machine from being changed in place (rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateBlocker<'a> {
    /// Its host does not answer, or nobody knows whether it does.
    Host,
    /// Its config was told and cannot be understood; why.
    Config(&'a str),
    /// Its host answers, and its config was not told.
    NoConfig,
}

impl UpdateBlocker<'_> {
    /// What it is, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "its host does not answer",
            Self::Config(_) => "its config cannot be parsed",
            Self::NoConfig => "the platform returned no config for it",
        }
    }
}

/// The lifecycle of a Machine, with the platform's words.
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
    /// Could not start or gave up restarting.
    Failed,
    /// Being destroyed.
    Destroying,
    /// Gone.
    Destroyed,
    /// The platform does not tell, or names one that nobody knows. It is taken for one that passes.
    Unknown,
}

impl MachineState {
    /// The platform's word.
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

    /// Whether it will change by itself.
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

    /// Whether an update leaves it running: started, starting and failed Machines are launched, all
    /// others stay as they are (rule 23).
    pub fn should_run(self) -> bool {
        matches!(self, Self::Started | Self::Starting | Self::Failed)
    }

    /// Whether somebody or the platform has put it to rest, or is about to.
    pub fn is_inactive(self) -> bool {
        matches!(
            self,
            Self::Stopping | Self::Stopped | Self::Suspending | Self::Suspended
        )
    }

    /// Whether it is gone or on its way out.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Destroying | Self::Destroyed)
    }
}

/// Whether the host of a Machine or volume answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostStatus {
    /// It answers, or nothing says otherwise.
    #[default]
    Ok,
    /// Not known.
    Unknown,
    /// It does not answer.
    Unreachable,
}

/// Who manages a Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Management {
    /// Aeroform made it or has adopted it: it bears our stamps.
    #[default]
    Ours,
    /// Fly Launch manages it (`fly_platform_version = v2`): it may be adopted.
    #[serde(rename = "launch")]
    FlyLaunch,
    /// A release-command, console or test Machine, or a leftover canary: named, never adopted.
    #[serde(rename = "special")]
    Auxiliary,
    /// Anything else: named, never touched.
    #[serde(rename = "stranger")]
    Unmanaged,
    /// Nothing that can be read of it tells whose it is (rule 9).
    Unknown,
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// Check name.
    pub name: String,
    /// Its last result.
    pub status: CheckState,
    /// What it printed or answered; foreign text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// When it last ran, RFC 3339; empty if it never did. A gate counts a result only when this
    /// changed after our change (rule 29).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub updated_at: String,
}

/// The last result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It passed.
    Passing,
    /// It has not run yet, or fails within its grace period.
    Warning,
    /// It failed.
    Critical,
}

impl CheckState {
    /// The platform's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Our bookkeeping on a Machine (metadata `aeroform_*` on the wire). Outside the config, its digest,
/// drift and changes (rule 1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// Scope that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Serial that the run which last changed it was to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// That run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Digest of what that run wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// Launch id of its create; a copy by another tool has the stamp without the name (rule 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// Commit that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Its group was protected (rule 33).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// The release that it is of, whoever made that; what is written without one keeps the one there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Box<ReleaseStamp>>,
}

/// A volume as the provider reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The platform's id.
    pub id: VolumeId,
    /// Its name, the `source` of a mount.
    pub name: String,
    /// Where it is.
    pub region: Region,
    /// GB.
    pub size_gb: u32,
    /// Whether what it holds is encrypted at rest.
    #[serde(default)]
    pub encrypted: bool,
    /// The Machine that has it.
    pub attached_to: Option<MachineId>,
    /// Whether its host answers.
    #[serde(default)]
    pub host: HostStatus,
}

/// What a provider says of an app's scope and of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The provider's id of this incarnation of the app; becomes the lineage.
    pub scope: Lineage,
    /// The provider does not tell that id: the scope is the state's lineage, or derived from names, and an app
    /// that was deleted and made again cannot be told from the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "without_id")]
    pub scope_is_derived: bool,
    /// How many Machines the app has by the provider's own count: the second witness beside the list
    /// (rule 8). None where it does not say, which is no agreement with an empty list.
    pub machine_count: Option<u64>,
    /// The provider says that nothing was ever deployed to the app.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_pending: bool,
    /// The project folder, links resolved, that new Machines belong to, with a provider whose Machines
    /// belong to one (`local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Description {
    /// Whether this Machine belongs to another project folder than the one that asks. Such a Machine is left
    /// alone unless the state lists it.
    pub fn belongs_to_other_project(&self, machine: &Machine) -> bool {
        machine.project.is_some() && machine.project != self.project
    }

    /// Under which lineage the journal keeps runs: the scope, and where Machines belong to a project folder
    /// one of its own for each folder. Two folders share the scope, and neither may settle the runs of the
    /// other.
    pub fn journal_lineage(&self) -> Lineage {
        match &self.project {
            None => self.scope.clone(),
            Some(project) => self.scope.for_project(project),
        }
    }
}

/// What a provider can do and how fast it may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent abilities, not a state machine"
)]
pub struct Capabilities {
    /// Gives each Machine one stable port, the lowest free from this base on.
    pub port_base: Option<u16>,
    /// Ports from this base on that something on this computer listens on, Machines included; as far as the
    /// system tells.
    pub ports_in_use: BTreeSet<u16>,
    /// Cordon and uncordon mean something.
    pub cordon: bool,
    /// Machines can be leased.
    pub leases: bool,
    /// Volumes are real.
    pub volumes: bool,
    /// Sizes and images are enforced; where false, plan and docs say so once.
    pub enforces_sizes: bool,
    /// The platform remembers releases.
    pub releases: bool,
    /// A Machine's host may have no room for an update, which then goes on as a replacement.
    pub replaces_when_full: bool,
    /// How often to look at a Machine whose gate is awaited, milliseconds.
    pub poll_ms: u64,
    /// How long a Machine must have been up since its last start before its change counts as done, where
    /// nobody says it, milliseconds; 0 means as soon as it has started.
    pub steady_ms: u64,
    /// Most calls per second for one (action, id) and the burst on top; 0 means no limit.
    pub calls_per_second: u32,
    /// Burst of the same.
    pub burst: u32,
    /// The same for reads of one Machine; 0 means as for every other action.
    pub reads_per_second: u32,
    /// Burst of reads.
    pub read_burst: u32,
}

/// One snapshot of an app's world. After it was taken, the plan asks nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The app.
    pub app: AppName,
    /// What the provider says of the scope and itself.
    pub description: Description,
    /// All Machines that the list had, plus known ones that only answered by id; by id.
    pub machines: BTreeMap<MachineId, Machine>,
    /// Machines of other project folders that the state does not list: named and left alone. Their names,
    /// ports and launch ids are taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "others")]
    pub other_projects: BTreeMap<MachineId, Machine>,
    /// Known Machines that the list lacked and that are gone by their own id (404 or destroyed).
    pub gone: Vec<MachineId>,
    /// Known Machines that the list lacked but that exist by id: the list lags (rule 8).
    pub lagging: Vec<MachineId>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// The app's newest release, where there is one and it can be read.
    pub release: Option<Release>,
    /// Why it is not known, where the platform keeps releases and did not say it; foreign text.
    pub release_unknown: Option<String>,
    /// Entries of the list of which not even an id can be read; what is wrong with each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

impl Observed {
    /// Every Machine whose name and port are taken, those of other project folders included.
    pub fn all_machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().chain(self.other_projects.values())
    }

    /// Whether an empty list is all that says that the app has no Machine (rule 8).
    pub fn is_empty_unconfirmed(&self) -> bool {
        let description = &self.description;
        description.machine_count.is_none()
            && !description.is_pending
            && self.all_machines().next().is_none()
    }
}
