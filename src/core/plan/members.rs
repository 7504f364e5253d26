//! The members of the fleet: known and observed Machines joined by id, and their differences from the state.
//!
//! Does not decide what should change; see [`super::reconcile`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{CACHE_SIZE, CompareContext, known_computed};
use super::group_resolver::GroupResolver;
use super::history;
use super::notes;
use super::placement;
use super::provenance::creating_run;
use super::types::{Drift, DriftKind, MachineRef, Note};
use crate::core::fleet::{
    Desired, GroupName, Known, KnownMachine, Machine, MachineId, MachineName, MachineState,
    Management, Observed, PendingCreate, Region, RunId, StoredConfig, UpdateBlocker, VolumeId,
    diff, overlay,
};

/// One Machine of the fleet.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) id: &'a MachineId,
    pub(super) name: &'a MachineName,
    /// The group that it counts for, after `[[moved]]`.
    pub(super) group: GroupName,
    /// Its current group, if that is another.
    pub(super) moved_from: Option<GroupName>,
    /// The group that it would count for without `[[moved]] machine`.
    pub(super) leaves_group: Option<GroupName>,
    pub(super) region: &'a Region,
    /// The requested region, if the platform chose another.
    pub(super) requested_region: Option<Region>,
    pub(super) known: Option<&'a KnownMachine>,
    pub(super) observed: Option<&'a Machine>,
    /// The config that Aeroform sent last.
    pub(super) sent: Option<&'a StoredConfig>,
    /// Created for the same desired state by a run that could not write the state.
    pub(super) from_unrecorded_run: bool,
    pub(super) create_match: CreateMatch,
    /// Whether its last change was confirmed.
    pub(super) proof: ChangeProof,
    /// The Machine that it was created to replace.
    pub(super) replaces: Option<&'a MachineId>,
}

/// Whether the last change of a Machine was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeProof {
    /// Nothing contradicts it.
    Yes,
    /// No: its gate did not pass, or the run that changed it never wrote the state.
    No,
    /// There is no state that could say it.
    Unknown,
}

/// The create of an earlier run that a Machine unknown to the state matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreateMatch {
    /// None.
    Unmatched,
    /// A pending one.
    Pending,
    /// A create that is no longer awaited: the Machine appeared late.
    GivenUp,
}

