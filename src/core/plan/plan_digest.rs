//! The digest that names a plan to people: equal until something changes that `--expect` compares.
//!
//! Serial, launch ids, ports, order and groups without a step are not part of it. A plan from the state alone
//! names no Machines, since `--expect` accepts any of the same group and region there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::command_modes::{CheckMode, ReleaseCommandMode};
use super::desired_digest::DesiredGroupDigest;
use super::saved::{SavedChange, SavedPlan};
use super::types::{Action, Inherited, Plan, PlannedVolume, Removal};
use crate::core::fleet::{AppName, GroupName, MachineId, OnFailure, Region, VolumeId};
use crate::core::state;

/// Letters of the digest that are shown.
const SHOWN: usize = 12;

/// The digested content.
#[derive(Serialize)]
struct Compared<'a> {
    app: &'a AppName,
    provider: &'a str,
    online: bool,
    destroys_app: bool,
    on_failure: OnFailure,
    skips_release_command: bool,
    #[serde(skip_serializing_if = "ReleaseCommandMode::is_auto")]
    release_command: ReleaseCommandMode,
    #[serde(skip_serializing_if = "CheckMode::is_auto")]
    verify: CheckMode,
    #[serde(skip_serializing_if = "CheckMode::is_auto")]
    machine_checks: CheckMode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<String>,
    groups: BTreeMap<&'a GroupName, ComparedGroup<'a>>,
    records: BTreeSet<&'a (String, Option<GroupName>)>,
}

#[derive(Serialize)]
struct ComparedGroup<'a> {
    #[serde(rename = "wanted")]
    desired_digest: Option<&'a DesiredGroupDigest>,
    /// As JSON, sorted.
    changes: Vec<String>,
}

/// One change without what depends on the serial.
#[derive(Serialize)]
struct ComparedChange<'a> {
    verb: &'a str,
    region: &'a Region,
    machine: Option<&'a MachineId>,
    from: Option<&'a GroupName>,
    replaces: Option<&'a MachineId>,
    standby: bool,
    removal: Option<Removal>,
    fields: BTreeSet<&'a str>,
    shrinks: BTreeSet<&'a str>,
    reverts: Option<u64>,
    volumes: &'a [VolumeId],
    new_volumes: &'a [PlannedVolume],
    inherits: Option<&'a Inherited>,
}

impl<'a> ComparedChange<'a> {
    /// None for a change that is never an excess.
    fn of(change: &'a SavedChange, online: bool) -> Option<Self> {
        let machine = change.machine.id.as_ref().filter(|_| online);
        let mut compared = Self {
            verb: "",
            region: &change.region,
            machine,
            from: None,
            replaces: None,
            standby: false,
            removal: None,
            fields: change.fields.iter().map(String::as_str).collect(),
            shrinks: change.shrinks.iter().map(String::as_str).collect(),
            reverts: change.reverts,
            volumes: &[],
            new_volumes: &[],
            inherits: None,
        };
        match &change.action {
            Action::Create {
                launch: _,
                port: _,
                standby_for,
                replaces,
                volumes,
                new_volumes,
                inherits,
                green,
            } => {
                compared.verb = if green.is_some() {
                    "swap"
                } else if replaces.is_some() {
                    "replace"
                } else {
                    "create"
                };
                compared.replaces = replaces.as_ref().filter(|_| online);
                compared.standby = !standby_for.is_empty();
                compared.volumes = volumes;
                compared.new_volumes = new_volumes;
                compared.inherits = Some(inherits);
            }
            Action::Update { standby_for } => {
                compared.verb = "update";
                compared.standby = !standby_for.is_empty();
            }
            Action::Move { from, standby_for } => {
                compared.verb = "move";
                compared.from = Some(from);
                compared.standby = !standby_for.is_empty();
            }
            Action::Destroy {
                removal,
                left_volumes,
            } if *removal != Removal::Canary => {
                compared.verb = "destroy";
                compared.removal = Some(*removal);
                compared.volumes = left_volumes;
            }
            Action::Start => compared.verb = "start",
            Action::Adopt => compared.verb = "adopt",
            Action::Once { what, .. } => compared.verb = what.as_str(),
            Action::Switch { .. } => compared.verb = "switch",
            Action::Canary { inherits, .. } => {
                compared.verb = "canary";
                compared.inherits = Some(inherits);
            }
            // A canary is left over from an earlier run, and nothing counts it.
            Action::Destroy { .. } | Action::Wait | Action::Forget => return None,
        }
        Some(compared)
    }
}

impl SavedPlan {
    /// Twelve letters that stay the same until something changes that `--expect` compares.
    pub fn plan_digest(&self) -> String {
        let mut groups: BTreeMap<&GroupName, ComparedGroup<'_>> = BTreeMap::new();
        for change in self.changes() {
            let Some(compared) = ComparedChange::of(change, self.online) else {
                continue;
            };
            let text = serde_json::to_string(&compared).expect("plain data always serialises");
            let group = groups
                .entry(&change.group)
                .or_insert_with(|| ComparedGroup {
                    desired_digest: self.desired_digests.get(&change.group),
                    changes: Vec::new(),
                });
            group.changes.push(text);
        }
        for group in groups.values_mut() {
            group.changes.sort_unstable();
        }
        let compared = Compared {
            app: &self.app,
            provider: &self.provider,
            online: self.online,
            destroys_app: self.destroys_app,
            on_failure: self.on_failure,
            skips_release_command: self.requested.release_command == ReleaseCommandMode::Never,
            release_command: self.requested.release_command,
            verify: self.requested.verify,
            machine_checks: self.requested.machine_checks,
            filters: self.requested.filter_flags(),
            groups,
            records: self.records.iter().collect(),
        };
        let text = serde_json::to_string(&compared).expect("plain data always serialises");
        let mut digest = state::digest(&text);
        digest.truncate(SHOWN);
        digest
    }
}

impl Plan {
    /// The digest of its saved form ([`SavedPlan::plan_digest`]).
    pub fn plan_digest(&self) -> String {
        SavedPlan::of(self).plan_digest()
    }
}
