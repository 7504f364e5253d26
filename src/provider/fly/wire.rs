//! The API's Machines and volumes as ours (facts/fly-machines-api.md 10, 16, 17).
//!
//! Lists are read once, borrowing from the body; a config that has another form than the platform's
//! schema makes its own Machine unreadable and no other, and a name that nobody can show is not shown.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::Metadata;
use super::events;
use crate::core::fleet::normal::{is_bookkeeping, is_image_digest};
use crate::core::fleet::{
    CheckState, CheckStatus, HostStatus, Machine, MachineConfig, MachineId, MachineName,
    MachineState, Management, Occurred, Occurrence, Region, Volume, VolumeId,
};
use crate::core::scrub;
use crate::provider::bookkeeping;

/// A Machine as the API shows it.
#[derive(Deserialize)]
pub(in crate::provider) struct Shown<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow, default)]
    instance_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    created_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    host_status: Option<Cow<'a, str>>,
    #[serde(default)]
    cordoned: Option<bool>,
    #[serde(borrow, default)]
    config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    image_ref: Option<&'a RawValue>,
    #[serde(borrow, default)]
    checks: Option<Vec<Check<'a>>>,
    #[serde(borrow, default)]
    events: Option<&'a RawValue>,
    #[serde(borrow, default)]
    private_ip: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nonce: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ImageRef<'a> {
    #[serde(borrow, default)]
    digest: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    updated_at: Option<Cow<'a, str>>,
}

/// A Machine, and what stands beside it in an answer.
pub(in crate::provider) struct Read {
    pub(in crate::provider) machine: Machine,
    /// All metadata, bookkeeping included.
    pub(in crate::provider) metadata: Metadata,
    /// The lease that a create gave.
    pub(in crate::provider) nonce: Option<String>,
}

/// Reads one Machine; the reason where it is none.
pub(in crate::provider) fn machine(body: &[u8]) -> Result<Read, String> {
    let shown: Shown<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    shown.read()
}

/// Reads a list of them.
pub(super) fn machines(body: &[u8]) -> Result<Vec<Read>, String> {
    // A Go server writes an empty list as null.
    let shown: Option<Vec<Shown<'_>>> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut alike = Alike::default();
    let shared = |shown: &Shown<'_>| {
        let mut read = shown.read()?;
        read.machine.config = read.machine.config.take().map(|config| alike.share(config));
        Ok(read)
    };
    shown.unwrap_or_default().iter().map(shared).collect()
}

/// The last different configs of a list. A group's Machines have few, and ten thousand trees of the same
/// are most of the memory that a list takes.
#[derive(Default)]
struct Alike(VecDeque<Arc<MachineConfig>>);

impl Alike {
    const REMEMBERED: usize = 8;

    fn share(&mut self, config: Arc<MachineConfig>) -> Arc<MachineConfig> {
        let equal = self.0.iter().find(|other| **other == config);
        if let Some(equal) = equal {
            return Arc::clone(equal);
        }
        self.0.truncate(Self::REMEMBERED - 1);
        self.0.push_front(Arc::clone(&config));
        config
    }
}

/// What is left to say of a Machine that is not there any more.
pub(in crate::provider) fn destroyed(id: &MachineId) -> Machine {
    let body = serde_json::json!({
        "id": id, "name": id, "region": "unknown", "state": "destroyed",
    });
    let read = machine(body.to_string().as_bytes());
    read.expect("this is a Machine").machine
}

impl Shown<'_> {
    fn read(&self) -> Result<Read, String> {
        let odd = |error: &dyn std::fmt::Display| format!("Machine {}: {error}", self.id);
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let written = self.config.filter(|config| config.get() != "null");
        let config = written.map(|config| serde_json::from_str::<MachineConfig>(config.get()));
        let (mut config, unreadable) = match config {
            None => (None, None),
            Some(Ok(config)) => (Some(config), None),
            Some(Err(error)) => (
                None,
                Some(format!(
                    "its config cannot be read: {}",
                    scrub::form(&error.to_string())
                )),
            ),
        };
        let mut metadata = Metadata::new();
        if let Some(own) = config.as_mut().and_then(|config| config.metadata.as_mut()) {
            metadata.clone_from(own);
            own.retain(|key, _| !is_bookkeeping(key));
        }
        let (state, unknown) = state(&self.state);
        let events = self.events.map(events::occurrences).unwrap_or_default();
        let ended = self.ended(&events);
        let mounts = config.iter().flat_map(|c| c.mounts.iter().flatten());
        let volumes = mounts.filter_map(|mount| VolumeId::new(mount.volume.clone()?).ok());
        let standbys = config.iter().flat_map(|c| c.standbys.iter().flatten());
        let host = match (self.host_status.as_deref(), &unreadable) {
            (None | Some("ok"), None) => HostStatus::Ok,
            (Some("unreachable"), _) => HostStatus::Unreachable,
            (_, _) => HostStatus::Unknown,
        };
        let machine = Machine {
            id: MachineId::new(self.id.as_ref()).map_err(|error| odd(&error))?,
            name: self.name().map_err(|error| odd(&error))?,
            group: bookkeeping::group(&metadata),
            region: Region::new(self.region.as_ref()).map_err(|error| odd(&error))?,
            state,
            instance: text(if self.instance_id.is_some() {
                &self.instance_id
            } else {
                &self.version
            }),
            stamps: bookkeeping::stamps(&metadata),
            volumes: volumes.collect(),
            standby_for: standbys
                .filter_map(|id| MachineId::new(id.as_str()).ok())
                .collect(),
            host,
            cordoned: self.cordoned.unwrap_or(false),
            project: None,
            checks: self.checks.iter().flatten().filter_map(check).collect(),
            management: if config.is_some() {
                bookkeeping::management(&metadata)
            } else {
                Management::Ours
            },
            created_at: text(&self.created_at),
            config: config.map(Arc::new),
            image_digest: self.image_digest(),
            port: None,
            pid: None,
            address: self.private_ip.as_deref().map(str::to_owned),
            restarts: ended.restarts,
            events,
            detail: unreadable.or(unknown).or(ended.detail),
        };
        Ok(Read {
            machine,
            metadata,
            nonce: self.nonce.as_deref().map(str::to_owned),
        })
    }

    /// The digest of what it runs; what is none is not told.
    fn image_digest(&self) -> Option<String> {
        let shown: ImageRef<'_> = serde_json::from_str(self.image_ref?.get()).ok()?;
        let digest = shown.digest?;
        is_image_digest(&digest).then(|| digest.into_owned())
    }

    /// Its name, or its id where it has none that could be shown: such a one is never of our making.
    fn name(&self) -> Result<MachineName, impl std::fmt::Display> {
        let name = MachineName::new(self.name.as_deref().unwrap_or_default());
        name.or_else(|_| MachineName::new(self.id.as_ref()))
    }

    /// How its process ended last, where it is down or on its way up again without having been told to.
    fn ended(&self, events: &[Occurrence]) -> Ended {
        let down = !matches!(self.state.as_ref(), "started" | "suspended");
        let last = events
            .iter()
            .filter(|_| down)
            .find_map(|event| match event.what {
                Occurred::Exited(exit) => Some(exit),
                _ => None,
            });
        last.filter(|exit| !exit.requested)
            .map_or_else(Ended::default, |exit| Ended {
                restarts: exit.restarts,
                detail: Some(if exit.oom_killed {
                    "it ran out of memory".to_owned()
                } else {
                    exit.to_string()
                }),
            })
    }
}

