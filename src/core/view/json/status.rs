//! `status --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::{
    AppName, CheckState, GroupName, HostStatus, MachineId, MachineName, MachineState, Management,
    Region, RunId, RunRecord, SwapRole, VolumeId,
};
use crate::core::plan::hold::PlannedHold;
use crate::core::plan::{Note, Summary};
use crate::core::view::status::{MachineStatus, OtherProjectMachine, StatusView};

/// The status of one app.
#[derive(Debug, Serialize)]
pub struct StatusDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_from: Option<&'a str>,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a PlannedHold>,
    serial: Option<u64>,
    groups: Vec<StatusGroup<'a>>,
    machines: Vec<MachineDocument<'a>>,
    missing: Vec<MissingDocument<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<OtherProjectDocument<'a>>,
    last_run: Option<&'a RunRecord>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Note],
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<DriftCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanCounts>,
}

#[derive(Debug, Serialize)]
struct DriftCounts {
    changed: usize,
    missing: usize,
    added: usize,
}

#[derive(Debug, Serialize)]
struct PlanCounts {
    summary: Summary,
    refusals: usize,
}

#[derive(Debug, Serialize)]
struct StatusGroup<'a> {
    name: &'a GroupName,
    #[serde(rename = "wanted")]
    desired_count: Option<u32>,
    actual: u32,
    started: u32,
    healthy: u32,
    desired: bool,
    regions: &'a BTreeMap<Region, u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    releases: &'a BTreeMap<u64, u32>,
}

/// One Machine, in every document that lists some.
#[derive(Debug, Serialize)]
pub struct MachineDocument<'a> {
    id: &'a MachineId,
    name: &'a MachineName,
    group: Option<&'a GroupName>,
    region: &'a Region,
    state: MachineState,
    checks: Vec<CheckDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    restarts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    standby: bool,
    cordoned: bool,
    host: HostStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_release: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unproven: Option<UnprovenDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    volumes: &'a [VolumeId],
    #[serde(skip_serializing_if = "str::is_empty")]
    created_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_project: Option<&'a str>,
    known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    swap: Option<SwapRole>,
    management: Management,
}

#[derive(Debug, Serialize)]
struct UnprovenDocument<'a> {
    run: Option<&'a RunId>,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct CheckDocument<'a> {
    name: &'a str,
    status: CheckState,
    #[serde(skip_serializing_if = "str::is_empty")]
    output: &'a str,
}

/// A Machine of another project folder.
#[derive(Debug, Serialize)]
pub struct OtherProjectDocument<'a> {
    project: &'a str,
    id: &'a MachineId,
    name: &'a MachineName,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    state: MachineState,
}

#[derive(Debug, Serialize)]
struct MissingDocument<'a> {
    id: &'a MachineId,
    name: &'a MachineName,
    group: &'a GroupName,
    region: &'a Region,
}

/// The document of a status.
pub fn status(view: &StatusView) -> StatusDocument<'_> {
    let groups = view.groups.iter().map(|group| StatusGroup {
        name: &group.name,
        desired_count: group.desired_count,
        actual: group.actual,
        started: group.started,
        healthy: group.healthy,
        desired: group.is_desired,
        regions: &group.regions,
        releases: &group.releases,
    });
    let missing = view.missing.iter().map(|missing| MissingDocument {
        id: &missing.id,
        name: &missing.name,
        group: &missing.group,
        region: &missing.region,
    });
    StatusDocument {
        format_version: FORMAT_VERSION,
        app: &view.app,
        app_from: view.named_by.as_ref().map(|named| named.source.as_str()),
        provider: &view.provider,
        hold: view.hold.as_ref(),
        serial: view.serial,
        groups: groups.collect(),
        machines: view.machines.iter().map(machine_document).collect(),
        missing: missing.collect(),
        others: other_project_documents(&view.other_project_machines),
        last_run: view.last_run.as_ref(),
        warnings: &view.warnings,
        drift: view.plan_totals.as_ref().map(|now| DriftCounts {
            changed: now.changed,
            missing: now.missing,
            added: now.added,
        }),
        plan: view.plan_totals.as_ref().map(|now| PlanCounts {
            summary: now.summary,
            refusals: now.refusals,
        }),
    }
}

/// The documents of Machines of other project folders.
pub(super) fn other_project_documents(
    all: &[OtherProjectMachine],
) -> Vec<OtherProjectDocument<'_>> {
    all.iter()
        .map(|other| OtherProjectDocument {
            project: &other.project,
            id: &other.id,
            name: &other.name,
            group: other.group.as_ref(),
            state: other.state,
        })
        .collect()
}

/// The document of one Machine.
pub(super) fn machine_document(machine: &MachineStatus) -> MachineDocument<'_> {
    let checks = machine.checks.iter().map(|check| CheckDocument {
        name: &check.name,
        status: check.status,
        output: &check.output,
    });
    MachineDocument {
        id: &machine.id,
        name: &machine.name,
        group: machine.group.as_ref(),
        region: &machine.region,
        state: machine.state,
        checks: checks.collect(),
        pid: machine.pid,
        address: machine.address.as_deref(),
        restarts: machine.restarts,
        detail: machine.detail.as_deref(),
        standby: machine.standby,
        cordoned: machine.cordoned,
        host: machine.host,
        release: machine.release,
        newer_release: machine.newer_release,
        unproven: machine.unproven.as_ref().map(|unproven| UnprovenDocument {
            run: unproven.run.as_ref(),
            text: &unproven.text,
        }),
        image: machine.image.as_deref(),
        size: machine.size.as_deref(),
        volumes: &machine.volumes,
        created_at: &machine.created_at,
        other_project: machine.other_project.as_deref(),
        known: machine.known,
        swap: machine.swap,
        management: machine.management,
    }
}
