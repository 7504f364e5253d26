//! `state list --json`, `state show --json`, `state log --json`, `state push --json`, and the state after a manual change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::FORMAT_VERSION;
use crate::core::fleet::digest::HIDDEN_PREFIX;
use crate::core::fleet::secret::HIDDEN;
use crate::core::fleet::{
    AppName, ConfigDigest, GroupName, Known, KnownMachine, LaunchId, Lineage, MachineId,
    MachineName, PendingCreate, Region, ReleaseRecord, RunId, RunRecord, VolumeId,
};
use crate::core::view::StateMove;

/// The remembered Machines.
#[derive(Debug, Serialize)]
pub struct StateList<'a> {
    format_version: u32,
    app: &'a AppName,
    serial: u64,
    machines: Vec<KnownMachineRow<'a>>,
}

/// One remembered Machine.
#[derive(Debug, Serialize)]
pub struct KnownMachineRow<'a> {
    id: &'a MachineId,
    name: &'a MachineName,
    group: &'a GroupName,
    region: &'a Region,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_region: Option<&'a Region>,
    config: &'a ConfigDigest,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch: Option<&'a LaunchId>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    volumes: &'a [VolumeId],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    standby_for: &'a [MachineId],
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a MachineId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unproven: bool,
}

/// Everything that is remembered; hidden values of variables as `(hidden)`.
#[derive(Debug, Serialize)]
pub struct StateShow<'a> {
    format_version: u32,
    app: &'a AppName,
    provider: &'a str,
    lineage: Option<&'a Lineage>,
    serial: u64,
    run: Option<&'a RunId>,
    release: Option<u64>,
    protect: &'a BTreeSet<GroupName>,
    ignored: &'a BTreeSet<MachineId>,
    pending: &'a [PendingCreate],
    runs: &'a [RunRecord],
    releases: &'a [ReleaseRecord],
    configs: BTreeMap<&'a ConfigDigest, Value>,
    machines: Vec<KnownMachineRow<'a>>,
}

/// The runs that are remembered, the newest first.
#[derive(Debug, Serialize)]
pub struct StateLog<'a> {
    format_version: u32,
    app: &'a AppName,
    lineage: Option<&'a Lineage>,
    serial: u64,
    runs: Vec<&'a RunRecord>,
}

/// A state that was published.
#[derive(Debug, Serialize)]
pub struct StatePush<'a> {
    format_version: u32,
    #[serde(rename = "place")]
    location: &'a str,
    serial: u64,
}

/// The document of `state list`.
pub fn list(known: &Known) -> StateList<'_> {
    StateList {
        format_version: FORMAT_VERSION,
        app: &known.app,
        serial: known.serial,
        machines: known_machine_rows(known),
    }
}

/// The document of `state show`.
pub fn show(known: &Known) -> StateShow<'_> {
    let configs = known
        .configs
        .iter()
        .map(|(digest, config)| (digest, hide_digests(config.tree())));
    StateShow {
        format_version: FORMAT_VERSION,
        app: &known.app,
        provider: &known.provider,
        lineage: known.lineage.as_ref(),
        serial: known.serial,
        run: known.run.as_ref(),
        release: known.release,
        protect: &known.protected_groups,
        ignored: &known.ignored_machines,
        pending: &known.pending_creates,
        runs: &known.runs,
        releases: &known.releases,
        configs: configs.collect(),
        machines: known_machine_rows(known),
    }
}

/// The document of `state log`.
pub fn log(known: &Known) -> StateLog<'_> {
    StateLog {
        format_version: FORMAT_VERSION,
        app: &known.app,
        lineage: known.lineage.as_ref(),
        serial: known.serial,
        runs: known.runs.iter().rev().collect(),
    }
}

/// The place of a state after `state migrate`.
#[derive(Debug, Serialize)]
pub struct StateMigrate<'a> {
    format_version: u32,
    app: &'a AppName,
    from: &'a str,
    to: &'a str,
    lineage: Option<&'a Lineage>,
    serial: Option<u64>,
    moved: bool,
    commit: &'a [String],
}

/// The document of `state migrate`: whether anything was changed, and the files to commit.
pub fn migrate<'a>(view: &'a StateMove, moved: bool, commit: &'a [String]) -> StateMigrate<'a> {
    StateMigrate {
        format_version: FORMAT_VERSION,
        app: &view.app,
        from: &view.from,
        to: &view.to,
        lineage: view.lineage.as_ref(),
        serial: view.serial,
        moved,
        commit,
    }
}

/// The document of `state push`.
pub fn push(location: &str, serial: u64) -> StatePush<'_> {
    StatePush {
        format_version: FORMAT_VERSION,
        location,
        serial,
    }
}

/// The state after one Machine was removed from it or added to it.
#[derive(Debug, Serialize)]
pub struct KnownMachineChange<'a> {
    format_version: u32,
    #[serde(rename = "place")]
    location: &'a str,
    serial: u64,
    machine: &'a MachineId,
    group: &'a GroupName,
}

/// The document of `state rm` and `import ID`.
pub fn machine_change<'a>(
    location: &'a str,
    serial: u64,
    machine: &'a MachineId,
    group: &'a GroupName,
) -> KnownMachineChange<'a> {
    KnownMachineChange {
        format_version: FORMAT_VERSION,
        location,
        serial,
        machine,
        group,
    }
}

fn known_machine_rows(known: &Known) -> Vec<KnownMachineRow<'_>> {
    known
        .machines
        .iter()
        .map(|(id, machine)| known_machine_row(id, machine))
        .collect()
}

fn known_machine_row<'a>(id: &'a MachineId, machine: &'a KnownMachine) -> KnownMachineRow<'a> {
    KnownMachineRow {
        id,
        name: &machine.name,
        group: &machine.group,
        region: &machine.region,
        requested_region: machine.requested_region.as_ref(),
        config: &machine.config,
        launch: machine.launch.as_ref(),
        volumes: &machine.volumes,
        standby_for: &machine.standby_for,
        replaces: machine.replaces.as_ref(),
        unproven: machine.unproven,
    }
}

/// The state file has digests of hidden values to detect changes; they are never printed (rule 37).
fn hide_digests(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(HIDDEN_PREFIX) => Value::from(HIDDEN),
        Value::Array(items) => items.iter().map(hide_digests).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), hide_digests(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