#[derive(Default)]
struct Ended {
    restarts: u32,
    detail: Option<String>,
}

/// The states of the platform; one that nobody knows is taken for one that passes.
fn state(text: &str) -> (MachineState, Option<String>) {
    let state = match text {
        "created" | "creating" | "pending" => MachineState::Created,
        "starting" | "restarting" => MachineState::Starting,
        "started" => MachineState::Started,
        "stopping" => MachineState::Stopping,
        "stopped" => MachineState::Stopped,
        "suspending" => MachineState::Suspending,
        "suspended" => MachineState::Suspended,
        "replacing" | "updating" => MachineState::Replacing,
        "failed" => MachineState::Failed,
        "destroying" | "launch_failed" => MachineState::Destroying,
        "destroyed" | "replaced" | "migrated" => MachineState::Destroyed,
        other => return (MachineState::Replacing, Some(format!("state `{other}`"))),
    };
    (state, None)
}

fn check(shown: &Check<'_>) -> Option<CheckStatus> {
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    let name = text(&shown.name);
    // The server's own, which say nothing of the app (facts 16).
    if name.starts_with("bg_deployments_compat") {
        return None;
    }
    Some(CheckStatus {
        name,
        status: match shown.status.as_deref()? {
            "passing" => CheckState::Passing,
            "critical" => CheckState::Critical,
            _ => CheckState::Warning,
        },
        output: text(&shown.output),
        updated_at: text(&shown.updated_at),
    })
}

/// Reads a list of volumes; those that are on their way out are not there.
pub(in crate::provider) fn volumes(shown: &Value) -> Vec<Volume> {
    let rows = shown.as_array().into_iter().flatten();
    rows.filter_map(volume).collect()
}

/// Reads one volume; none where it is on its way out or no volume.
pub(in crate::provider) fn volume(shown: &Value) -> Option<Volume> {
    let text = |key: &str| shown.get(key).and_then(Value::as_str);
    let dying = [
        "scheduling_destroy",
        "fork_cleanup",
        "waiting_for_detach",
        "pending_destroy",
        "destroying",
        "destroyed",
    ];
    if text("state").is_some_and(|state| dying.contains(&state)) {
        return None;
    }
    Some(Volume {
        id: VolumeId::new(text("id")?).ok()?,
        name: text("name")?.to_owned(),
        region: Region::new(text("region")?).ok()?,
        size_gb: u32::try_from(shown.get("size_gb")?.as_u64()?).ok()?,
        // The platform's own default, where an answer does not say.
        encrypted: shown.get("encrypted").and_then(Value::as_bool) != Some(false),
        attached_to: text("attached_machine_id").and_then(|id| MachineId::new(id).ok()),
        host: match text("host_status") {
            None | Some("ok") => HostStatus::Ok,
            Some("unreachable") => HostStatus::Unreachable,
            Some(_) => HostStatus::Unknown,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_digest_of_an_image_is_told_or_it_is_none() {
        let digest = |image_ref: Value| {
            let shown = json!({"id": "e784903ce01d83", "name": "calm-river-4821", "state": "started",
                "region": "ams", "config": {"image": "shop:1"}, "image_ref": image_ref});
            let read = machine(shown.to_string().as_bytes()).unwrap();
            assert_eq!(
                read.machine.config.unwrap().image.as_deref(),
                Some("shop:1")
            );
            read.machine.image_digest
        };
        let told = digest(json!({"repository": "shop", "tag": "1", "digest": "sha256:0a"}));
        assert_eq!(told.as_deref(), Some("sha256:0a"));
        for none in [
            Value::Null,
            json!({}),
            json!({"digest": null}),
            json!({"digest": ""}),
            json!({"digest": 7}),
            json!({"digest": "sha256:0a\u{1b}[2J"}),
        ] {
            assert_eq!(digest(none.clone()), None, "{none}");
        }
    }
}
