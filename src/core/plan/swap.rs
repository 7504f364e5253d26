//! Swaps: which groups get new Machines (green) in the place of all others (blue), and how far a swap of an earlier run
//! got.
//!
//! Decides what is green and what is blue; [`super::order`] decides the order, and [`super::swap_checks`] what is
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use super::FieldChange;
use super::codes;
use super::decision::{AwaitMethod, AwaitedMachine, ChangedMachine, GroupDecision, RemovedMachine};
use super::fields::{CompareContext, ConfigComparer};
use super::gates::gate;
use super::members::{Fleet, Member};
use super::notes::note;
use super::options::{Options, PlanMode};
use super::reconcile::removed_machine;
use super::swap_checks::{is_running, swaps};
use super::swap_cordons::{
    are_going, are_outnumbered, fails, is_cordoned, is_marked, stay_cordoned,
};
use super::types::{DriftKind, GateKind, Note, PlannedSwap, Removal};
use super::unproven::Evidence;
use crate::core::fleet::{
    Capabilities, Desired, DesiredGroup, GroupName, Known, LaunchId, Lineage, MachineId,
    MachineName, Observed, Region, Stamps, SwapRole,
};

/// The swap of one group.
#[derive(Debug, Default)]
pub(super) struct GroupSwap<'a> {
    pub(super) tag: String,
    /// New Machines, each in the place of a blue; those of a higher count are in [`GroupDecision::creates`].
    pub(super) greens: Vec<PlannedGreen>,
    /// The Machines that the swap is for: what would change without it.
    pub(super) changed: Vec<ChangedMachine<'a>>,
    /// New standbys in the place of others.
    pub(super) standbys: Vec<Region>,
    /// Greens of an earlier run that has switched: nothing is created then.
    pub(super) existing: Vec<ExistingGreen<'a>>,
    /// What is destroyed once the greens serve.
    pub(super) blues: Vec<RemovedMachine<'a>>,
    /// An earlier run has begun to remove the blues, so the greens need not pass again.
    pub(super) blues_are_going: bool,
}

impl GroupSwap<'_> {
    /// Whether an earlier run has switched it.
    pub(super) fn is_finishing(&self) -> bool {
        !self.existing.is_empty()
    }
}

/// A green to create, or to take from an earlier run.
#[derive(Debug)]
pub(super) struct PlannedGreen {
    pub(super) region: Region,
    pub(super) blue: MachineId,
    pub(super) changes: Vec<FieldChange>,
    pub(super) reason: String,
    pub(super) must_run: bool,
    pub(super) stays_cordoned: bool,
}

/// A green of an earlier run.
#[derive(Debug)]
pub(super) struct ExistingGreen<'a> {
    pub(super) wait: AwaitedMachine<'a>,
    pub(super) stays_cordoned: bool,
}

/// The swaps of a plan.
pub(super) struct Swaps<'a> {
    lineage: &'a Lineage,
    /// The tag of a swap that this plan begins.
    tag: String,
    earlier: Option<EarlierSwap<'a>>,
    /// Greens of other swaps that are not switched.
    stale: BTreeMap<GroupName, Vec<Member<'a>>>,
}

/// The newest swap of which Machines exist.
struct EarlierSwap<'a> {
    tag: String,
    /// It has the desired state of this plan.
    is_same: bool,
    stage: Stage<'a>,
}

enum Stage<'a> {
    /// Nothing of it serves.
    Preparing(BTreeMap<GroupName, Vec<Member<'a>>>),
    /// Its greens serve, or may: they are members.
    Switched {
        colours: BTreeMap<MachineId, SwapRole>,
        /// Groups whose greens fail, that nobody wants any more, and whose blues cannot do without them.
        depleted: BTreeSet<GroupName>,
    },
}

