//! Which volumes new Machines get: unattached ones are taken, and what is lacking is made (rule 32).
//!
//! Chooses and counts. A volume that exists is never resized and never removed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::codes;
use super::decision::GroupDecision;
use super::members::Member;
use super::notes::note;
use super::types::{Action, Note, PlannedVolume, Step, Work};
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{
    AppName, Desired, DesiredGroup, GroupName, HostStatus, MachineId, Observed, Region, Volume,
    VolumeId,
};
use crate::core::platform::prices::volume_price;

/// flyctl's size of a new volume where none is written (docs/platform/fly-toml.md 10.5).
const DEFAULT_SIZE_GB: u32 = 1;

/// The same for a Machine with a GPU.
const DEFAULT_GPU_SIZE_GB: u32 = 100;

/// Volumes that are told by their ids, with the command that extends them.
const MAX_NAMED_VOLUMES: usize = 8;

/// The app's volumes as they are spent.
pub(super) struct VolumeAllocator<'a> {
    all: &'a [Volume],
    /// What those of one name are like.
    traits_by_name: BTreeMap<&'a str, VolumeTraits>,
    /// Those that no Machine has that stays, on hosts that answer, by name and region and then by id.
    free: BTreeMap<(String, Region), VecDeque<&'a VolumeId>>,
    /// Whether the provider has volumes at all.
    provider_has_volumes: bool,
}

/// What the volumes of one name have in common.
#[derive(Debug, Default)]
struct VolumeTraits {
    largest_gb: u32,
    /// At least one of them is.
    encrypted: bool,
}

/// What a new Machine gets for its mounts.
#[derive(Debug, Default)]
pub(super) struct AssignedVolumes {
    pub(super) taken: Vec<VolumeId>,
    pub(super) new_volumes: Vec<PlannedVolume>,
}

impl<'a> VolumeAllocator<'a> {
    /// Those that migrations left behind (`left`) are not free.
    pub(super) fn of(observed: Option<&'a Observed>, left: &BTreeSet<VolumeId>) -> Self {
        let all = observed.map_or(&[][..], |observed| &observed.volumes);
        let mut kinds: BTreeMap<&str, VolumeTraits> = BTreeMap::new();
        for volume in all {
            let kind = kinds.entry(&volume.name).or_default();
            kind.largest_gb = kind.largest_gb.max(volume.size_gb);
            kind.encrypted |= volume.encrypted;
        }
        let mut free: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for volume in unattached(observed)
            .into_iter()
            .filter(|v| !left.contains(&v.id))
        {
            let place = (volume.name.clone(), volume.region.clone());
            free.entry(place).or_default().push_back(&volume.id);
        }
        Self {
            all,
            traits_by_name: kinds,
            free,
            provider_has_volumes: observed.is_some_and(|o| o.description.capabilities.volumes),
        }
    }

    /// The volumes of a new Machine, in the order of its mounts, behind those that it keeps: of each name
    /// and region the unattached one with the lowest id, so that a Machine that is made again has the data
    /// of the one that is gone. From the first mount on that there is none for they are made.
    pub(super) fn assign(
        &mut self,
        group: &DesiredGroup,
        inherited: Option<&Guest>,
        region: &Region,
        kept: &[VolumeId],
    ) -> AssignedVolumes {
        let mut mounted = AssignedVolumes {
            taken: kept.to_vec(),
            new_volumes: Vec::new(),
        };
        let guest = group.template.explicit_size().or(inherited);
        for mount in group.template.mounts.iter().flatten().skip(kept.len()) {
            let Some(name) = &mount.name else {
                break;
            };
            let place = (name.clone(), region.clone());
            let free = match self.free.get_mut(&place) {
                Some(free) if mounted.new_volumes.is_empty() => free.pop_front(),
                Some(_) | None => None,
            };
            match free {
                Some(id) => mounted.taken.push(id.clone()),
                None if self.provider_has_volumes => mounted
                    .new_volumes
                    .push(self.new_volume(name, group, guest)),
                None => break,
            }
        }
        mounted
    }

    /// As large as it is written, else as the largest of its name, as `fly scale count` makes them.
    fn new_volume(&self, name: &str, group: &DesiredGroup, guest: Option<&Guest>) -> PlannedVolume {
        let kind = self.traits_by_name.get(name);
        let largest = kind.map(|kind| kind.largest_gb);
        let has_gpu = guest.is_some_and(|guest| {
            guest.gpu_kind.is_some() || guest.gpus.is_some_and(|gpus| gpus > 0)
        });
        let usual = if has_gpu {
            DEFAULT_GPU_SIZE_GB
        } else {
            DEFAULT_SIZE_GB
        };
        let written = group.new_volume;
        PlannedVolume {
            name: name.to_owned(),
            size_gb: written.initial_size_gb.or(largest).unwrap_or(usual),
            encrypted: kind.is_none_or(|kind| kind.encrypted),
            unique_zone: false,
            snapshot_retention: written.snapshot_retention,
            scheduled_snapshots: written.scheduled_snapshots,
        }
    }

    /// Volumes of one name and region lie apart, as `fly scale count` asks for it
    /// (docs/platform/scale-rules.md 1.7).
    pub(super) fn set_unique_zones(&self, steps: &mut [Step]) {
        let mut many: BTreeMap<(String, Region), usize> = BTreeMap::new();
        for volume in self.all {
            let place = (volume.name.clone(), volume.region.clone());
            *many.entry(place).or_default() += 1;
        }
        for_each_new_volume(steps, |region, volume| {
            let place = (volume.name.clone(), region.clone());
            *many.entry(place).or_default() += 1;
        });
        for_each_new_volume(steps, |region, volume| {
            let place = (volume.name.clone(), region.clone());
            volume.unique_zone = many[&place] > 1;
        });
    }
}

