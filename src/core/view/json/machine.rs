//! `machine list`, `machine status`, and what the verbs that act at once tell of each Machine.

use serde::Serialize;
use serde_json::Value;

use super::FORMAT_VERSION;
use super::status::{self, MachineDocument, OtherDocument};
use crate::core::fleet::secret::{self, HIDDEN};
use crate::core::fleet::{
    AppName, ConfigDigest, FieldChange, GroupName, LaunchId, Machine, MachineEvent, MachineId,
    MachineName, MachineState, Region, VolumeId,
};
use crate::core::view::one::OneView;
use crate::core::view::status::StatusView;

/// Every Machine of an app.
#[derive(Debug, Serialize)]
pub struct ListDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    machines: Vec<MachineDocument<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<OtherDocument<'a>>,
}

/// The document of a list.
pub fn list(view: &StatusView) -> ListDocument<'_> {
    ListDocument {
        format_version: FORMAT_VERSION,
        app: &view.app,
        machines: view.machines.iter().map(status::machine).collect(),
        others: status::others(&view.others),
    }
}

/// One Machine.
#[derive(Debug, Serialize)]
pub struct OneDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    machine: MachineDocument<'a>,
    /// As it is sent, without bookkeeping; what looks secret is hidden.
    config: Option<Value>,
    standby_for: &'a [MachineId],
    events: &'a [MachineEvent],
    state: Option<Remembered<'a>>,
    drift: &'a [FieldChange],
}

/// What the state says of a Machine.
#[derive(Debug, Serialize)]
struct Remembered<'a> {
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
pub fn one<'a>(app: &'a AppName, view: &'a OneView) -> OneDocument<'a> {
    let config = view.config.as_ref().map(|config| {
        let mut tree = config.to_value();
        secret::replace(&mut tree, &mut |_, _| HIDDEN.to_owned());
        tree
    });
    let state = view.known.as_ref().map(|known| Remembered {
        group: &known.group,
        config: &known.config,
        launch: known.launch.as_ref(),
        volumes: &known.volumes,
        standby_for: &known.standby_for,
        replaces: known.replaces.as_ref(),
        requested_region: known.requested_region.as_ref(),
        unproven: known.unproven,
    });
    OneDocument {
        format_version: FORMAT_VERSION,
        app,
        machine: status::machine(&view.status),
        config,
        standby_for: &view.standby_for,
        events: &view.events,
        state,
        drift: &view.drift,
    }
}

/// What was done to one Machine.
#[derive(Debug, Serialize)]
pub struct ActedDocument<'a> {
    format_version: u32,
    action: &'a str,
    id: &'a MachineId,
    name: &'a MachineName,
    group: Option<&'a GroupName>,
    region: &'a Region,
    before: Condition,
    after: Condition,
}

#[derive(Debug, Serialize)]
struct Condition {
    state: MachineState,
    cordoned: bool,
}

impl Condition {
    fn of(machine: &Machine) -> Self {
        Self {
            state: machine.state,
            cordoned: machine.cordoned,
        }
    }
}

/// The document of what was done.
pub fn acted<'a>(action: &'a str, before: &Machine, after: &'a Machine) -> ActedDocument<'a> {
    ActedDocument {
        format_version: FORMAT_VERSION,
        action,
        id: &after.id,
        name: &after.name,
        group: after.group.as_ref(),
        region: &after.region,
        before: Condition::of(before),
        after: Condition::of(after),
    }
}