impl Member<'_> {
    pub(super) fn target(&self) -> MachineRef {
        MachineRef {
            id: Some(self.id.clone()),
            name: self.name.clone(),
        }
    }

    /// A run in the state created it without getting the answer.
    pub(super) fn is_late_create(&self) -> bool {
        self.create_match == CreateMatch::GivenUp
    }

    /// Added outside, and no replacement of a counted Machine.
    pub(super) fn is_unaccounted(&self) -> bool {
        self.is_adopted() && !self.from_unrecorded_run && self.create_match != CreateMatch::Pending
    }

    /// Counted, but neither changed nor adopted: the state does not list it and its config is unreadable, so it
    /// may have a mount (rule 9).
    pub(super) fn is_unlisted_and_unreadable(&self) -> bool {
        self.known.is_none() && self.observed.is_some_and(|seen| seen.config.is_none())
    }

    pub(super) fn is_adopted(&self) -> bool {
        self.known.is_none()
    }

    /// For an unreachable host, the state's value (rule 9).
    pub(super) fn standby_for(&self) -> &[MachineId] {
        match (self.observed, self.known) {
            (Some(seen), Some(known)) if seen.config.is_none() && seen.standby_for.is_empty() => {
                &known.standby_for
            }
            (Some(seen), _) => &seen.standby_for,
            (None, Some(known)) => &known.standby_for,
            (None, None) => &[],
        }
    }

    pub(super) fn is_standby(&self) -> bool {
        !self.standby_for().is_empty()
    }

    /// For an unreachable host, the state's value: an empty answer does not prove that no volume would be left
    /// behind (rule 9).
    pub(super) fn volumes(&self) -> &[VolumeId] {
        match (self.observed, self.known) {
            (Some(seen), Some(known)) if seen.config.is_none() && seen.volumes.is_empty() => {
                &known.volumes
            }
            (Some(seen), _) => &seen.volumes,
            (None, Some(known)) => &known.volumes,
            (None, None) => &[],
        }
    }

    /// Volumes of the state, each with the one that replaced it. Aeroform never changes the volume of a
    /// Machine.
    pub(super) fn forked_volumes(&self) -> impl Iterator<Item = (&VolumeId, &VolumeId)> {
        let known = self.known.map_or(&[][..], |known| &known.volumes);
        let seen = self.observed.filter(|seen| seen.config.is_some());
        let now = seen.map_or(&[][..], |seen| &seen.volumes);
        let pairs = known.iter().zip(now);
        pairs.filter(|(old, new)| old != new && known.len() == now.len())
    }

    /// Whether its record in the state differs from the platform (rule 2).
    pub(super) fn is_record_outdated(&self) -> bool {
        let (Some(seen), Some(known)) = (self.observed, self.known) else {
            return false;
        };
        let as_set = |ids: &[MachineId]| ids.iter().cloned().collect::<BTreeSet<_>>();
        seen.config.is_some()
            && (known.group != self.group
                || known.volumes != seen.volumes
                || as_set(&known.standby_for) != as_set(&seen.standby_for))
    }

    pub(super) fn state(&self) -> Option<MachineState> {
        self.observed.map(|machine| machine.state)
    }

    /// Whether it is down because its process exited on its own, so that an update starts it (rule 23).
    pub(super) fn restarts_on_update(&self) -> bool {
        !self.is_standby() && self.observed.is_some_and(Machine::has_crashed)
    }

    /// Whether it stays `created` because it was created without a start: a run of ours recorded that, or it is
    /// a standby.
    pub(super) fn stays_created(&self) -> bool {
        let settled = self.known.is_some() && self.proof == ChangeProof::Yes;
        self.state() == Some(MachineState::Created) && (self.is_standby() || settled)
    }

    /// Whether this is its id or name.
    pub(super) fn has_id_or_name(&self, requested: &MachineId) -> bool {
        *self.id == *requested || self.name.as_str() == requested.as_str()
    }

    /// Offline a host counts as reachable.
    pub(super) fn host_ok(&self) -> bool {
        self.obstacle().is_none()
    }

    /// Why it cannot be updated in place.
    pub(super) fn obstacle(&self) -> Option<UpdateBlocker<'_>> {
        self.observed.and_then(Machine::update_blocker)
    }
}

/// A known Machine that no longer exists.
#[derive(Debug, Clone)]
pub(super) struct MissingMachine<'a> {
    pub(super) id: &'a MachineId,
    pub(super) known: &'a KnownMachine,
    pub(super) group: GroupName,
}

/// The fleet, with facts found while joining.
#[derive(Debug, Default)]
pub(super) struct Fleet<'a> {
    /// By group after `[[moved]]`; within a group by id.
    pub(super) members: BTreeMap<GroupName, Vec<Member<'a>>>,
    pub(super) missing: Vec<MissingMachine<'a>>,
    /// Groups that this plan unprotects, and otherwise leaves as they are.
    pub(super) unprotected: BTreeSet<GroupName>,
    /// Pending creates that no Machine matches, with the group that they count for.
    pub(super) pending_creates: Vec<(GroupName, &'a PendingCreate)>,
    /// Machines whose group is neither in the state nor in readable metadata.
    pub(super) unidentified: Vec<&'a MachineId>,
    /// Canaries of earlier runs of this lineage: in no group, whatever the state says.
    pub(super) canaries: Vec<Member<'a>>,
    /// Machines of other project folders.
    pub(super) others: Vec<&'a Machine>,
    pub(super) drift: Vec<Drift>,
    pub(super) notes: Vec<Note>,
}

impl Fleet<'_> {
    pub(super) fn len(&self) -> usize {
        self.members.values().map(Vec::len).sum()
    }
}

