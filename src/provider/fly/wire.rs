//! Parses the API's Machines and volumes (docs/platform/machines-api.md 10, 16, 17).
//!
//! Lists are parsed by borrowing from the body. Values with another JSON type than the schema's are converted
//! by [`lenient`]; if that fails, only that Machine becomes unreadable. Names that cannot be shown are
//! dropped.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::Metadata;
use super::events;
use crate::core::fleet::normalise::{is_bookkeeping, is_image_digest};
use crate::core::fleet::{
    AppName, CheckState, CheckStatus, HostStatus, Lineage, Machine, MachineConfig, MachineId,
    MachineName, MachineState, ProcessEvent, ProcessEventKind, Region, Volume, VolumeId, lenient,
};
use crate::provider::{MachineVersion, bookkeeping};

/// A Machine in the API's JSON.
#[derive(Deserialize)]
pub(super) struct MachineJson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    region: Option<Cow<'a, str>>,
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
    incomplete_config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    image_ref: Option<&'a RawValue>,
    #[serde(borrow, default)]
    checks: Option<Vec<CheckJson<'a>>>,
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
struct CheckJson<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    updated_at: Option<Cow<'a, str>>,
}

/// A Machine, and other fields of its response.
pub struct ParsedMachine {
    /// The Machine.
    pub machine: Machine,
    /// All metadata, including bookkeeping.
    pub metadata: Metadata,
    /// The nonce of the lease that a create acquired.
    pub nonce: Option<String>,
}

/// The id of an app, or a substitute if the response has none.
pub fn parse_scope(app: &AppName, shown: &Value) -> Result<Lineage, String> {
    if !shown.is_object() {
        return Err("not an object".to_owned());
    }
    let text = |pointer: &str| shown.pointer(pointer).and_then(lenient::as_text);
    if let Some(id) = text("/id").filter(|id| !id.is_empty()) {
        return Lineage::new(id).map_err(|error| error.rule.to_owned());
    }
    let organization = text("/organization/slug").or_else(|| text("/organization/name"));
    Ok(Lineage::derive_from_names(
        &organization.unwrap_or_default(),
        app,
    ))
}

/// The maximum length of a problem's description, in characters: it may contain foreign keys.
const MAX_PROBLEM_LEN: usize = 200;

/// Parses one Machine; the error says why it is not one.
pub fn parse_machine(body: &[u8]) -> Result<ParsedMachine, String> {
    parse_list_entry(serde_json::from_slice(body).map_err(|_| INVALID_JSON.to_owned())?)
}

const INVALID_JSON: &str = "not valid JSON";

/// Parses a list of Machines; returns a problem for each entry that is not a Machine.
pub fn parse_machines(body: &[u8]) -> Result<(Vec<ParsedMachine>, Vec<String>), String> {
    // A Go server encodes an empty list as null.
    let rows: Option<Vec<&RawValue>> = match serde_json::from_slice(body) {
        Ok(rows) => rows,
        Err(error) if error.is_data() => return Err("not a list".to_owned()),
        Err(_) => return Err(INVALID_JSON.to_owned()),
    };
    let mut alike = ConfigCache::default();
    let (mut machines, mut unreadable) = (Vec::new(), Vec::new());
    for (number, row) in (1..).zip(rows.unwrap_or_default()) {
        match parse_list_entry(row) {
            Ok(mut read) => {
                read.machine.config = read.machine.config.take().map(|config| alike.share(config));
                machines.push(read);
            }
            Err(why) => unreadable.push(format!("entry {number} of the list of Machines: {why}")),
        }
    }
    Ok((machines, unreadable))
}

/// Parses the versions of a Machine; skips those that are not understood.
pub fn parse_versions(shown: &Value) -> Vec<MachineVersion> {
    let rows = shown.as_array().into_iter().flatten();
    let configs = rows.filter_map(|row| {
        let config = row.get("user_config")?;
        let release = config.pointer("/metadata").and_then(Value::as_object);
        let metadata = release.into_iter().flatten();
        let metadata =
            metadata.filter_map(|(key, value)| Some((key.clone(), lenient::as_text(value)?)));
        let stamps = bookkeeping::parse_stamps(&metadata.collect());
        Some(MachineVersion {
            release: stamps.release.map(|release| release.version),
            config: MachineConfig::parse(&config.to_string()).ok()?,
        })
    });
    configs.collect()
}

fn parse_list_entry(row: &RawValue) -> Result<ParsedMachine, String> {
    if let Ok(shown) = serde_json::from_str::<MachineJson<'_>>(row.get()) {
        return shown.read();
    }
    let mended = repair_fields(row.get())?;
    let shown: MachineJson<'_> =
        serde_json::from_str(&mended).map_err(|_| "it has no id".to_owned())?;
    shown.read()
}

