//! The data of `aeroform status`: actual Machines with desired counts and the state's records.
//!
//! Joins them by Machine id and by group. The views are [`super::terminal::status()`] and [`super::json::status`].

use std::collections::BTreeMap;

use crate::core::fleet::profile::profile;
use crate::core::fleet::{
    AppName, AppNameSource, CheckState, CheckStatus, Count, Desired, GroupName, HostStatus, Known,
    KnownMachine, Machine, MachineId, MachineName, MachineState, Management, Observed, Region,
    RunRecord, Stamps, SwapRole, VolumeId, schema::Guest,
};
use crate::core::plan::hold::PlannedHold;
use crate::core::plan::{DriftKind, Note, Plan, Summary, Unproven, codes, unproven_machines};

/// The status of one app.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusView {
    /// The app.
    pub app: AppName,
    /// The source of the app's name; none for fly.toml.
    pub named_by: Option<AppNameSource>,
    /// The provider by name.
    pub provider: String,
    /// The release that the app follows (`[hold]`).
    pub hold: Option<PlannedHold>,
    /// Serial of the state; none without one.
    pub serial: Option<u64>,
    /// Groups that are desired or have Machines, by name.
    pub groups: Vec<GroupStatus>,
    /// Machines by group, region and id; without a group last.
    pub machines: Vec<MachineStatus>,
    /// Machines of the state that the provider does not have.
    pub missing: Vec<MissingMachineStatus>,
    /// Machines of the same app that belong to other project folders, by folder and id.
    pub other_project_machines: Vec<OtherProjectMachine>,
    /// The last run in the state.
    pub last_run: Option<RunRecord>,
    /// Warnings: the app may have Machines that are not listed, and groups without a running Machine.
    pub warnings: Vec<Note>,
    /// Totals of a plan; none without a plan.
    pub plan_totals: Option<PlanTotals>,
}

/// Totals of a plan from the same snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanTotals {
    /// Machines whose fields were changed outside.
    pub changed: usize,
    /// Machines of the state that are gone.
    pub missing: usize,
    /// Machines that the state does not list.
    pub added: usize,
    /// The planned changes.
    pub summary: Summary,
    /// Number of refusals.
    pub refusals: usize,
}

/// A group's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Its name.
    pub name: GroupName,
    /// The desired count with standbys; none if no manifest sets it.
    pub desired_count: Option<u32>,
    /// Actual Machines with standbys.
    pub actual: u32,
    /// Started Machines.
    pub started: u32,
    /// Started Machines whose checks all pass.
    pub healthy: u32,
    /// Whether the manifests have it; true without manifests.
    pub is_desired: bool,
    /// Machines per region, with standbys.
    pub regions: BTreeMap<Region, u32>,
    /// Machines per release, where known.
    pub releases: BTreeMap<u64, u32>,
}

/// One Machine.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state machine"
)]
pub struct MachineStatus {
    /// Its id.
    pub id: MachineId,
    /// Its name.
    pub name: MachineName,
    /// Its group.
    pub group: Option<GroupName>,
    /// Where.
    pub region: Region,
    /// What it does.
    pub state: MachineState,
    /// Its checks.
    pub checks: Vec<CheckStatus>,
    /// Its process id.
    pub pid: Option<u32>,
    /// Its address.
    pub address: Option<String>,
    /// Restarts since its last start.
    pub restarts: u32,
    /// A remark for people.
    pub detail: Option<String>,
    /// Whether it is a standby.
    pub standby: bool,
    /// Whether Fly Proxy sends it no requests.
    pub cordoned: bool,
    /// The status of its host.
    pub host: HostStatus,
    /// The release that changed it last, where known.
    pub release: Option<u64>,
    /// The newest release of its group, where it runs an older one.
    pub newer_release: Option<u64>,
    /// Its last change was never seen healthy; none as well without manifests or a state.
    pub unproven: Option<Unproven>,
    /// Its image, if its config can be read; untrusted text.
    pub image: Option<String>,
    /// CPU and memory (`shared-cpu-1x:256MB`), if its config has them.
    pub size: Option<String>,
    /// Its volumes.
    pub volumes: Vec<VolumeId>,
    /// When it was created, RFC 3339; empty if unknown.
    pub created_at: String,
    /// The project folder that it belongs to, if not this one.
    pub other_project: Option<String>,
    /// Whether it is in the state.
    pub known: bool,
    /// Whether it counts for its group, as in a plan: not if it belongs to a release command or a console, or was removed
    /// from the state.
    pub counts_for_group: bool,
    /// Its part in a swap that has not ended.
    pub swap: Option<SwapRole>,
    /// Whether it is the canary of a run of ours.
    pub canary: bool,
    /// Who manages it.
    pub management: Management,
}