/// Joins known and observed Machines; without an observation the known Machines are the fleet.
pub(super) fn join_fleet<'a>(
    desired: &Desired,
    known: &'a Known,
    observed: Option<&'a Observed>,
    digest: &str,
) -> Fleet<'a> {
    let labels = GroupResolver::of(desired);
    let mut fleet = Fleet::default();
    match observed {
        None => {
            for (id, machine) in &known.machines {
                let member = Member {
                    id,
                    name: &machine.name,
                    group: labels.group_of(id, &machine.group),
                    moved_from: labels.moved_from(id, &machine.group),
                    leaves_group: labels.group_left(id, &machine.group),
                    region: &machine.region,
                    requested_region: None,
                    known: Some(machine),
                    observed: None,
                    sent: known.configs.get(&machine.config),
                    from_unrecorded_run: false,
                    create_match: CreateMatch::Unmatched,
                    proof: if machine.unproven {
                        ChangeProof::No
                    } else {
                        ChangeProof::Yes
                    },
                    replaces: machine.replaces.as_ref(),
                };
                fleet
                    .members
                    .entry(member.group.clone())
                    .or_default()
                    .push(member);
            }
        }
        Some(observed) => join_observed(&labels, known, observed, digest, &mut fleet),
    }
    let scope = observed.map(|observed| &observed.description.scope);
    let primary = desired.primary_region.as_ref();
    for member in fleet.members.values_mut().flatten() {
        member.requested_region = placement::requested(member, known, primary, scope);
    }
    // One that is being destroyed does not answer a create: a rollback may have undone it.
    let seen = observed.into_iter().flat_map(Observed::all_machines);
    let seen = seen.filter(|machine| !machine.state.is_gone());
    let names = known.machines.values().map(|machine| &machine.name);
    let used: BTreeSet<&str> = names
        .chain(seen.map(|machine| &machine.name))
        .filter_map(MachineName::launch_suffix)
        .collect();
    let was_protected = known
        .protected_groups
        .iter()
        .map(|name| labels.renamed_group(name));
    fleet.unprotected = was_protected
        .filter(|name| desired.groups.get(name).is_some_and(|g| !g.protect))
        .collect();
    let pending = known.pending_creates.iter();
    fleet.pending_creates = pending
        .filter(|pending| !used.contains(pending.launch.as_str()))
        .map(|pending| (labels.renamed_group(&pending.group), pending))
        .collect();
    fleet
}

