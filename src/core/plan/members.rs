//! Who belongs to the fleet: known and observed Machines joined by id, and everything about them that
//! is not as the state says.
//!
//! Decides nothing about what should be; see [`super::reconcile`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{REMEMBERED, Remembered, filled_of};
use super::history;
use super::makers::made_by;
use super::notes;
use super::placement;
use super::types::{Drift, DriftKind, Note, Target};
use crate::core::fleet::{
    Desired, GroupName, Known, KnownMachine, Machine, MachineId, MachineName, MachineState,
    Management, Observed, Obstacle, Pending, Region, RunId, StoredConfig, VolumeId, difference,
    overlay,
};

/// One Machine of the fleet.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) id: &'a MachineId,
    pub(super) name: &'a MachineName,
    /// The group that it counts for: after `[[moved]]`.
    pub(super) group: GroupName,
    /// The group that it is in now, when that is another.
    pub(super) moved_from: Option<GroupName>,
    /// The group that it would count for but for a `[[moved]] machine`.
    pub(super) leaves: Option<GroupName>,
    pub(super) region: &'a Region,
    /// The region that its create named, where the platform chose another one.
    pub(super) requested_region: Option<Region>,
    pub(super) known: Option<&'a KnownMachine>,
    pub(super) seen: Option<&'a Machine>,
    /// The config that we sent last.
    pub(super) sent: Option<&'a StoredConfig>,
    /// Made for the same wish by a run that ended before it could write the state.
    pub(super) of_lost_run: bool,
    pub(super) answers: Answers,
    /// Whether somebody saw its last change work.
    pub(super) proven: Proven,
    /// The Machine whose place it was to take.
    pub(super) replaces: Option<&'a MachineId>,
    /// This plan leaves it alone.
    pub(super) excluded: bool,
}

/// Whether somebody saw the last change of a Machine work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    /// Nothing says otherwise.
    Yes,
    /// Nobody did: its gate did not pass, or the run that changed it never wrote the state.
    No,
    /// There is no state at all that could say it.
    Untold,
}

/// Which create of an earlier run a Machine answers that the state does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// None.
    Nothing,
    /// One that is still owed.
    Owed,
    /// One that nobody waits for any more: it turned up late.
    GivenUp,
}

impl Member<'_> {
    pub(super) fn target(&self) -> Target {
        Target {
            id: Some(self.id.clone()),
            name: self.name.clone(),
        }
    }

    /// A run that the state lists made it, and never saw that.
    pub(super) fn is_late(&self) -> bool {
        self.answers == Answers::GivenUp
    }

    /// Added by somebody who does not fill a place that is counted already.
    pub(super) fn is_stranger(&self) -> bool {
        self.is_adopted() && !self.of_lost_run && self.answers != Answers::Owed
    }

    /// Counted, and neither changed nor taken into the state: the state does not list it and its config cannot
    /// be read, so nobody knows whether it has a mount (rule 9).
    pub(super) fn is_held(&self) -> bool {
        self.known.is_none() && self.seen.is_some_and(|seen| seen.config.is_none())
    }

    pub(super) fn is_adopted(&self) -> bool {
        self.known.is_none()
    }

    /// Where its host cannot be asked, what the state remembers counts (rule 9).
    pub(super) fn standby_for(&self) -> &[MachineId] {
        match (self.seen, self.known) {
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

    /// Where its host cannot be asked, what the state remembers counts: an empty answer is no proof
    /// that nothing would be left behind (rule 9).
    pub(super) fn volumes(&self) -> &[VolumeId] {
        match (self.seen, self.known) {
            (Some(seen), Some(known)) if seen.config.is_none() && seen.volumes.is_empty() => {
                &known.volumes
            }
            (Some(seen), _) => &seen.volumes,
            (None, Some(known)) => &known.volumes,
            (None, None) => &[],
        }
    }

    /// Volumes that the state knows as its own, each with the one that it has in its place now: no call of ours
    /// changes the volume of a Machine.
    pub(super) fn forked_volumes(&self) -> impl Iterator<Item = (&VolumeId, &VolumeId)> {
        let known = self.known.map_or(&[][..], |known| &known.volumes);
        let seen = self.seen.filter(|seen| seen.config.is_some());
        let now = seen.map_or(&[][..], |seen| &seen.volumes);
        let pairs = known.iter().zip(now);
        pairs.filter(|(old, new)| old != new && known.len() == now.len())
    }

    /// Whether the Machine's own line in the state says something else than what is there (rule 2).
    pub(super) fn line_lags(&self) -> bool {
        let (Some(seen), Some(known)) = (self.seen, self.known) else {
            return false;
        };
        let as_set = |ids: &[MachineId]| ids.iter().cloned().collect::<BTreeSet<_>>();
        seen.config.is_some()
            && (known.group != self.group
                || known.volumes != seen.volumes
                || as_set(&known.standby_for) != as_set(&seen.standby_for))
    }

    pub(super) fn state(&self) -> Option<MachineState> {
        self.seen.map(|machine| machine.state)
    }

    /// Whether it is down since its process ended by itself, so that an update starts it (rule 23).
    pub(super) fn starts_by_update(&self) -> bool {
        !self.is_standby() && self.seen.is_some_and(Machine::has_crashed)
    }

    /// Whether it stays `created` because it was made without being started: a run of ours saw it so, or it
    /// is a standby.
    pub(super) fn rests_in_created(&self) -> bool {
        let settled = self.known.is_some() && self.proven == Proven::Yes;
        self.state() == Some(MachineState::Created) && (self.is_standby() || settled)
    }

    /// Whether this is its id or its name.
    pub(super) fn is_called(&self, wanted: &MachineId) -> bool {
        *self.id == *wanted || self.name.as_str() == wanted.as_str()
    }

    /// Offline nothing says otherwise, so a host counts as reachable.
    pub(super) fn host_ok(&self) -> bool {
        self.obstacle().is_none()
    }

    /// Why it cannot be changed in place.
    pub(super) fn obstacle(&self) -> Option<Obstacle<'_>> {
        self.seen.and_then(Machine::obstacle)
    }
}

