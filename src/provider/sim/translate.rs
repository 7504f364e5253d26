//! Calls → the platform's JSON, and its JSON → Machines.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::core::fleet::call::{CreateCall, UpdateCall};
use crate::core::fleet::normal::is_bookkeeping;
use crate::core::fleet::{
    CheckStatus, GroupName, HostStatus, Machine, MachineConfig, MachineId, MachineName, Management,
    Region, Stamps, Volume, VolumeId,
};
use crate::emulator::world::Refusal;
use crate::provider::codes as answers;
use crate::provider::{ErrorClass, ProviderError, bookkeeping};

type Metadata = BTreeMap<String, String>;

pub(super) fn create_body(call: &CreateCall) -> Value {
    let config = with_bookkeeping(&call.config, &call.stamps, &call.group, Metadata::new());
    json!({
        "name": call.name, "region": call.region, "config": config.to_value(),
        "skip_launch": call.skip_launch,
    })
}

/// `live` is the metadata that the Machine bears now: bookkeeping of others stays on it.
pub(super) fn update_body(call: &UpdateCall, live: &Value) -> Value {
    let mut kept = metadata_of(live);
    kept.retain(|key, _| is_bookkeeping(key) && !bookkeeping::is_ours(key));
    let config = with_bookkeeping(&call.config, &call.stamps, &call.group, kept);
    json!({
        "config": config.to_value(), "skip_launch": call.skip_launch,
        "current_version": call.instance,
    })
}

/// The metadata that turns the stamps on a live Machine into these: values, and keys that go.
pub(super) fn stamp_entries(stamps: &Stamps, live: &Value) -> BTreeMap<String, Option<String>> {
    let group = bookkeeping::group(&metadata_of(live));
    let old = metadata_of(live).into_keys();
    let mut entries: BTreeMap<_, _> = old
        .filter(|key| bookkeeping::is_ours(key))
        .map(|key| (key, None))
        .collect();
    let new = bookkeeping::written(stamps, group.as_ref());
    entries.extend(new.into_iter().map(|(key, value)| (key, Some(value))));
    entries
}

/// What is left to say of a Machine that is not there any more.
pub(super) fn destroyed(id: &MachineId) -> Result<Machine, ProviderError> {
    let name = id.as_str();
    machine(&json!({"id": name, "name": name, "region": "unknown", "state": "destroyed"}))
}

fn with_bookkeeping(
    config: &MachineConfig,
    stamps: &Stamps,
    group: &GroupName,
    kept: Metadata,
) -> MachineConfig {
    let mut config = config.clone();
    let metadata = config.metadata.get_or_insert_default();
    metadata.extend(kept);
    metadata.extend(bookkeeping::written(stamps, Some(group)));
    config
}