fn join_observed<'a>(
    labels: &GroupResolver<'_>,
    known: &'a Known,
    observed: &'a Observed,
    digest: &str,
    fleet: &mut Fleet<'a>,
) {
    let pending: BTreeMap<&str, &PendingCreate> = known
        .pending_creates
        .iter()
        .map(|pending| (pending.launch.as_str(), pending))
        .collect();
    let recorded = history::recorded_runs(known);
    let mut outsiders: BTreeMap<&'static str, Vec<&MachineId>> = BTreeMap::new();
    for (id, machine) in &observed.machines {
        if machine.state.is_gone() {
            continue;
        }
        let record = known.machines.get(id);
        let is_canary = observed.is_canary(machine);
        if record.is_none() && known.ignored_machines.contains(id) {
            outsiders.entry("ignored").or_default().push(id);
            continue;
        }
        // Without a region it is unclear which place it fills.
        if record.is_none() && !machine.region.is_known() {
            fleet.unidentified.push(id);
            continue;
        }
        match (machine.management, record) {
            (Management::Ours | Management::FlyLaunch, _) | (_, Some(_)) => {}
            (Management::Auxiliary, None) => {
                outsiders.entry("special").or_default().push(id);
                continue;
            }
            (Management::Unknown, None) => {
                fleet.unidentified.push(id);
                continue;
            }
            (Management::Unmanaged, None) => {
                outsiders.entry("stranger").or_default().push(id);
                continue;
            }
        }
        let default = labels.default_group.clone();
        let group = machine
            .group
            .clone()
            .or_else(|| record.map(|r| r.group.clone()))
            .unwrap_or(default);
        let launch = machine.name.launch_suffix().filter(|_| record.is_none());
        let answers = launch.and_then(|launch| pending.get(launch).copied());
        let member = Member {
            id,
            name: &machine.name,
            group: labels.group_of(id, &group),
            moved_from: labels.moved_from(id, &group),
            leaves_group: labels.group_left(id, &group),
            region: match record {
                Some(record) if !machine.region.is_known() => &record.region,
                Some(_) | None => &machine.region,
            },
            requested_region: None,
            known: record,
            observed: Some(machine),
            sent: record.and_then(|record| known.configs.get(&record.config)),
            from_unrecorded_run: record.is_none()
                && is_from_unrecorded_run(machine, known, observed, digest),
            proof: proof_of(
                record.is_some_and(|record| record.unproven) || answers.is_some(),
                history::newer_run(machine, known, &observed.description.scope, &recorded)
                    .is_some(),
                known,
            ),
            create_match: match (record, answers) {
                (_, Some(_)) => CreateMatch::Pending,
                (None, None) if has_lost_create(machine, observed, &recorded) => {
                    CreateMatch::GivenUp
                }
                (_, None) => CreateMatch::Unmatched,
            },
            replaces: match (record, answers) {
                (Some(record), _) => record.replaces.as_ref(),
                (None, Some(pending)) => pending.replaces.as_ref(),
                (None, None) => None,
            },
        };
        if is_canary {
            fleet.canaries.push(member);
            continue;
        }
        if record.is_none() && !member.is_unlisted_and_unreadable() {
            fleet.drift.push(added_drift(&member));
        }
        fleet
            .members
            .entry(member.group.clone())
            .or_default()
            .push(member);
    }
    find_missing(labels, known, observed, fleet);
    if !fleet.unidentified.is_empty() {
        outsiders.insert("unknown", fleet.unidentified.clone());
    }
    for (kind, ids) in outsiders {
        fleet.notes.push(notes::outsiders_note(kind, &ids));
    }
    note_other_projects(observed, fleet);
}

/// Machines of other project folders (provider local); each folder is named once.
fn note_other_projects<'a>(observed: &'a Observed, fleet: &mut Fleet<'a>) {
    fleet.others.extend(observed.other_projects.values());
    let mut folders: BTreeMap<&str, Vec<&MachineId>> = BTreeMap::new();
    for (id, machine) in &observed.other_projects {
        let folder = machine.project.as_deref().unwrap_or_default();
        folders.entry(folder).or_default().push(id);
    }
    for (folder, ids) in folders {
        fleet.notes.push(notes::other_project_note(folder, &ids));
    }
}

fn proof_of(unproven: bool, stamped_since: bool, known: &Known) -> ChangeProof {
    match (unproven, stamped_since) {
        (false, false) => ChangeProof::Yes,
        (false, true) if known.serial == 0 => ChangeProof::Unknown,
        (_, _) => ChangeProof::No,
    }
}

/// Known Machines that no longer exist.
fn find_missing<'a>(
    labels: &GroupResolver<'_>,
    known: &'a Known,
    observed: &Observed,
    fleet: &mut Fleet<'a>,
) {
    for (id, record) in &known.machines {
        let exists = observed
            .machines
            .get(id)
            .is_some_and(|machine| !machine.state.is_gone());
        if exists {
            continue;
        }
        fleet.drift.push(Drift {
            kind: DriftKind::Missing,
            machine: MachineRef {
                id: Some(id.clone()),
                name: record.name.clone(),
            },
            group: record.group.clone(),
            region: record.region.clone(),
            standby: !record.standby_for.is_empty(),
            changes: Vec::new(),
            run: None,
        });
        let group = labels.group_of(id, &record.group);
        fleet.missing.push(MissingMachine {
            id,
            known: record,
            group,
        });
    }
}

