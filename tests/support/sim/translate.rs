//! Converts calls to the platform's JSON and its JSON to Machines, using provider `fly`'s functions.

use std::collections::BTreeMap;

use aeroform::core::fleet::call::{CreateCall, UpdateCall, VolumeCall};
use aeroform::core::fleet::{AppName, Lineage, Machine, MachineEvent, MachineId, Stamps, Volume};
use aeroform::emulator::world::Refusal;
use aeroform::provider::ProviderError;
use aeroform::provider::fly::{body, errors, events, wire};
use serde_json::Value;

type Metadata = BTreeMap<String, String>;

pub(super) fn create_body(call: &CreateCall) -> Value {
    body::create(call, Metadata::new(), None)
}

/// `live` is the Machine's current JSON.
pub(super) fn update_body(call: &UpdateCall, live: &Value) -> Value {
    body::update(call, metadata_of(live))
}

/// The metadata changes that turn a live Machine's stamps into these: values, and keys to remove.
pub(super) fn stamp_entries(stamps: &Stamps, live: &Value) -> BTreeMap<String, Option<String>> {
    body::stamp_changes(stamps, &metadata_of(live))
}

/// A placeholder for a destroyed Machine.
pub(super) fn destroyed(id: &MachineId) -> Machine {
    wire::destroyed_machine(id)
}

fn metadata_of(shown: &Value) -> Metadata {
    let metadata = shown.pointer("/config/metadata");
    metadata
        .and_then(|metadata| serde_json::from_value(metadata.clone()).ok())
        .unwrap_or_default()
}

/// The id of an app.
pub(super) fn scope(app: &AppName, shown: &Value) -> Result<Lineage, ProviderError> {
    wire::parse_scope(app, shown).map_err(|why| errors::unreadable_response("the world", why))
}

pub(super) fn machine(shown: &Value) -> Result<Machine, ProviderError> {
    let read = wire::parse_machine(shown.to_string().as_bytes());
    let read = read.map_err(|why| errors::unreadable_response("the world", why))?;
    Ok(read.machine)
}

pub(super) fn volume_body(call: &VolumeCall) -> Value {
    body::create_volume(call)
}

pub(super) fn volume(shown: &Value) -> Result<Volume, ProviderError> {
    wire::parse_volume(shown)
        .ok_or_else(|| errors::unreadable_response("the world", "not a volume"))
}

pub(super) fn volumes(shown: &Value) -> Result<Vec<Volume>, ProviderError> {
    wire::parse_volumes(shown).map_err(|why| errors::unreadable_response("the world", why))
}

/// The Machines of a list, and the problems of its unreadable entries.
pub(super) fn machines(shown: &Value) -> Result<(Vec<Machine>, Vec<String>), ProviderError> {
    let read = wire::parse_machines(shown.to_string().as_bytes());
    let (read, unreadable) = read.map_err(|why| errors::unreadable_response("the world", why))?;
    Ok((
        read.into_iter().map(|read| read.machine).collect(),
        unreadable,
    ))
}

pub(super) fn events(shown: &Value) -> Vec<MachineEvent> {
    events::parse_events(shown)
}

/// Converts a refusal to a provider error.
pub(super) fn error(refusal: &Refusal) -> ProviderError {
    let mut message = refusal.message.clone();
    if let Some(kind) = refusal.kind {
        message = format!("{message} ({kind})");
    }
    let (class, code) = errors::classify(refusal.status, &message, refusal.retry_after);
    ProviderError::new(class, code, message)
}