/// Converts fields to the schema's types; drops those that cannot be converted.
fn repair_fields(text: &str) -> Result<String, String> {
    let rows: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|_| "not an object".to_owned())?;
    let mut fields = serde_json::Map::new();
    for (key, raw) in rows {
        let value: Result<Value, _> = serde_json::from_str(raw.get());
        let converted = match (key.as_str(), value) {
            // Keeps an unreadable config visible as such.
            ("config", Err(_)) => Some(Value::String(String::new())),
            (_, Err(_)) => None,
            ("config" | "incomplete_config" | "image_ref" | "events", Ok(value)) => Some(value),
            ("cordoned", Ok(value)) => lenient::as_text(&value)
                .and_then(|text| text.parse().ok())
                .map(Value::Bool),
            ("checks", Ok(value)) => Some(Value::Array(repair_checks(&value))),
            (_, Ok(value)) => lenient::as_text(&value).map(Value::String),
        };
        fields.extend(converted.map(|value| (key, value)));
    }
    Ok(Value::Object(fields).to_string())
}

fn repair_checks(shown: &Value) -> Vec<Value> {
    let rows = shown.as_array().into_iter().flatten();
    rows.filter(|row| row.is_object())
        .map(|row| serde_json::json!(lenient::as_text_map(row)))
        .collect()
}

/// Caches the last distinct configs of a list. A group's Machines share few configs, and ten thousand equal
/// trees would take most of a list's memory.
#[derive(Default)]
struct ConfigCache(VecDeque<Arc<MachineConfig>>);

impl ConfigCache {
    const CAPACITY: usize = 8;

    fn share(&mut self, config: Arc<MachineConfig>) -> Arc<MachineConfig> {
        let equal = self.0.iter().find(|other| **other == config);
        if let Some(equal) = equal {
            return Arc::clone(equal);
        }
        self.0.truncate(Self::CAPACITY - 1);
        self.0.push_front(Arc::clone(&config));
        config
    }
}

/// A placeholder for a destroyed Machine.
pub fn destroyed_machine(id: &MachineId) -> Machine {
    let body = serde_json::json!({
        "id": id, "name": id, "region": "unknown", "state": "destroyed",
    });
    let read = parse_machine(body.to_string().as_bytes());
    read.expect("this is a Machine").machine
}

