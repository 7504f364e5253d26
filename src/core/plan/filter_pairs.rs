//! What belongs together where a filter leaves a part out: a rebalance, a move with the Machine in its place, and
//! primaries with the standbys that follow them.
//!
//! Marks what is left out until nothing more follows; [`super::filter`] takes it away. Marks are only ever added.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision, RemovedMachine};
use super::filter::{FilterFlag, change_filter, only_follows};
use super::requested::Requested;
use super::types::Removal;
use crate::core::fleet::{Count, DesiredGroup, GroupName, MachineId};

/// For each part of a decision the filter that leaves it out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) creates: Vec<Option<FilterFlag>>,
    pub(super) standbys: Vec<Option<FilterFlag>>,
    pub(super) changed: Vec<Option<FilterFlag>>,
    pub(super) removed: Vec<Option<FilterFlag>>,
    /// By how many primaries and standbys the group grows.
    pub(super) growth: [usize; 2],
}

type AllMarks = BTreeMap<GroupName, Marks>;
type Decisions<'d, 'a> = &'d BTreeMap<GroupName, GroupDecision<'a>>;

/// Marks what the filters name, then what belongs to it.
pub(super) fn mark(decisions: Decisions<'_, '_>, requested: &Requested) -> AllMarks {
    let of_group = |(name, decision): (&GroupName, &GroupDecision<'_>)| {
        let new = |region| requested.left_out_by(name, region, None);
        let growth = |creates: usize, standbys: bool| {
            creates.saturating_sub(replaced_by_creates(decision, standbys).len())
        };
        let marks = Marks {
            growth: [
                growth(decision.creates.len(), false),
                growth(decision.standbys.len(), true),
            ],
            creates: decision.creates.iter().map(new).collect(),
            standbys: decision.standbys.iter().map(new).collect(),
            changed: decision
                .changed
                .iter()
                .map(|changed| change_filter(changed, decision, requested))
                .collect(),
            removed: decision
                .removed
                .iter()
                .map(|removed| {
                    let member = &removed.member;
                    let new_half = decision
                        .members
                        .iter()
                        .find(|other| other.replaces == Some(member.id));
                    requested
                        .filter_of(member)
                        .or_else(|| requested.filter_of(new_half?))
                })
                .collect(),
        };
        (name.clone(), marks)
    };
    let mut marks: AllMarks = decisions.iter().map(of_group).collect();
    loop {
        let before = marks.clone();
        for (name, decision) in decisions {
            mark_group(name, decision, decisions, &mut marks);
        }
        if marks == before {
            return marks;
        }
    }
}

fn mark_group(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    decisions: Decisions<'_, '_>,
    marks: &mut AllMarks,
) {
    let mut own = marks.remove(name).unwrap_or_default();
    mark_uncounted(decision, &mut own);
    mark_moves_in(decision, &mut own);
    mark_standbys(decision, &mut own);
    mark_pairs(
        &mut own.standbys,
        &mut own.removed,
        &replaced_by_creates(decision, true),
        &[],
    );
    // A move out of the group and the new Machine in its place.
    let away: Vec<(&GroupName, usize)> = decisions
        .iter()
        .filter(|(to, _)| *to != name)
        .flat_map(|(to, other)| {
            let moves = other.changed.iter().enumerate();
            let moves = moves.filter(|(_, c)| c.member.leaves_group.as_ref() == Some(name));
            moves.map(move |(at, _)| (to, at))
        })
        .collect();
    let staying: Vec<FilterFlag> = away
        .iter()
        .filter_map(|(to, at)| marks.get(*to)?.changed[*at])
        .collect();
    let rebalanced = replaced_by_creates(decision, false);
    mark_pairs(&mut own.creates, &mut own.removed, &rebalanced, &staying);
    let growth = own.creates.len().saturating_sub(rebalanced.len());
    let in_place = growth.min(away.len());
    let kept_pairs = count_kept(
        &rebalanced
            .iter()
            .map(|at| own.removed[*at])
            .collect::<Vec<_>>(),
    );
    let kept = count_kept(&own.creates).saturating_sub(kept_pairs);
    let may_leave = away.len() - in_place.saturating_sub(kept);
    if let Some(flag) = first_flag(&own.creates) {
        let mut leaving = away.len() - staying.len();
        for (to, at) in away.iter().rev() {
            let Some(mark) = marks.get_mut(*to).map(|other| &mut other.changed[*at]) else {
                continue;
            };
            if leaving > may_leave && mark.is_none() {
                *mark = Some(flag);
                leaving -= 1;
            }
        }
    }
    marks.insert(name.clone(), own);
}