/// A known Machine that is gone.
#[derive(Debug, Clone)]
pub(super) struct Vanished<'a> {
    pub(super) id: &'a MachineId,
    pub(super) known: &'a KnownMachine,
    pub(super) group: GroupName,
}

/// The fleet, and what was seen while putting it together.
#[derive(Debug, Default)]
pub(super) struct Fleet<'a> {
    /// By group after `[[moved]]`; in a group by id.
    pub(super) members: BTreeMap<GroupName, Vec<Member<'a>>>,
    pub(super) vanished: Vec<Vanished<'a>>,
    /// Groups whose protection this plan takes away, and that it leaves as they are.
    pub(super) unprotected: BTreeSet<GroupName>,
    /// Creates that are owed and that nothing answers, with the group that they count for.
    pub(super) owed: Vec<(GroupName, &'a Pending)>,
    /// Machines that nothing tells the group of: neither the state nor what can be read of them.
    pub(super) unknown: Vec<&'a MachineId>,
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

/// Joins what is known with what was observed; without an observation the known Machines are the
/// fleet.
pub(super) fn join<'a>(
    desired: &Desired,
    known: &'a Known,
    observed: Option<&'a Observed>,
    digest: &str,
) -> Fleet<'a> {
    let labels = Labels::of(desired);
    let mut fleet = Fleet::default();
    match observed {
        None => {
            for (id, machine) in &known.machines {
                let member = Member {
                    id,
                    name: &machine.name,
                    group: labels.group(id, &machine.group),
                    moved_from: labels.moved_from(id, &machine.group),
                    leaves: labels.leaves(id, &machine.group),
                    region: &machine.region,
                    requested_region: None,
                    known: Some(machine),
                    seen: None,
                    sent: known.configs.get(&machine.config),
                    of_lost_run: false,
                    answers: Answers::Nothing,
                    proven: if machine.unproven {
                        Proven::No
                    } else {
                        Proven::Yes
                    },
                    replaces: machine.replaces.as_ref(),
                    excluded: false,
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
    let seen = observed.into_iter().flat_map(Observed::all);
    let names = known.machines.values().map(|machine| &machine.name);
    let taken: BTreeSet<&str> = names
        .chain(seen.map(|machine| &machine.name))
        .filter_map(MachineName::launch_part)
        .collect();
    let was_protected = known.protect.iter().map(|name| labels.renamed(name));
    fleet.unprotected = was_protected
        .filter(|name| desired.groups.get(name).is_some_and(|g| !g.protect))
        .collect();
    let owed = known.pending.iter();
    fleet.owed = owed
        .filter(|pending| !taken.contains(pending.launch.as_str()))
        .map(|pending| (labels.renamed(&pending.group), pending))
        .collect();
    fleet
}

fn join_observed<'a>(
    labels: &Labels<'_>,
    known: &'a Known,
    observed: &'a Observed,
    digest: &str,
    fleet: &mut Fleet<'a>,
) {
    let owed: BTreeMap<&str, &Pending> = known
        .pending
        .iter()
        .map(|pending| (pending.launch.as_str(), pending))
        .collect();
    let recorded = history::recorded(known);
    let mut outsiders: BTreeMap<&'static str, Vec<&MachineId>> = BTreeMap::new();
    for (id, machine) in &observed.machines {
        if machine.state.is_gone() {
            continue;
        }
        let record = known.machines.get(id);
        if record.is_none() && known.ignored.contains(id) {
            outsiders.entry("ignored").or_default().push(id);
            continue;
        }
        // Without a region nobody can say which place it fills.
        if record.is_none() && !machine.region.is_told() {
            fleet.unknown.push(id);
            continue;
        }
        match (machine.management, record) {
            (Management::Ours | Management::Launch, _) | (_, Some(_)) => {}
            (Management::Special, None) => {
                outsiders.entry("special").or_default().push(id);
                continue;
            }
            (Management::Unknown, None) => {
                fleet.unknown.push(id);
                continue;
            }
            (Management::Stranger, None) => {
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
        let launch = machine.name.launch_part().filter(|_| record.is_none());
        let answers = launch.and_then(|launch| owed.get(launch).copied());
        let member = Member {
            id,
            name: &machine.name,
            group: labels.group(id, &group),
            moved_from: labels.moved_from(id, &group),
            leaves: labels.leaves(id, &group),
            region: match record {
                Some(record) if !machine.region.is_told() => &record.region,
                Some(_) | None => &machine.region,
            },
            requested_region: None,
            known: record,
            seen: Some(machine),
            sent: record.and_then(|record| known.configs.get(&record.config)),
            of_lost_run: record.is_none() && of_lost_run(machine, known, observed, digest),
            proven: proven(
                record.is_some_and(|record| record.unproven) || answers.is_some(),
                history::newer(machine, known, &observed.description.scope, &recorded).is_some(),
                known,
            ),
            answers: match (record, answers) {
                (_, Some(_)) => Answers::Owed,
                (None, None) if late(machine, observed, &recorded) => Answers::GivenUp,
                (_, None) => Answers::Nothing,
            },
            replaces: match (record, answers) {
                (Some(record), _) => record.replaces.as_ref(),
                (None, Some(pending)) => pending.replaces.as_ref(),
                (None, None) => None,
            },
            excluded: false,
        };
        if record.is_none() && !member.is_held() {
            fleet.drift.push(added(&member));
        }
        fleet
            .members
            .entry(member.group.clone())
            .or_default()
            .push(member);
    }
    vanish(labels, known, observed, fleet);
    if !fleet.unknown.is_empty() {
        outsiders.insert("unknown", fleet.unknown.clone());
    }
    for (kind, ids) in outsiders {
        fleet.notes.push(notes::outsiders(kind, &ids));
    }
    fleet.others.extend(observed.others.values());
    let mut folders: BTreeMap<&str, Vec<&MachineId>> = BTreeMap::new();
    for (id, machine) in &observed.others {
        let folder = machine.project.as_deref().unwrap_or_default();
        folders.entry(folder).or_default().push(id);
    }
    for (folder, ids) in folders {
        fleet.notes.push(notes::of_other_project(folder, &ids));
    }
}

fn proven(unproven: bool, stamped_since: bool, known: &Known) -> Proven {
    match (unproven, stamped_since) {
        (false, false) => Proven::Yes,
        (false, true) if known.serial == 0 => Proven::Untold,
        (_, _) => Proven::No,
    }
}

/// Known Machines that are gone.
fn vanish<'a>(labels: &Labels<'_>, known: &'a Known, observed: &Observed, fleet: &mut Fleet<'a>) {
    for (id, record) in &known.machines {
        let there = observed
            .machines
            .get(id)
            .is_some_and(|machine| !machine.state.is_gone());
        if there {
            continue;
        }
        fleet.drift.push(Drift {
            kind: DriftKind::Missing,
            machine: Target {
                id: Some(id.clone()),
                name: record.name.clone(),
            },
            group: record.group.clone(),
            region: record.region.clone(),
            changes: Vec::new(),
        });
        let group = labels.group(id, &record.group);
        fleet.vanished.push(Vanished {
            id,
            known: record,
            group,
        });
    }
}

/// Whether this Machine was made for what is wanted now by a run on this state whose end nobody wrote.
fn of_lost_run(machine: &Machine, known: &Known, observed: &Observed, digest: &str) -> bool {
    let stamps = &machine.stamps;
    let launch = stamps.launch.as_deref();
    stamps.lineage.as_ref() == Some(&observed.description.scope)
        && stamps
            .serial
            .is_some_and(|serial| serial.checked_sub(1) == Some(known.serial))
        && stamps.desired.as_deref() == Some(digest)
        && launch.is_some()
        && machine.name.launch_part() == launch
}

/// Whether a run that the state lists made this Machine: its answer was lost, and nobody knew of it.
fn late(machine: &Machine, observed: &Observed, recorded: &BTreeSet<&RunId>) -> bool {
    made_by(machine, observed).is_some_and(|run| recorded.contains(run))
}

/// How many of these are successors of one that is still among them: each pair counts as one.
pub(super) fn successors<'m, 'a: 'm>(
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

fn added(member: &Member<'_>) -> Drift {
    Drift {
        kind: DriftKind::Added,
        machine: member.target(),
        group: member.group.clone(),
        region: member.region.clone(),
        changes: Vec::new(),
    }
}

/// The fields of a known Machine that differ from what we sent, sent → there. Equal pairs are common,
/// so the last comparison is remembered by its digests.
pub(super) fn drifted(
    members: &BTreeMap<GroupName, Vec<Member<'_>>>,
    remembered: Remembered<'_>,
) -> Vec<Drift> {
    let mut found = Vec::new();
    for group in members.values() {
        // The same pair of configs compares the same; a group has few different ones.
        let mut compared: Vec<(&Member<'_>, Vec<super::FieldChange>)> = Vec::new();
        for member in group {
            let (Some(sent), Some(seen)) = (member.sent, member.seen) else {
                continue;
            };
            let same = |other: &Member<'_>| {
                other.known.map(|k| &k.config) == member.known.map(|k| &k.config)
                    && other.seen.is_some_and(|other| {
                        other.config == seen.config && other.image_digest == seen.image_digest
                    })
            };
            let changes = if let Some((_, changes)) = compared
                .iter()
                .rev()
                .take(REMEMBERED)
                .find(|(o, _)| same(o))
            {
                changes.clone()
            } else {
                let Some(changes) = drift_from(sent, seen, remembered) else {
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
                    changes,
                });
            }
        }
    }
    found
}

/// The fields in which a Machine differs from this remembered config; none where its own cannot be read.
pub(super) fn drift_from(
    sent: &StoredConfig,
    seen: &Machine,
    remembered: Remembered<'_>,
) -> Option<Vec<super::FieldChange>> {
    let Remembered { lineage, filled } = remembered;
    // What was sent by digest is there by digest, however the platform's config names it.
    let image = sent.tree().get("image").and_then(Value::as_str);
    let config = seen.resolved(image)?;
    let there = StoredConfig::of(&config, lineage);
    let back = overlay::stored_for(sent, &there, sent);
    let filled = filled_of(filled, [Some(sent), None]);
    Some(difference::drift_of(&back, there.tree(), &filled, lineage))
}

/// Which group a Machine counts for.
pub(super) struct Labels<'a> {
    groups: BTreeMap<&'a GroupName, &'a GroupName>,
    machines: BTreeMap<&'a MachineId, &'a GroupName>,
    default_group: GroupName,
}

impl<'a> Labels<'a> {
    pub(super) fn of(desired: &'a Desired) -> Self {
        Self {
            groups: desired
                .moved
                .iter()
                .map(|moved| (&moved.from, &moved.to))
                .collect(),
            machines: desired
                .moved_machines
                .iter()
                .map(|m| (&m.machine, &m.to))
                .collect(),
            default_group: default_group(&desired.groups.keys().collect()),
        }
    }

    fn group(&self, id: &MachineId, now: &GroupName) -> GroupName {
        let to = self.machines.get(id).or_else(|| self.groups.get(now));
        to.map_or_else(|| now.clone(), |to| (*to).clone())
    }

    fn leaves(&self, id: &MachineId, now: &GroupName) -> Option<GroupName> {
        let to = self.machines.get(id)?;
        let own = self.renamed(now);
        (own != **to).then_some(own)
    }

    /// The name of this group after `[[moved]] from`.
    pub(super) fn renamed(&self, name: &GroupName) -> GroupName {
        self.groups
            .get(name)
            .map_or_else(|| name.clone(), |to| (*to).clone())
    }

    fn moved_from(&self, id: &MachineId, now: &GroupName) -> Option<GroupName> {
        (self.group(id, now) != *now).then(|| now.clone())
    }
}

/// `app` if it is one of the names or there are none, else the first by bytes
/// (docs/platform/fly-toml.md 2).
pub(super) fn default_group(names: &BTreeSet<&GroupName>) -> GroupName {
    let app = GroupName::new("app").expect("`app` is a valid group name");
    if names.contains(&app) {
        return app;
    }
    names.first().map_or(app, |first| (*first).clone())
}
