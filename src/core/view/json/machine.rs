//! `machine list`, `machine status`, and results of verbs that act on Machines directly.

use serde::Serialize;
use serde_json::Value;

use super::FORMAT_VERSION;
use super::status::{self, MachineDocument, OtherProjectDocument};
use crate::core::fleet::secret::{self, HIDDEN};
use crate::core::fleet::{
    AppName, ConfigDigest, FieldChange, GroupName, LaunchId, Machine, MachineEvent, MachineId,
    MachineName, MachineState, Region, VolumeId,
};
use crate::core::view::machine::MachineView;
use crate::core::view::status::StatusView;

/// Every Machine of an app.
#[derive(Debug, Serialize)]
pub struct ListDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    machines: Vec<MachineDocument<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<OtherProjectDocument<'a>>,
}

/// The document of a list.
pub fn list(view: &StatusView) -> ListDocument<'_> {
    ListDocument {
        format_version: FORMAT_VERSION,
        app: &view.app,
        machines: view.machines.iter().map(status::machine_document).collect(),
        others: status::other_project_documents(&view.other_project_machines),
    }
}

/// One Machine.
#[derive(Debug, Serialize)]
pub struct MachineDetailDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    machine: MachineDocument<'a>,
    /// As sent, without bookkeeping; values that look secret are hidden.
    config: Option<Value>,
    standby_for: &'a [MachineId],
    events: &'a [MachineEvent],
    state: Option<KnownMachineDocument<'a>>,
    drift: &'a [FieldChange],
}

/// What the state says of a Machine.
#[derive(Debug, Serialize)]
struct KnownMachineDocument<'a> {
    group: &'a GroupName,
    config: &'a ConfigDigest,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch: Option<&'a LaunchId>,
    volumes: &'a [VolumeId],
    standby_for: &'a [MachineId],
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a MachineId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_region: Option<&'a Region>,
    unproven: bool,
}

/// The document of one Machine.
pub fn detail<'a>(app: &'a AppName, view: &'a MachineView) -> MachineDetailDocument<'a> {
    let config = view.config.as_ref().map(|config| {
        let mut tree = config.to_value();
        secret::replace_secrets(&mut tree, &mut |_, _| HIDDEN.to_owned());
        tree
    });
    let state = view.known.as_ref().map(|known| KnownMachineDocument {
        group: &known.group,
        config: &known.config,
        launch: known.launch.as_ref(),
        volumes: &known.volumes,
        standby_for: &known.standby_for,
        replaces: known.replaces.as_ref(),
        requested_region: known.requested_region.as_ref(),
        unproven: known.unproven,
    });
    MachineDetailDocument {
        format_version: FORMAT_VERSION,
        app,
        machine: status::machine_document(&view.status),
        config,
        standby_for: &view.standby_for,
        events: &view.events,
        state,
        drift: &view.drift,
    }
}

/// The result of a verb for one Machine.
#[derive(Debug, Serialize)]
pub struct ActionDocument<'a> {
    format_version: u32,
    action: &'a str,
    id: &'a MachineId,
    name: &'a MachineName,
    group: Option<&'a GroupName>,
    region: &'a Region,
    before: MachineCondition,
    after: MachineCondition,
}

#[derive(Debug, Serialize)]
struct MachineCondition {
    state: MachineState,
    cordoned: bool,
}

impl MachineCondition {
    fn of(machine: &Machine) -> Self {
        Self {
            state: machine.state,
            cordoned: machine.cordoned,
        }
    }
}

/// The document of a result.
pub fn action<'a>(action: &'a str, before: &Machine, after: &'a Machine) -> ActionDocument<'a> {
    ActionDocument {
        format_version: FORMAT_VERSION,
        action,
        id: &after.id,
        name: &after.name,
        group: after.group.as_ref(),
        region: &after.region,
        before: MachineCondition::of(before),
        after: MachineCondition::of(after),
    }
}