impl MachineJson<'_> {
    fn read(&self) -> Result<ParsedMachine, String> {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let (mut config, unreadable) = match non_null(self.config).map(MachineConfig::parse) {
            None => (None, None),
            Some(Ok(config)) => (Some(config), None),
            Some(Err(why)) => {
                let why: String = why.chars().take(MAX_PROBLEM_LEN).collect();
                (None, Some(why))
            }
        };
        let partial = if config.is_none() {
            self.partial()
        } else {
            PartialConfig::default()
        };
        let mut metadata = partial.metadata;
        if let Some(own) = config.as_mut().and_then(|config| config.metadata.as_mut()) {
            metadata.clone_from(own);
            own.retain(|key, _| !is_bookkeeping(key));
        }
        let (state, unknown) = parse_state(self.state.as_deref());
        let events = self
            .events
            .map(events::parse_process_events)
            .unwrap_or_default();
        let ended = self.exit_summary(&events);
        let mounts = config.iter().flat_map(|c| c.mounts.iter().flatten());
        let volumes = mounts.filter_map(|mount| VolumeId::new(mount.volume.clone()?).ok());
        let standbys = config.iter().flat_map(|c| c.standbys.iter().flatten());
        let region = self
            .region
            .as_deref()
            .and_then(|text| Region::new(text).ok());
        let problem = unreadable
            .as_ref()
            .map(|why| format!("its config cannot be parsed: {why}"));
        let name = self.name().map_err(|error| error.to_string())?;
        let machine = Machine {
            id: MachineId::new(self.id.as_ref()).map_err(|error| error.to_string())?,
            management: if config.is_some() {
                bookkeeping::classify_management(&name, &metadata)
            } else {
                bookkeeping::classify_partial_metadata(&name, &metadata)
            },
            name,
            group: bookkeeping::parse_group(&metadata),
            region: region.unwrap_or_else(Region::unknown),
            state,
            instance: text(if self.instance_id.is_some() {
                &self.instance_id
            } else {
                &self.version
            }),
            stamps: bookkeeping::parse_stamps(&metadata),
            volumes: volumes.collect(),
            standby_for: standbys
                .filter_map(|id| MachineId::new(id.as_str()).ok())
                .collect(),
            host: match self.host_status.as_deref() {
                None | Some("" | "ok") => HostStatus::Ok,
                Some("unreachable") => HostStatus::Unreachable,
                Some(_) => HostStatus::Unknown,
            },
            cordoned: self.cordoned.unwrap_or(false),
            project: None,
            checks: self
                .checks
                .iter()
                .flatten()
                .filter_map(parse_check)
                .collect(),
            created_at: text(&self.created_at),
            config: config.map(Arc::new),
            unreadable,
            partial_image: partial.image,
            image_digest: self.image_digest(),
            port: None,
            pid: None,
            address: self.private_ip.as_deref().map(str::to_owned),
            restarts: ended.restarts,
            events,
            detail: problem.or(unknown).or(ended.detail),
        };
        Ok(ParsedMachine {
            machine,
            metadata,
            nonce: self.nonce.as_deref().map(str::to_owned),
        })
    }

    /// The fields known of a Machine whose config is incomplete or cannot be parsed (rule 9).
    fn partial(&self) -> PartialConfig {
        let raw = non_null(self.config).or_else(|| non_null(self.incomplete_config));
        let tree: Option<Value> = raw.and_then(|text| serde_json::from_str(text).ok());
        let field = |key: &str| tree.as_ref().and_then(|tree| tree.get(key));
        PartialConfig {
            metadata: field("metadata")
                .map(lenient::as_text_map)
                .unwrap_or_default(),
            image: field("image").and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// The digest of its image, if it is valid.
    fn image_digest(&self) -> Option<String> {
        let shown: ImageRef<'_> = serde_json::from_str(self.image_ref?.get()).ok()?;
        let digest = shown.digest?;
        is_image_digest(&digest).then(|| digest.into_owned())
    }

    /// Its name, or its id if the name cannot be shown; Aeroform never creates such names.
    fn name(&self) -> Result<MachineName, impl std::fmt::Display> {
        let name = MachineName::new(self.name.as_deref().unwrap_or_default());
        name.or_else(|_| MachineName::new(self.id.as_ref()))
    }

    /// The last exit of its process, if it is down or restarting without a request.
    fn exit_summary(&self, events: &[ProcessEvent]) -> ExitSummary {
        let down = !matches!(self.state.as_deref(), Some("started" | "suspended"));
        let last = events
            .iter()
            .filter(|_| down)
            .find_map(|event| match event.kind {
                ProcessEventKind::Exited(exit) => Some(exit),
                _ => None,
            });
        last.filter(|exit| !exit.requested)
            .map_or_else(ExitSummary::default, |exit| ExitSummary {
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
struct ExitSummary {
    restarts: u32,
    detail: Option<String>,
}

#[derive(Default)]
struct PartialConfig {
    metadata: Metadata,
    image: Option<String>,
}

/// The text of a value other than null.
fn non_null(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|text| *text != "null")
}

/// The platform's state, and a detail for a missing or unknown one.
fn parse_state(text: Option<&str>) -> (MachineState, Option<String>) {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        let said = "the platform returned no state for it".to_owned();
        return (MachineState::Unknown, Some(said));
    };
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
        other => return (MachineState::Unknown, Some(format!("state `{other}`"))),
    };
    (state, None)
}

fn parse_check(shown: &CheckJson<'_>) -> Option<CheckStatus> {
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    let name = text(&shown.name);
    // Names of the server's own checks, which say nothing about the app (docs/platform/machines-api.md 16).
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

/// Parses a list of volumes; skips volumes being destroyed.
pub fn parse_volumes(shown: &Value) -> Result<Vec<Volume>, String> {
    match shown {
        // A Go server encodes an empty list as null.
        Value::Null => Ok(Vec::new()),
        Value::Array(rows) => Ok(rows.iter().filter_map(parse_volume).collect()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err("not a list".to_owned())
        }
    }
}

/// Parses one volume; `None` if it is being destroyed or is not a volume.
pub fn parse_volume(shown: &Value) -> Option<Volume> {
    let text = |key: &str| shown.get(key).and_then(lenient::as_text);
    let dying = [
        "scheduling_destroy",
        "fork_cleanup",
        "waiting_for_detach",
        "pending_destroy",
        "destroying",
        "destroyed",
    ];
    if text("state").is_some_and(|state| dying.contains(&state.as_str())) {
        return None;
    }
    let size = shown.get("size_gb").and_then(lenient::as_whole_number);
    Some(Volume {
        id: VolumeId::new(text("id")?).ok()?,
        name: text("name")?,
        region: Region::new(text("region")?).ok()?,
        size_gb: size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0),
        // The platform's default if the response does not say.
        encrypted: text("encrypted").as_deref() != Some("false"),
        attached_to: text("attached_machine_id").and_then(|id| MachineId::new(id).ok()),
        host: match text("host_status").as_deref() {
            None | Some("" | "ok") => HostStatus::Ok,
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
    fn the_digest_of_an_image_is_read_or_it_is_none() {
        let digest = |image_ref: Value| {
            let shown = json!({"id": "e784903ce01d83", "name": "calm-river-4821", "state": "started",
                "region": "ams", "config": {"image": "shop:1"}, "image_ref": image_ref});
            let read = parse_machine(shown.to_string().as_bytes()).unwrap();
            assert_eq!(
                read.machine.config.unwrap().image.as_deref(),
                Some("shop:1")
            );
            read.machine.image_digest
        };
        let parsed = digest(json!({"repository": "shop", "tag": "1", "digest": "sha256:0a"}));
        assert_eq!(parsed.as_deref(), Some("sha256:0a"));
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
