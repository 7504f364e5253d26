//! Volumes of new Machines: unattached ones are reused, missing ones are created (rule 32).
//!
//! Chooses and counts. An existing volume is never resized or destroyed.

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

/// flyctl's default size of a new volume (docs/platform/fly-toml.md 10.5).
const DEFAULT_SIZE_GB: u32 = 1;

/// The default for a Machine with a GPU.
const DEFAULT_GPU_SIZE_GB: u32 = 100;

/// The most volumes named in a note, with the command that extends each.
const MAX_NAMED_VOLUMES: usize = 8;

/// Assigns the app's volumes.
pub(super) struct VolumeAllocator<'a> {
    all: &'a [Volume],
    /// The traits of volumes by name.
    traits_by_name: BTreeMap<&'a str, VolumeTraits>,
    /// Volumes on reachable hosts that no remaining Machine has, by name and region, then by id.
    free: BTreeMap<(String, Region), VecDeque<&'a VolumeId>>,
    /// Whether the provider has volumes at all.
    provider_has_volumes: bool,
}

/// Traits that the volumes of one name share.
#[derive(Debug, Default)]
struct VolumeTraits {
    largest_gb: u32,
    /// At least one of them is encrypted.
    encrypted: bool,
}

/// The volumes of a new Machine.
#[derive(Debug, Default)]
pub(super) struct AssignedVolumes {
    pub(super) reused: Vec<VolumeId>,
    pub(super) new_volumes: Vec<PlannedVolume>,
}

impl<'a> VolumeAllocator<'a> {
    /// Volumes that migrations left behind (`left`) are not free.
    pub(super) fn of(observed: Option<&'a Observed>, migrated: &BTreeSet<VolumeId>) -> Self {
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
            .filter(|v| !migrated.contains(&v.id))
        {
            let pool = (volume.name.clone(), volume.region.clone());
            free.entry(pool).or_default().push_back(&volume.id);
        }
        Self {
            all,
            traits_by_name: kinds,
            free,
            provider_has_volumes: observed.is_some_and(|o| o.description.capabilities.volumes),
        }
    }

    /// The volumes of a new Machine in the order of its mounts, after those that it keeps. For each name and
    /// region it takes the unattached volume with the lowest id, so that a recreated Machine gets the data of
    /// the old one. From the first mount without such a volume on, new ones are created.
    pub(super) fn assign(
        &mut self,
        group: &DesiredGroup,
        inherited: Option<&Guest>,
        region: &Region,
        attached: &[VolumeId],
    ) -> AssignedVolumes {
        let mut mounted = AssignedVolumes {
            reused: attached.to_vec(),
            new_volumes: Vec::new(),
        };
        let guest = group.template.explicit_size().or(inherited);
        for mount in group.template.mounts.iter().flatten().skip(attached.len()) {
            let Some(name) = &mount.name else {
                break;
            };
            let pool = (name.clone(), region.clone());
            let free = match self.free.get_mut(&pool) {
                Some(free) if mounted.new_volumes.is_empty() => free.pop_front(),
                Some(_) | None => None,
            };
            match free {
                Some(id) => mounted.reused.push(id.clone()),
                None if self.provider_has_volumes => mounted
                    .new_volumes
                    .push(self.new_volume(name, group, guest)),
                None => break,
            }
        }
        mounted
    }

    /// The written size, else the largest of its name, like `fly scale count`.
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