/// The removed Machines of which new ones take the place, by index: primaries, or standbys.
fn replaced_by_creates(decision: &GroupDecision<'_>, standbys: bool) -> Vec<usize> {
    let makes_room = |removed: &RemovedMachine<'_>| match removed.removal {
        Removal::Rebalanced | Removal::Named | Removal::Replaced | Removal::Swapped => {
            decision.counts_as_standby(&removed.member) == standbys
        }
        Removal::CountLowered
        | Removal::GroupRemoved
        | Removal::AppDestroyed
        | Removal::Canary
        | Removal::SwapUndone => false,
    };
    let removed = decision.removed.iter().enumerate();
    let making = removed.filter(|(_, removed)| makes_room(removed));
    making.map(|(at, _)| at).collect()
}

/// Keeps as many creates as destroys make room for, and the other way round. `staying` are Machines that were to leave
/// the group and do not.
fn mark_pairs(
    creates: &mut [Option<FilterFlag>],
    removed: &mut [Option<FilterFlag>],
    paired: &[usize],
    staying: &[FilterFlag],
) {
    let room: Vec<Option<FilterFlag>> = paired.iter().map(|at| removed[*at]).collect();
    let growth = creates
        .len()
        .saturating_sub(room.len())
        .saturating_sub(staying.len());
    let surplus = room.len().saturating_sub(creates.len());
    let (made, gone) = (count_kept(creates), count_kept(&room));
    let pairs = made.min(gone).min(creates.len().min(room.len()));
    if let Some(flag) = first_flag(&room).or(staying.first().copied()) {
        mark_last(
            creates.iter_mut(),
            made.saturating_sub(pairs + growth),
            flag,
        );
    }
    if let Some(flag) = first_flag(creates) {
        let mut rooms: Vec<_> = removed.iter_mut().enumerate().collect();
        rooms.retain(|(at, _)| paired.contains(at));
        let rooms = rooms.into_iter().map(|(_, mark)| mark);
        mark_last(rooms, gone.saturating_sub(pairs + surplus), flag);
    }
}

/// Whether the manifests say how many Machines the group has.
pub(super) fn is_counted(decision: &GroupDecision<'_>) -> bool {
    let written = |group: &DesiredGroup| matches!(group.count, Count::Written(_));
    decision.desired.is_some_and(written)
}

/// Without a written count nothing but the Machines that come says how many are wanted: they come together.
fn mark_uncounted(decision: &GroupDecision<'_>, own: &mut Marks) {
    if is_counted(decision) {
        return;
    }
    if let Some(flag) = first_flag(&own.creates).or(first_flag(&own.standbys)) {
        for mark in own.creates.iter_mut().chain(&mut own.standbys) {
            mark.get_or_insert(flag);
        }
    }
}

/// A Machine that does not come leaves room for one that was to go; so does a standby that becomes no primary.
fn mark_moves_in(decision: &GroupDecision<'_>, own: &mut Marks) {
    let moves = decision.changed.iter().zip(&own.changed);
    let staying: Vec<FilterFlag> = moves
        .filter(|(changed, _)| {
            let member = &changed.member;
            let is_promoted = member.is_standby() && !decision.counts_as_standby(member);
            member.moved_from.is_some() || is_promoted
        })
        .filter_map(|(_, mark)| *mark)
        .collect();
    let Some(flag) = staying.first() else {
        return;
    };
    let lowered = decision.removed.iter().zip(&mut own.removed);
    let lowered: Vec<_> = lowered
        .filter(|(removed, _)| {
            removed.removal == Removal::CountLowered && removed.member.moved_from.is_none()
        })
        .map(|(_, mark)| mark)
        .collect();
    let allowed = lowered.len().saturating_sub(staying.len());
    let kept = lowered.iter().filter(|mark| mark.is_none()).count();
    mark_last(lowered.into_iter(), kept.saturating_sub(allowed), *flag);
}