/// Whether a run on this state created this Machine for the current desired state, and never recorded its end.
fn is_from_unrecorded_run(
    machine: &Machine,
    known: &Known,
    observed: &Observed,
    digest: &str,
) -> bool {
    let stamps = &machine.stamps;
    let launch = stamps.launch.as_deref();
    stamps.lineage.as_ref() == Some(&observed.description.scope)
        && stamps
            .serial
            .is_some_and(|serial| serial.checked_sub(1) == Some(known.serial))
        && (machine.removal_begun() || stamps.desired.as_deref() == Some(digest))
        && launch.is_some()
        && machine.name.launch_suffix() == launch
}

/// Whether a run in the state created this Machine without getting the answer.
fn has_lost_create(machine: &Machine, observed: &Observed, recorded: &BTreeSet<&RunId>) -> bool {
    creating_run(machine, observed).is_some_and(|run| recorded.contains(run))
}

/// How many of these replace one that is also among them: each pair counts as one.
pub(super) fn count_successor_pairs<'m, 'a: 'm>(
    members: impl IntoIterator<Item = &'m Member<'a>> + Clone,
) -> usize {
    let all = members.clone().into_iter();
    let ids: BTreeSet<&MachineId> = all.map(|member| member.id).collect();
    let replaces = |member: &&Member<'_>| {
        let old = member.replaces;
        old.is_some_and(|old| ids.contains(old))
    };
    members.into_iter().filter(replaces).count()
}

fn added_drift(member: &Member<'_>) -> Drift {
    Drift {
        kind: DriftKind::Added,
        machine: member.target(),
        group: member.group.clone(),
        region: member.region.clone(),
        standby: member.is_standby(),
        changes: Vec::new(),
        run: None,
    }
}

/// The fields of known Machines that differ from the sent config (sent → observed). Pairs are often equal, so
/// comparisons are cached by digest.
pub(super) fn find_drift(
    members: &BTreeMap<GroupName, Vec<Member<'_>>>,
    context: CompareContext<'_>,
) -> Vec<Drift> {
    let mut found = Vec::new();
    for group in members.values() {
        // Equal pairs of configs have equal results; a group has few different ones.
        let mut compared: Vec<(&Member<'_>, Vec<super::FieldChange>)> = Vec::new();
        for member in group {
            let (Some(sent), Some(seen)) = (member.sent, member.observed) else {
                continue;
            };
            let same = |other: &Member<'_>| {
                other.known.map(|k| &k.config) == member.known.map(|k| &k.config)
                    && other.observed.is_some_and(|other| {
                        other.config == seen.config && other.image_digest == seen.image_digest
                    })
            };
            let changes = if let Some((_, changes)) = compared
                .iter()
                .rev()
                .take(CACHE_SIZE)
                .find(|(o, _)| same(o))
            {
                changes.clone()
            } else {
                let Some(changes) = drift_from(sent, seen, context) else {
                    continue;
                };
                compared.push((member, changes.clone()));
                changes
            };
            if !changes.is_empty() {
                found.push(Drift {
                    kind: DriftKind::Changed,
                    machine: member.target(),
                    group: member.group.clone(),
                    region: member.region.clone(),
                    standby: member.is_standby(),
                    changes,
                    run: None,
                });
            }
        }
    }
    found
}

/// The fields in which a Machine differs from this stored config; none if its own is unreadable.
pub(super) fn drift_from(
    sent: &StoredConfig,
    seen: &Machine,
    context: CompareContext<'_>,
) -> Option<Vec<super::FieldChange>> {
    let CompareContext { lineage, computed } = context;
    // An image sent by digest counts as unchanged, whatever name the platform's config has.
    let image = sent.tree().get("image").and_then(Value::as_str);
    let config = seen.resolved_config(image)?;
    let current = StoredConfig::from_config(&config, lineage);
    let back = overlay::stored_config_for(sent, &current, sent);
    let computed = known_computed(computed, [Some(sent), None]);
    Some(diff::drift_changes(
        &back,
        current.tree(),
        &computed,
        lineage,
    ))
}