/// A Machine that belongs to another project folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherProjectMachine {
    /// The folder.
    pub project: String,
    /// Its id.
    pub id: MachineId,
    /// Its name.
    pub name: MachineName,
    /// Its group.
    pub group: Option<GroupName>,
    /// What it does.
    pub state: MachineState,
}

/// A Machine of the state that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingMachineStatus {
    /// Its id.
    pub id: MachineId,
    /// Its name.
    pub name: MachineName,
    /// Its group.
    pub group: GroupName,
    /// Where it was.
    pub region: Region,
}

impl StatusView {
    /// Joins the provider's snapshot with manifests and state, if available.
    pub fn of(
        provider: &str,
        desired: Option<&Desired>,
        known: Option<&Known>,
        observed: &Observed,
    ) -> Self {
        let mut machines: Vec<MachineStatus> = observed
            .machines
            .values()
            .filter(|machine| machine.state != MachineState::Destroyed)
            .map(|machine| MachineStatus::of(machine, known))
            .collect();
        machines.sort_by(|a, b| {
            let key = |m: &MachineStatus| (m.group.is_none(), m.group.clone());
            (key(a), &a.region, &a.id).cmp(&(key(b), &b.region, &b.id))
        });
        if let (Some(desired), Some(known)) = (desired, known) {
            let mut unproven = unproven_machines(desired, known, observed);
            for machine in &mut machines {
                machine.unproven = unproven.remove(&machine.id);
            }
        }
        mark_older_releases(&mut machines, known);
        let there = |id: &MachineId| {
            observed
                .machines
                .get(id)
                .is_some_and(|machine| machine.state != MachineState::Destroyed)
        };
        let missing: Vec<MissingMachineStatus> = known
            .into_iter()
            .flat_map(|known| &known.machines)
            .filter(|(id, _)| !there(id))
            .map(|(id, machine)| MissingMachineStatus {
                id: id.clone(),
                name: machine.name.clone(),
                group: machine.group.clone(),
                region: machine.region.clone(),
            })
            .collect();
        Self {
            app: observed.app.clone(),
            named_by: desired.and_then(|desired| desired.app_name_source.clone()),
            provider: provider.to_owned(),
            hold: desired.and_then(PlannedHold::of),
            serial: known.map(|k| k.serial).filter(|serial| *serial > 0),
            groups: group_statuses(desired, &machines, &missing),
            machines,
            missing,
            other_project_machines: other_project_machines(observed),
            last_run: known.and_then(|known| known.runs.last().cloned()),
            warnings: Note::unconfirmed_app(observed).into_iter().collect(),
            plan_totals: None,
        }
    }

    /// Adds the totals of a plan from the same snapshot.
    #[must_use]
    pub fn with_plan(mut self, plan: &Plan) -> Self {
        let of = |kind| plan.drift.iter().filter(|drift| drift.kind == kind).count();
        let not_running = |note: &&Note| note.code == codes::NOT_RUNNING.name();
        let not_running = plan.warnings.iter().filter(not_running);
        self.warnings.extend(not_running.cloned());
        self.plan_totals = Some(PlanTotals {
            changed: of(DriftKind::Changed),
            missing: of(DriftKind::Missing),
            added: of(DriftKind::Added),
            summary: plan.summary(),
            refusals: plan.refusals.len(),
        });
        self
    }
}

impl StatusView {
    /// Whether release numbers are the state's own: the provider has no releases.
    pub fn has_own_releases(&self) -> bool {
        !profile(&self.provider).deployed_by_flyctl
    }

    /// Whether an empty list is the only evidence that the app has no Machine.
    pub fn is_unconfirmed(&self) -> bool {
        let code = codes::FLEET_VANISHED.name();
        self.warnings.iter().any(|note| note.code == code)
    }