/// Where a standby that has to follow is left out, so are the changes that it has to follow. A new standby needs a
/// primary to watch.
fn mark_standbys(decision: &GroupDecision<'_>, own: &mut Marks) {
    let watches_all = decision
        .desired
        .is_some_and(|group| group.standby.is_some());
    let followers = decision.changed.iter().zip(own.changed.clone());
    for (standby, mark) in followers {
        let (ChangeRole::Repointed, Some(flag)) = (standby.role, mark) else {
            continue;
        };
        let watched: BTreeSet<&MachineId> = standby.member.standby_for().iter().collect();
        let follows = |id: &MachineId| watches_all || watched.contains(id);
        for (changed, mark) in decision.changed.iter().zip(&mut own.changed) {
            if changed.role == ChangeRole::Primary
                && changes_id(changed)
                && follows(changed.member.id)
            {
                mark.get_or_insert(flag);
            }
        }
        for (removed, mark) in decision.removed.iter().zip(&mut own.removed) {
            if !decision.counts_as_standby(&removed.member) && follows(removed.member.id) {
                mark.get_or_insert(flag);
            }
        }
        if watches_all {
            for mark in &mut own.creates {
                mark.get_or_insert(flag);
            }
        }
    }
    let moves_away = |id: &MachineId| {
        let mut changed = decision.changed.iter().zip(&own.changed);
        changed
            .any(|(c, mark)| c.member.id == id && c.member.moved_from.is_some() && mark.is_some())
    };
    let has_primary = decision
        .primaries
        .iter()
        .any(|member| !moves_away(member.id))
        || own.creates.iter().any(Option::is_none)
        || decision
            .removed
            .iter()
            .zip(&own.removed)
            .any(|(removed, mark)| mark.is_some() && !decision.counts_as_standby(&removed.member));
    if let (false, Some(flag)) = (
        has_primary,
        first_flag(&own.creates).or(first_flag(&own.changed)),
    ) {
        for mark in &mut own.standbys {
            mark.get_or_insert(flag);
        }
    }
}

/// Whether the group has another Machine in its place afterwards, or one more.
fn changes_id(changed: &ChangedMachine<'_>) -> bool {
    match changed.method {
        ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst | ChangeMethod::Move => true,
        ChangeMethod::Update => false,
    }
}

/// Standbys that have nothing left to follow: they watch the same Machines as before, or do not change.
pub(super) fn settle_standbys(
    decision: &mut GroupDecision<'_>,
    requested: &Requested,
    mut dropped: impl FnMut(&MachineId),
) {
    let stay: BTreeSet<&MachineId> = decision.primaries.iter().map(|p| p.id).collect();
    let all = decision
        .desired
        .is_some_and(|group| group.standby.is_some());
    let replaced: BTreeSet<&MachineId> = decision
        .changed
        .iter()
        .filter(|c| {
            c.role == ChangeRole::Primary && changes_id(c) && c.method != ChangeMethod::Move
        })
        .map(|c| c.member.id)
        .collect();
    let creates = !decision.creates.is_empty();
    let must_follow = |standby: &ChangedMachine<'_>| {
        let watches: BTreeSet<&MachineId> = standby.member.standby_for().iter().collect();
        let lost = if all {
            watches != stay || creates
        } else {
            watches.is_disjoint(&stay)
        };
        lost || !watches.is_disjoint(&replaced)
    };
    let mut kept = Vec::new();
    for mut changed in std::mem::take(&mut decision.changed) {
        if changed.role != ChangeRole::Repointed || must_follow(&changed) {
            kept.push(changed);
        } else if only_follows(&changed, requested) {
            dropped(changed.member.id);
            decision.watchers.push(changed.precondition);
        } else {
            changed.role = ChangeRole::Standby;
            kept.push(changed);
        }
    }
    decision.changed = kept;
}

fn count_kept(marks: &[Option<FilterFlag>]) -> usize {
    marks.iter().filter(|mark| mark.is_none()).count()
}

fn first_flag(marks: &[Option<FilterFlag>]) -> Option<FilterFlag> {
    marks.iter().flatten().copied().min()
}

/// Marks the last unmarked ones.
fn mark_last<'m>(
    marks: impl DoubleEndedIterator<Item = &'m mut Option<FilterFlag>>,
    n: usize,
    flag: FilterFlag,
) {
    let open = marks.rev().filter(|mark| mark.is_none());
    for mark in open.take(n) {
        *mark = Some(flag);
    }
}