fn for_each_new_volume(steps: &mut [Step], mut with: impl FnMut(&Region, &mut PlannedVolume)) {
    for step in steps {
        if let Work::Change(change) = &mut step.work
            && let Action::Create { new_volumes, .. } = &mut change.action
        {
            for volume in new_volumes {
                with(&change.region, volume);
            }
        }
    }
}

/// Volumes that a migration to another host left behind: the state knows them as those of a Machine that has
/// others of the same name now. What is in them is as old as the migration, so no new Machine takes one
/// (docs/platform/machines-api.md 20a).
fn find_forked<'v>(
    decisions: &'v BTreeMap<GroupName, GroupDecision<'_>>,
    observed: &'v Observed,
) -> Vec<(&'v Member<'v>, &'v Volume, &'v VolumeId)> {
    let listed = |id: &VolumeId| observed.volumes.iter().find(|volume| volume.id == *id);
    let mut found = Vec::new();
    for member in decisions.values().flat_map(|decision| &decision.members) {
        for (old, new) in member.forked_volumes() {
            let Some(left) = listed(old).filter(|volume| volume.attached_to.is_none()) else {
                continue;
            };
            if listed(new).is_none_or(|new| new.name == left.name) {
                found.push((member, left, new));
            }
        }
    }
    found
}

/// What a move to another host left behind, with what it costs as long as it stays.
pub fn forked_text(machine: &MachineId, left: &Volume, new: &VolumeId) -> String {
    let cents = volume_price(left.size_gb).cents();
    format!(
        "a move to another host gave Machine {machine} volume {new} in place of {}, which no Machine has and \
         which costs ${}.{:02} a month ({} GB)",
        left.id,
        cents / 100,
        cents % 100,
        left.size_gb
    )
}

/// Each of those once.
pub(super) fn migration_leftover_notes(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: &Observed,
) -> Vec<Note> {
    let forked = find_forked(decisions, observed);
    let told = forked.into_iter().map(|(member, left, new)| {
        note(codes::VOLUME_FORKED, forked_text(member.id, left, new))
            .for_group(&member.group)
            .with_hint(format!(
                "when you need nothing that is only in it: `fly volumes destroy {}`",
                left.id
            ))
    });
    told.collect()
}

/// The ids of those that migrations left behind.
pub(super) fn migration_leftovers(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: Option<&Observed>,
) -> BTreeSet<VolumeId> {
    let forked = observed.map(|observed| find_forked(decisions, observed));
    let ids = forked
        .into_iter()
        .flatten()
        .map(|(_, left, _)| left.id.clone());
    ids.collect()
}

fn unattached(observed: Option<&Observed>) -> Vec<&Volume> {
    let all = observed.into_iter().flat_map(|observed| &observed.volumes);
    let leaves = |id: &MachineId| {
        let holder = observed.and_then(|observed| observed.machines.get(id));
        holder.is_some_and(|machine| machine.state.is_gone())
    };
    let free = |volume: &&Volume| {
        volume.host == HostStatus::Ok && volume.attached_to.as_ref().is_none_or(leaves)
    };
    let mut free: Vec<&Volume> = all.filter(free).collect();
    free.sort_by(|a, b| a.id.cmp(&b.id));
    free
}

/// Volumes of wanted groups that are smaller than `initial_size`: it is for those that are made.
pub(super) fn undersized_notes(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    steps: &[Step],
    observed: Option<&Observed>,
) -> Vec<Note> {
    let all = observed.map_or(&[][..], |observed| &observed.volumes);
    let mut notes = Vec::new();
    for (name, decision) in decisions {
        let Some(group) = decision.desired else {
            continue;
        };
        let Some(wanted) = group.new_volume.initial_size_gb else {
            continue;
        };
        let gone: BTreeSet<&MachineId> =
            decision.removed.iter().map(|gone| gone.member.id).collect();
        let members = decision.members.iter().filter(|m| !gone.contains(m.id));
        let had = members.flat_map(Member::volumes);
        let taken = steps.iter().filter_map(|step| match &step.work {
            Work::Change(change) if change.group == *name => Some(change.taken_volumes()),
            Work::Change(_) | Work::Barrier { .. } => None,
        });
        let mut ids: Vec<&VolumeId> = had.chain(taken.flatten()).collect();
        ids.sort();
        ids.dedup();
        let is_small =
            |volume: &&Volume| volume.size_gb < wanted && ids.binary_search(&&volume.id).is_ok();
        let mut small: Vec<&Volume> = all.iter().filter(is_small).collect();
        small.sort_by(|a, b| a.id.cmp(&b.id));
        if !small.is_empty() {
            notes.push(undersized_note(&desired.app, name, wanted, &small));
        }
    }
    notes
}

fn undersized_note(app: &AppName, group: &GroupName, wanted: u32, small: &[&Volume]) -> Note {
    let shown = &small[..small.len().min(MAX_NAMED_VOLUMES)];
    let sizes: Vec<String> = shown
        .iter()
        .map(|volume| format!("{} has {} GB", volume.id, volume.size_gb))
        .collect();
    let more = match small.len() - shown.len() {
        0 => String::new(),
        n => format!(" + {n} more"),
    };
    let commands: Vec<String> = shown
        .iter()
        .map(|volume| {
            format!(
                "fly volumes extend {} --size {wanted} --app {app}",
                volume.id
            )
        })
        .collect();
    note(
        codes::SMALLER_VOLUME,
        format!(
            "`initial_size` of group `{group}` is {wanted} GB and {}{more}: it is for volumes that are \
             made, and those that exist stay as they are",
            sizes.join(", ")
        ),
    )
    .for_group(group)
    .with_hint(format!("to extend them:\n{}", commands.join("\n")))
}