    /// Volumes of one name and region lie in different zones, like with `fly scale count`
    /// (docs/platform/scale-rules.md 1.7).
    pub(super) fn set_unique_zones(&self, steps: &mut [Step]) {
        let mut many: BTreeMap<(String, Region), usize> = BTreeMap::new();
        for volume in self.all {
            let pool = (volume.name.clone(), volume.region.clone());
            *many.entry(pool).or_default() += 1;
        }
        for_each_new_volume(steps, |region, volume| {
            let pool = (volume.name.clone(), region.clone());
            *many.entry(pool).or_default() += 1;
        });
        for_each_new_volume(steps, |region, volume| {
            let pool = (volume.name.clone(), region.clone());
            volume.unique_zone = many[&pool] > 1;
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

/// Volumes that a host migration left behind: the state lists them for a Machine that now has others of the
/// same name. Their data is as old as the migration, so no new Machine takes one (docs/platform/machines-api.md
/// 20a).
fn find_forked<'v>(
    decisions: &'v BTreeMap<GroupName, GroupDecision<'_>>,
    observed: &'v Observed,
) -> Vec<(&'v Member<'v>, &'v Volume, &'v VolumeId)> {
    let listed = |id: &VolumeId| observed.volumes.iter().find(|volume| volume.id == *id);
    let mut found = Vec::new();
    for member in decisions.values().flat_map(|decision| &decision.members) {
        for (old, new) in member.forked_volumes() {
            let Some(old) = listed(old).filter(|volume| volume.attached_to.is_none()) else {
                continue;
            };
            if listed(new).is_none_or(|new| new.name == old.name) {
                found.push((member, old, new));
            }
        }
    }
    found
}

/// The text about a volume that a migration left behind, with its monthly cost.
pub fn forked_text(machine: &MachineId, old: &Volume, new: &VolumeId) -> String {
    let cents = volume_price(old.size_gb).cents();
    format!(
        "a host migration gave Machine {machine} volume {new}; the old volume {} is unused and costs \
         ${}.{:02} a month ({} GB)",
        old.id,
        cents / 100,
        cents % 100,
        old.size_gb
    )
}

/// One note for each of them.
pub(super) fn migration_leftover_notes(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: &Observed,
) -> Vec<Note> {
    let forked = find_forked(decisions, observed);
    let notes = forked.into_iter().map(|(member, old, new)| {
        note(codes::VOLUME_FORKED, forked_text(member.id, old, new))
            .for_group(&member.group)
            .with_hint(format!(
                "if you do not need its data: `fly volumes destroy {}`",
                old.id
            ))
    });
    notes.collect()
}

/// The ids of volumes that migrations left behind.
pub(super) fn migration_leftovers(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: Option<&Observed>,
) -> BTreeSet<VolumeId> {
    let forked = observed.map(|observed| find_forked(decisions, observed));
    let ids = forked
        .into_iter()
        .flatten()
        .map(|(_, old, _)| old.id.clone());
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

/// Notes about volumes of desired groups below `initial_size`, which applies to new volumes only.
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
        let Some(initial_size) = group.new_volume.initial_size_gb else {
            continue;
        };
        let removed: BTreeSet<&MachineId> = decision
            .removed
            .iter()
            .map(|removed| removed.member.id)
            .collect();
        let members = decision.members.iter().filter(|m| !removed.contains(m.id));
        let had = members.flat_map(Member::volumes);
        let reused = steps.iter().filter_map(|step| match &step.work {
            Work::Change(change) if change.group == *name => Some(change.taken_volumes()),
            Work::Change(_) | Work::Barrier { .. } => None,
        });
        let mut ids: Vec<&VolumeId> = had.chain(reused.flatten()).collect();
        ids.sort();
        ids.dedup();
        let is_small = |volume: &&Volume| {
            volume.size_gb < initial_size && ids.binary_search(&&volume.id).is_ok()
        };
        let mut small: Vec<&Volume> = all.iter().filter(is_small).collect();
        small.sort_by(|a, b| a.id.cmp(&b.id));
        if !small.is_empty() {
            notes.push(undersized_note(&desired.app, name, initial_size, &small));
        }
    }
    notes
}

fn undersized_note(app: &AppName, group: &GroupName, initial_size: u32, small: &[&Volume]) -> Note {
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
                "fly volumes extend {} --size {initial_size} --app {app}",
                volume.id
            )
        })
        .collect();
    note(
        codes::SMALLER_VOLUME,
        format!(
            "`initial_size` of group `{group}` is {initial_size} GB, but {}{more}: it applies to new volumes only",
            sizes.join(", ")
        ),
    )
    .for_group(group)
    .with_hint(format!("to extend them:\n{}", commands.join("\n")))
}