fn metadata_of(shown: &Value) -> Metadata {
    shown
        .pointer("/config/metadata")
        .and_then(read)
        .unwrap_or_default()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

pub(super) fn machine(shown: &Value) -> Result<Machine, ProviderError> {
    read_machine(shown).ok_or_else(|| {
        let message = format!("the answer is no Machine: {shown}");
        ProviderError::new(ErrorClass::Unknown, answers::UNREADABLE_ANSWER, message)
    })
}

fn read_machine(shown: &Value) -> Option<Machine> {
    let text = |key: &str| shown.get(key).and_then(Value::as_str);
    let metadata = metadata_of(shown);
    let config = match shown.get("config") {
        Some(tree) => {
            let mut config = read::<MachineConfig>(tree)?;
            if let Some(metadata) = &mut config.metadata {
                metadata.retain(|key, _| !is_bookkeeping(key));
            }
            Some(config)
        }
        None => None,
    };
    let mounts = config
        .iter()
        .flat_map(|config| config.mounts.iter().flatten());
    let volumes = mounts.filter_map(|mount| VolumeId::new(mount.volume.clone()?).ok());
    let standbys = config
        .iter()
        .flat_map(|config| config.standbys.iter().flatten());
    Some(Machine {
        id: MachineId::new(text("id")?).ok()?,
        name: MachineName::new(text("name")?).ok()?,
        group: bookkeeping::group(&metadata),
        region: Region::new(text("region")?).ok()?,
        state: read(shown.get("state")?)?,
        instance: text("instance_id").unwrap_or_default().to_owned(),
        stamps: bookkeeping::stamps(&metadata),
        volumes: volumes.collect(),
        standby_for: standbys
            .filter_map(|id| MachineId::new(id.as_str()).ok())
            .collect(),
        host: host(shown),
        cordoned: shown.get("cordoned") == Some(&Value::Bool(true)),
        checks: shown
            .get("checks")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(check)
            .collect(),
        management: if config.is_some() {
            bookkeeping::management(&metadata)
        } else {
            Management::Ours
        },
        created_at: text("created_at").unwrap_or_default().to_owned(),
        config,
        port: None,
        pid: None,
        address: None,
        restarts: 0,
        last_exit: last_exit(shown),
        detail: None,
    })
}

/// The exit code of a Machine that ended by itself; a stop that was asked for is none.
fn last_exit(shown: &Value) -> Option<i32> {
    let newest = shown.get("events")?.get(0)?;
    let exit = newest.get("request")?.get("exit_event")?;
    let is_own = exit.get("requested_stop") == Some(&Value::Bool(false));
    let code = exit.get("exit_code")?.as_i64()?;
    is_own.then(|| i32::try_from(code).ok()).flatten()
}

fn check(shown: &Value) -> Option<CheckStatus> {
    let text = |key: &str| shown.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(CheckStatus {
        name: text("name").to_owned(),
        status: read(shown.get("status")?)?,
        output: text("output").to_owned(),
        updated_at: text("updated_at").to_owned(),
    })
}

fn host(shown: &Value) -> HostStatus {
    shown.get("host_status").and_then(read).unwrap_or_default()
}

pub(super) fn volume(shown: &Value) -> Option<Volume> {
    let text = |key: &str| shown.get(key).and_then(Value::as_str);
    Some(Volume {
        id: VolumeId::new(text("id")?).ok()?,
        name: text("name")?.to_owned(),
        region: Region::new(text("region")?).ok()?,
        size_gb: u32::try_from(shown.get("size_gb")?.as_u64()?).ok()?,
        attached_to: text("attached_machine_id").and_then(|id| MachineId::new(id).ok()),
        host: host(shown),
    })
}

/// What a refusal means for what may be done next (RULES 25: 408 and every 5xx are unknown).
pub(super) fn error(refusal: &Refusal) -> ProviderError {
    let message = refusal.message.as_str();
    let busy = ["getting replaced", "still active", "current state"];
    let (class, code) = match refusal.status {
        401 | 403 => (ErrorClass::Fatal, answers::NO_ACCESS),
        404 => (ErrorClass::NotFound, answers::NOT_FOUND),
        408 => (ErrorClass::Unknown, answers::TIMED_OUT),
        409 if message.contains(answers::ALREADY_EXISTS.name()) => {
            (ErrorClass::Conflict, answers::ALREADY_EXISTS)
        }
        409 => (ErrorClass::Conflict, answers::CONFLICT),
        412 if busy.iter().any(|part| message.contains(part)) => {
            (ErrorClass::Conflict, answers::BUSY)
        }
        412 if message.contains("not currently stopped") => {
            (ErrorClass::Invalid, answers::NOT_STOPPED)
        }
        412 => (ErrorClass::Conflict, answers::FAILED_PRECONDITION),
        429 => (
            ErrorClass::RateLimited(refusal.retry_after),
            answers::RATE_LIMITED,
        ),
        500.. => (ErrorClass::Unknown, answers::SERVER_ERROR),
        _ => (ErrorClass::Invalid, answers::REFUSED),
    };
    ProviderError::new(class, code, message)
}