impl<'a> Swaps<'a> {
    /// Finds the swap of an earlier run. Until it is switched its greens are no members of their groups.
    pub(super) fn find(
        fleet: &mut Fleet<'a>,
        (desired, known, observed): (&Desired, &'a Known, Option<&'a Observed>),
        (lineage, digest, options): (&'a Lineage, &str, &Options),
    ) -> Self {
        let mut swaps = Self {
            lineage,
            tag: LaunchId::swap_tag(lineage, known.serial, digest),
            earlier: None,
            stale: BTreeMap::new(),
        };
        if options.mode == PlanMode::Destroy {
            return swaps;
        }
        if observed.is_none() {
            // Each pair counts once.
            let counts = |member: &Member<'_>| {
                let green = member
                    .known
                    .filter(|known| known.swap == Some(SwapRole::Green));
                let blue = green.and_then(|green| green.replaces.as_ref());
                !blue.is_some_and(|blue| known.machines.contains_key(blue))
            };
            for members in fleet.members.values_mut() {
                members.retain(counts);
            }
            return swaps;
        }
        let mut by_tag: BTreeMap<String, (u64, Vec<Member<'a>>)> = BTreeMap::new();
        for (name, members) in &fleet.members {
            if !desired.groups.contains_key(name) {
                continue;
            }
            for member in members {
                if let Some((serial, tag)) = green_of(member, lineage) {
                    let found = by_tag.entry(tag.to_owned()).or_insert((serial, Vec::new()));
                    // One that was updated since bears a later one.
                    found.0 = found.0.min(serial);
                    found.1.push(member.clone());
                }
            }
        }
        let greens = by_tag.values().flat_map(|(_, greens)| greens);
        let ids: BTreeSet<&MachineId> = greens.map(|member| member.id).collect();
        let is_green = |id: &Option<MachineId>| id.as_ref().is_some_and(|id| ids.contains(id));
        fleet
            .drift
            .retain(|drift| drift.kind != DriftKind::Added || !is_green(&drift.machine.id));
        let newest = by_tag
            .iter()
            .max_by_key(|(tag, (serial, _))| (*serial, *tag));
        let newest = newest.map(|(tag, _)| tag.clone());
        if let Some((tag, (serial, greens))) = newest.and_then(|tag| by_tag.remove_entry(&tag)) {
            swaps.earlier = EarlierSwap::of(fleet, (serial, &tag, &greens), digest, options);
        }
        let others = by_tag.into_values().flat_map(|(_, greens)| greens);
        for member in others.filter(is_cordoned) {
            take_out(fleet, &member);
            swaps
                .stale
                .entry(member.group.clone())
                .or_default()
                .push(member);
        }
        swaps
    }

    /// The colours of the members of a group whose swap an earlier run has switched.
    pub(super) fn finishing(
        &self,
        members: &[Member<'_>],
    ) -> Option<&BTreeMap<MachineId, SwapRole>> {
        match &self.earlier.as_ref()?.stage {
            Stage::Switched { colours, .. } => {
                let coloured = members.iter().any(|member| colours.contains_key(member.id));
                coloured.then_some(colours)
            }
            Stage::Preparing(_) => None,
        }
    }

    fn is_depleted(&self, name: &GroupName) -> bool {
        self.earlier
            .as_ref()
            .is_some_and(|earlier| match &earlier.stage {
                Stage::Switched { depleted, .. } => depleted.contains(name),
                Stage::Preparing(_) => false,
            })
    }

    /// Whether an earlier run has switched a swap that this plan finishes.
    pub(super) fn is_finishing(&self) -> bool {
        let stage = self.earlier.as_ref().map(|earlier| &earlier.stage);
        matches!(stage, Some(Stage::Switched { .. }))
    }

    /// The groups in which greens wait that are no members.
    pub(super) fn groups(&self) -> impl Iterator<Item = &GroupName> {
        let preparing = self
            .earlier
            .iter()
            .filter_map(|earlier| match &earlier.stage {
                Stage::Preparing(greens) => Some(greens.keys()),
                Stage::Switched { .. } => None,
            });
        preparing.flatten().chain(self.stale.keys())
    }

    /// The tag of the swap that a group begins, or goes on with.
    fn tag(&self) -> &str {
        match &self.earlier {
            Some(EarlierSwap {
                tag,
                is_same: true,
                stage: Stage::Preparing(_),
            }) => tag,
            Some(_) | None => &self.tag,
        }
    }

    /// Exchanges all Machines of a group: what would change in place is replaced, and what would stay, too.
    pub(super) fn begin(
        &self,
        group: &DesiredGroup,
        fields: &mut ConfigComparer<'a>,
        members: &[Member<'a>],
        decision: &mut GroupDecision<'a>,
    ) {
        let mut swap = GroupSwap {
            tag: self.tag().to_owned(),
            ..GroupSwap::default()
        };
        let removed: BTreeSet<&MachineId> =
            decision.removed.iter().map(|gone| gone.member.id).collect();
        let mut must_run = group.template.has_checks();
        let stays = |member: &&Member<'_>| {
            !removed.contains(member.id) && !member.is_unlisted_and_unreadable()
        };
        swap.changed = std::mem::take(&mut decision.changed);
        let changed = swap
            .changed
            .iter()
            .map(|changed| (changed.member.id, changed));
        let changed: BTreeMap<&MachineId, &ChangedMachine<'a>> = changed.collect();
        for member in members.iter().filter(stays) {
            let change = changed.get(member.id).copied();
            let reason = change.map_or("its group is swapped", |change| &change.reason);
            let blue = removed_machine(member, Removal::Swapped, reason, fields);
            if decision.counts_as_standby(member) {
                swap.standbys.push(member.region.clone());
            } else {
                swap.greens.push(PlannedGreen {
                    region: member.region.clone(),
                    blue: member.id.clone(),
                    reason: reason.to_owned(),
                    changes: change
                        .map(|change| change.changes.clone())
                        .unwrap_or_default(),
                    must_run: must_run && runs(member),
                    stays_cordoned: is_cordoned(member),
                });
                must_run &= !runs(member);
            }
            swap.blues.push(RemovedMachine {
                left_volumes: Vec::new(),
                ..blue
            });
        }
        // Nothing goes down before the greens have passed.
        decision.unproven.clear();
        decision.unhealthy.clear();
        decision.watchers.clear();
        decision.stuck.clear();
        decision.swap = Some(swap);
    }

    /// The greens of a group that no swap of this plan takes.
    pub(super) fn unused(
        &self,
        name: &GroupName,
        fields: &mut ConfigComparer<'a>,
        decision: &GroupDecision<'a>,
    ) -> Vec<RemovedMachine<'a>> {
        let mut unused: Vec<(&Member<'a>, &str)> = Vec::new();
        let taken = self.taken(name, decision);
        if let Some(earlier) = &self.earlier
            && let Stage::Preparing(greens) = &earlier.stage
        {
            let why = match (&decision.swap, earlier.is_same) {
                (Some(swap), true) if swap.tag == earlier.tag => "the swap needs it no more",
                (_, _) => "a swap of an earlier run that does not go on",
            };
            let left = greens.get(name).into_iter().flatten();
            let left = left.filter(|member| !taken.contains(member.name.as_str()));
            unused.extend(left.map(|member| (member, why)));
        }
        let stale = self.stale.get(name).into_iter().flatten();
        unused.extend(stale.map(|member| (member, "a swap of an earlier run that does not go on")));
        unused
            .into_iter()
            .map(|(member, why)| removed_machine(member, Removal::SwapUndone, why, fields))
            .collect()
    }

    /// The names of the greens that the plan creates or takes in this group.
    fn taken(&self, name: &GroupName, decision: &GroupDecision<'_>) -> BTreeSet<String> {
        let Some(swap) = decision.swap.as_ref().filter(|swap| !swap.is_finishing()) else {
            return BTreeSet::new();
        };
        let primaries = swap.greens.iter().map(|green| &green.region);
        let all = primaries.chain(&decision.creates);
        let all = all.chain(&swap.standbys).chain(&decision.standbys);
        let mut slots: BTreeMap<&Region, u32> = BTreeMap::new();
        all.map(|region| {
            let slot = slots.entry(region).or_default();
            let launch = LaunchId::derive_green(self.lineage, &swap.tag, name, region, *slot);
            *slot += 1;
            MachineName::for_launch(name, &launch).to_string()
        })
        .collect()
    }

    /// Finishes a swap that an earlier run has switched. What else its group needs comes with the next plan.
    pub(super) fn finish(
        &self,
        (name, group): (&GroupName, &'a DesiredGroup),
        (colours, members): (&BTreeMap<MachineId, SwapRole>, Vec<Member<'a>>),
        after: GroupDecision<'a>,
        context: CompareContext<'a>,
    ) -> GroupDecision<'a> {
        let mut fields = ConfigComparer::of(Some(group), context);
        let swap = self.finished((name, group), (colours, &members), &mut fields);
        let code = codes::SWAP_FINISHES_FIRST.name();
        let is_done = after.notes.iter().all(|note| note.code != code)
            && after.all_changed().next().is_none()
            && after.removed.is_empty()
            && after.creates.is_empty()
            && after.standbys.is_empty();
        let awaited: BTreeSet<&MachineId> = swap
            .existing
            .iter()
            .map(|green| green.wait.member.id)
            .collect();
        let adopted = after.adopted.into_iter();
        GroupDecision {
            desired: Some(group),
            adopted: adopted
                .filter(|(member, _)| !awaited.contains(member.id))
                .collect(),
            primaries: after.primaries,
            unused_greens: self.unused(name, &mut fields, &GroupDecision::default()),
            notes: if is_done {
                Vec::new()
            } else {
                vec![finishes_first(name)]
            },
            swap: Some(swap),
            members,
            ..GroupDecision::default()
        }
    }

    fn finished(
        &self,
        (name, group): (&GroupName, &DesiredGroup),
        (colours, members): (&BTreeMap<MachineId, SwapRole>, &[Member<'a>]),
        fields: &mut ConfigComparer<'a>,
    ) -> GroupSwap<'a> {
        let role = |member: &&Member<'_>| colours.get(member.id).copied();
        let of = |wanted: SwapRole| members.iter().filter(move |m| role(m) == Some(wanted));
        let greens = of(SwapRole::Green).filter(|member| !member.is_standby());
        let blues: Vec<&Member<'a>> = of(SwapRole::Blue).collect();
        let stay = stay_cordoned(&greens.clone().collect::<Vec<_>>(), &blues);
        GroupSwap {
            tag: self
                .earlier
                .as_ref()
                .map(|earlier| earlier.tag.clone())
                .unwrap_or_default(),
            existing: greens
                .map(|member| ExistingGreen {
                    stays_cordoned: stay.contains(member.id),
                    wait: AwaitedMachine {
                        method: match Evidence::of(group, member) {
                            Evidence::Ended => AwaitMethod::Start,
                            Evidence::Enough | Evidence::NotYet | Evidence::Up => AwaitMethod::Wait,
                        },
                        gate: if runs(member) || Evidence::of(group, member) != Evidence::Enough {
                            gate(group)
                        } else {
                            GateKind::Settled
                        },
                        reason: "it is new and has the traffic already".to_owned(),
                        precondition: fields.precondition(member),
                        member: member.clone(),
                    },
                })
                .collect(),
            blues: blues
                .into_iter()
                .map(|member| {
                    removed_machine(member, Removal::Swapped, "a swap has replaced it", fields)
                })
                .collect(),
            blues_are_going: are_going(members, colours) || self.is_depleted(name),
            ..GroupSwap::default()
        }
    }
}

impl<'a> EarlierSwap<'a> {
    /// None if the swap has ended: no blue is left, and the state does not say otherwise.
    fn of(
        fleet: &mut Fleet<'a>,
        (serial, tag, greens): (u64, &str, &[Member<'a>]),
        digest: &str,
        options: &Options,
    ) -> Option<Self> {
        let created = |member: &Member<'_>| member.observed.map(|seen| seen.created_at.clone());
        let first = greens.iter().filter_map(created).min().unwrap_or_default();
        let groups: BTreeSet<&GroupName> = greens.iter().map(|green| &green.group).collect();
        let ids: BTreeSet<&MachineId> = greens.iter().map(|green| green.id).collect();
        let is_green = |member: &Member<'_>| ids.contains(member.id);
        let is_blue = |member: &Member<'_>| {
            let Some(seen) = member.observed.filter(|_| !is_green(member)) else {
                return false;
            };
            let stamped = seen.stamps.serial.is_some_and(|stamped| stamped >= serial);
            member
                .known
                .is_some_and(|known| known.swap == Some(SwapRole::Blue))
                || is_marked(member)
                || seen.created_at < first && !stamped
        };
        let colours = groups.iter().flat_map(|name| &fleet.members[*name]);
        let colours: BTreeMap<MachineId, SwapRole> = colours
            .filter_map(|member| {
                let role = if is_green(member) {
                    SwapRole::Green
                } else if is_blue(member) {
                    SwapRole::Blue
                } else {
                    return None;
                };
                Some((member.id.clone(), role))
            })
            .collect();
        let primaries = greens.iter().filter(|green| !green.is_standby());
        let has_traffic = |green: &Member<'_>| green.observed.is_some_and(|seen| !seen.cordoned);
        let is_switched =
            options.switched_swaps.contains(tag) || primaries.clone().any(has_traffic);
        let has_blues = colours.values().any(|role| *role == SwapRole::Blue);
        let is_recorded = greens.iter().any(|green| green.known.is_some());
        if !has_blues && !is_recorded && greens.iter().all(has_traffic) {
            return None;
        }
        let same = |green: &Member<'_>| {
            let desired = green
                .observed
                .and_then(|seen| seen.stamps.desired.as_deref());
            desired == Some(digest)
        };
        let is_same = greens.iter().all(same);
        // Greens that do not work and that nobody wants any more: the blues have everything they had, unless fewer of
        // them serve.
        let gives_up = !is_same && has_blues && primaries.clone().any(fails);
        let of = |name: &GroupName| &fleet.members[name];
        let depleted = groups.iter().filter(|_| gives_up && is_switched);
        let depleted: BTreeSet<GroupName> = depleted
            .filter(|name| are_outnumbered(of(name), &colours))
            .map(|name| (*name).clone())
            .collect();
        let mut all = groups.iter();
        let going = !depleted.is_empty() || all.any(|name| are_going(of(name), &colours));
        let stage = if is_switched && (going || !gives_up) || !has_blues {
            Stage::Switched { colours, depleted }
        } else {
            let mut out: BTreeMap<GroupName, Vec<Member<'a>>> = BTreeMap::new();
            for green in greens {
                take_out(fleet, green);
                out.entry(green.group.clone())
                    .or_default()
                    .push(green.clone());
            }
            Stage::Preparing(out)
        };
        Some(Self {
            tag: tag.to_owned(),
            is_same,
            stage,
        })
    }
}

fn take_out(fleet: &mut Fleet<'_>, green: &Member<'_>) {
    if let Some(members) = fleet.members.get_mut(&green.group) {
        members.retain(|member| member.id != green.id);
    }
}

/// The swap that created a Machine, if it may not have ended: its serial and tag. Its name must answer its launch id,
/// since other tools copy metadata (rule 4).
fn green_of<'m>(member: &'m Member<'_>, lineage: &Lineage) -> Option<(u64, &'m str)> {
    let seen = member.observed?;
    let tag = seen.stamps.swap.as_deref()?;
    let launch = seen.stamps.launch.as_deref()?;
    let ours = seen.stamps.lineage.as_ref() == Some(lineage);
    let answers = member.name.launch_suffix() == Some(launch);
    let ended = member
        .known
        .is_some_and(|known| known.swap != Some(SwapRole::Green));
    (ours && answers && !ended && tag != Stamps::SAFE_TO_DESTROY)
        .then(|| (seen.stamps.serial.unwrap_or(0), tag))
}

/// The swap as the plan shows it; none if no group is swapped.
pub(super) fn planned(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    capabilities: Option<&Capabilities>,
) -> Option<PlannedSwap> {
    let swapped = decisions.iter();
    let swapped = swapped.filter_map(|(name, decision)| Some((name, decision.swap.as_ref()?)));
    let (_, first) = swapped.clone().next()?;
    Some(PlannedSwap {
        tag: first.tag.clone(),
        groups: swapped.map(|(name, _)| name.clone()).collect(),
        wait_ms: capabilities.map_or(0, |of| of.swap_wait_ms),
    })
}

/// The changes of a group come with the next plan.
pub(super) fn finishes_first(name: &GroupName) -> Note {
    let message = format!(
        "group `{name}`: the swap of an earlier run is finished first; its other changes are not in this plan"
    );
    note(codes::SWAP_FINISHES_FIRST, message)
        .for_group(name)
        .with_hint("apply again afterwards")
}

/// Whether a swap created it that may not have ended.
pub(super) fn is_green(member: &Member<'_>, lineage: &Lineage) -> bool {
    green_of(member, lineage).is_some()
}

/// Whether a group can be swapped as it is: a volume has one Machine.
pub(super) fn is_swapped(decision: &GroupDecision<'_>, members: &[Member<'_>]) -> bool {
    let mounts = decision
        .desired
        .is_some_and(|group| group.template.has_mounts());
    let holds_volume = |member: &Member<'_>| !member.volumes().is_empty();
    swaps(decision) && !mounts && !members.iter().any(holds_volume)
}

/// Whether it is a primary that runs.
fn runs(member: &Member<'_>) -> bool {
    !member.is_standby() && is_running(member)
}