    /// Only this group, without the plan's totals, which are for the app.
    #[must_use]
    pub fn for_group(mut self, group: &GroupName) -> Self {
        self.groups.retain(|there| there.name == *group);
        self.machines
            .retain(|machine| machine.group.as_ref() == Some(group));
        self.missing.retain(|missing| missing.group == *group);
        self.other_project_machines
            .retain(|other| other.group.as_ref() == Some(group));
        self.warnings
            .retain(|note| note.group.as_ref().is_none_or(|named| named == group));
        self.plan_totals = None;
        self
    }
}

/// The part of a Machine in a swap that has not ended: by the state, by the mark of a switch, or as a Machine of ours that
/// was created for a swap and has no state yet.
fn swap_role(machine: &Machine, record: Option<&KnownMachine>) -> Option<SwapRole> {
    let tag = machine.stamps.swap.as_deref();
    let is_waiting = record.is_none() && machine.cordoned && machine.management == Management::Ours;
    if let Some(role) = record.and_then(|record| record.swap) {
        Some(role)
    } else if tag == Some(Stamps::SAFE_TO_DESTROY) {
        Some(SwapRole::Blue)
    } else {
        (tag.is_some() && is_waiting).then_some(SwapRole::Green)
    }
}

impl MachineStatus {
    /// The status of this Machine.
    pub fn of(machine: &Machine, known: Option<&Known>) -> Self {
        let config = machine.config.as_ref();
        let record = known.and_then(|known| known.machines.get(&machine.id));
        // The state provides what cannot be read of a Machine, as in a plan (rule 9).
        let unread = record.filter(|_| config.is_none());
        let standby_for = unread.filter(|_| machine.standby_for.is_empty());
        let standby_for = standby_for.map_or(&machine.standby_for, |record| &record.standby_for);
        let volumes = unread.filter(|_| machine.volumes.is_empty());
        let volumes = volumes.map_or(&machine.volumes, |record| &record.volumes);
        let region = record.filter(|_| !machine.region.is_known());
        let swap = swap_role(machine, record);
        // Until the switch a green is none of its group.
        let waits = swap == Some(SwapRole::Green) && machine.cordoned;
        // One that flyctl has left is somebody else's.
        let canary = machine.stamps.canary && machine.management == Management::Ours;
        Self {
            id: machine.id.clone(),
            name: machine.name.clone(),
            group: machine
                .group
                .clone()
                .or_else(|| Some(record?.group.clone())),
            region: region
                .map_or(&machine.region, |record| &record.region)
                .clone(),
            state: machine.state,
            checks: machine.checks.clone(),
            pid: machine.pid,
            address: machine.address.clone(),
            restarts: machine.restarts,
            detail: machine.detail.clone(),
            standby: !standby_for.is_empty(),
            cordoned: machine.cordoned,
            host: machine.host,
            release: machine
                .stamps
                .release
                .as_ref()
                .map(|release| release.version),
            newer_release: None,
            unproven: None,
            image: config.and_then(|config| config.image.clone()),
            size: config
                .and_then(|config| config.guest.as_ref())
                .map(size_text),
            volumes: volumes.clone(),
            created_at: machine.created_at.clone(),
            other_project: None,
            known: known.is_none_or(|known| known.machines.contains_key(&machine.id)),
            counts_for_group: !waits
                && !canary
                && (record.is_some()
                    || matches!(machine.management, Management::Ours | Management::FlyLaunch)
                        && !known
                            .is_some_and(|known| known.ignored_machines.contains(&machine.id))),
            swap,
            canary,
            management: machine.management,
        }
    }

    /// Whether it is started and all its checks pass.
    pub fn is_healthy(&self) -> bool {
        self.state == MachineState::Started
            && self.host == HostStatus::Ok
            && self.checks.iter().all(|c| c.status == CheckState::Passing)
    }

    /// Whether it is worth a line of its own in a large group.
    pub fn stands_out(&self) -> bool {
        self.needs_attention() || self.unproven.is_some() || self.newer_release.is_some()
    }

    /// Whether it needs attention, such as an unexpected stop.
    pub fn needs_attention(&self) -> bool {
        let resting = self.standby || self.state.is_gone();
        let stopped = matches!(self.state, MachineState::Stopped | MachineState::Suspended);
        self.host != HostStatus::Ok
            || self.state == MachineState::Failed
            || self.checks.iter().any(|c| c.status == CheckState::Critical)
            || (self.detail.is_some() && !resting && (stopped || !self.is_healthy()))
    }
}

/// Sets the newest release that a Machine of the group runs on those that run an older one. A release is not older if
/// the state knows that it has the same config of the group.
fn mark_older_releases(machines: &mut [MachineStatus], known: Option<&Known>) {
    let records = known.map_or(&[][..], |known| &known.releases);
    let config = |group: &GroupName, release: u64| {
        let record = records.iter().find(|record| record.release == release)?;
        Some(&record.groups.get(group)?.config)
    };
    let mut newest: BTreeMap<GroupName, u64> = BTreeMap::new();
    for machine in machines.iter().filter(|machine| machine.counts_for_group) {
        if let (Some(group), Some(release)) = (&machine.group, machine.release) {
            let newest = newest.entry(group.clone()).or_default();
            *newest = release.max(*newest);
        }
    }
    for machine in machines.iter_mut().filter(|m| m.counts_for_group) {
        let (Some(group), Some(release)) = (&machine.group, machine.release) else {
            continue;
        };
        let Some(newest) = newest
            .get(group)
            .copied()
            .filter(|newest| release < *newest)
        else {
            continue;
        };
        let (own, new) = (config(group, release), config(group, newest));
        let is_same = own.is_some() && own == new;
        machine.newer_release = (!is_same).then_some(newest);
    }
}

/// A size as Fly prints it: `shared-cpu-1x:256MB`.
fn size_text(guest: &Guest) -> String {
    let kind = match guest.cpu_kind.as_deref() {
        Some("shared") | None => "shared-cpu",
        Some(other) => other,
    };
    let memory = guest
        .memory_mb
        .map_or_else(String::new, |mb| format!(":{mb}MB"));
    format!("{kind}-{}x{memory}", guest.cpus.unwrap_or(1))
}

fn other_project_machines(observed: &Observed) -> Vec<OtherProjectMachine> {
    let mut others: Vec<OtherProjectMachine> = observed
        .other_projects
        .values()
        .map(|machine| OtherProjectMachine {
            project: machine.project.clone().unwrap_or_default(),
            id: machine.id.clone(),
            name: machine.name.clone(),
            group: machine.group.clone(),
            state: machine.state,
        })
        .collect();
    others.sort_by(|a, b| (&a.project, &a.id).cmp(&(&b.project, &b.id)));
    others
}

fn group_statuses(
    desired: Option<&Desired>,
    machines: &[MachineStatus],
    missing: &[MissingMachineStatus],
) -> Vec<GroupStatus> {
    let mut groups: BTreeMap<&GroupName, GroupStatus> = BTreeMap::new();
    let desired_groups = desired.into_iter().flat_map(|desired| &desired.groups);
    let names = desired_groups
        .map(|(name, _)| name)
        .chain(machines.iter().filter_map(|m| m.group.as_ref()))
        .chain(missing.iter().map(|m| &m.group));
    for name in names {
        let group = desired.and_then(|desired| desired.groups.get(name));
        groups.entry(name).or_insert_with(|| GroupStatus {
            name: name.clone(),
            desired_count: group.and_then(|group| match group.count {
                Count::Written(n) => Some(n + group.standby.unwrap_or(0)),
                Count::Unwritten => None,
            }),
            actual: 0,
            started: 0,
            healthy: 0,
            is_desired: desired.is_none() || group.is_some(),
            regions: BTreeMap::new(),
            releases: BTreeMap::new(),
        });
    }
    for machine in machines.iter().filter(|machine| machine.counts_for_group) {
        let Some(group) = machine.group.as_ref().and_then(|name| groups.get_mut(name)) else {
            continue;
        };
        group.actual += 1;
        group.started += u32::from(machine.state == MachineState::Started);
        group.healthy += u32::from(machine.is_healthy());
        *group.regions.entry(machine.region.clone()).or_default() += 1;
        if let Some(release) = machine.release {
            *group.releases.entry(release).or_default() += 1;
        }
    }
    groups.into_values().collect()
}
