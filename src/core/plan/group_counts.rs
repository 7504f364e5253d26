//! How many Machines a group should have, and which places are taken.
//!
//! Numbers only: [`super::spread`] chooses regions and [`super::reconcile`] Machines.

use std::collections::BTreeMap;

use super::members::{CreateMatch, Member, MissingMachine, count_successor_pairs};
use super::reconcile::{GroupReconciler, count_by_region, to_count};
use crate::core::fleet::{Count, MachineId, PendingCreate, Region, Regions};

/// The desired numbers.
pub(super) struct DesiredCounts {
    pub(super) primaries: u32,
    pub(super) standbys: u32,
    pub(super) reason: Option<String>,
}

impl<'a> GroupReconciler<'_, 'a> {
    pub(super) fn is_marked_removed(&self, member: &Member<'_>) -> bool {
        self.desired.removed_machines.contains(member.id)
    }

    /// Missing or pending primaries whose place nothing has taken, per region. A Machine that was added outside
    /// in the same region takes it: two tools that replace one Machine do not create two.
    pub(super) fn missing_per_region(&self, primaries: &[Member<'a>]) -> BTreeMap<Region, u32> {
        let mut recreated: BTreeMap<Region, u32> = BTreeMap::new();
        for missing in self.missing_machines(false) {
            *recreated.entry(missing.known.region.clone()).or_default() += 1;
        }
        let there = |old: &MachineId| {
            let missing = self.missing.iter().any(|missing| missing.id == old);
            missing || primaries.iter().any(|member| member.id == old)
        };
        let adds = |pending: &&&PendingCreate| {
            !pending.standby && !pending.replaces.as_ref().is_some_and(there)
        };
        for pending in self.pending_creates.iter().filter(adds) {
            *recreated.entry(pending.region.clone()).or_default() += 1;
        }
        let outside = |member: &&Member<'_>| member.is_unaccounted() && !member.is_late_create();
        for member in primaries.iter().filter(outside) {
            if let Some(n) = recreated.get_mut(member.region) {
                *n = n.saturating_sub(1);
            }
        }
        recreated
    }

    /// Missing Machines that were not to be removed and have no replacement.
    pub(super) fn missing_machines(
        &self,
        standbys: bool,
    ) -> impl Iterator<Item = &'_ MissingMachine<'a>> {
        self.missing.iter().copied().filter(move |v| {
            v.known.standby_for.is_empty() != standbys
                && !self.desired.removed_machines.contains(v.id)
                && !self
                    .members
                    .iter()
                    .any(|member| member.replaces == Some(v.id))
        })
    }

    /// The places to keep: those of existing Machines, and of as many missing ones as needed. An existing
    /// Machine is never destroyed to recreate a missing one.
    pub(super) fn current_per_region(
        &self,
        primaries: &[Member<'a>],
        recreated: &BTreeMap<Region, u32>,
        target: u32,
    ) -> BTreeMap<Region, u32> {
        let surplus = primaries.len().saturating_sub(target as usize);
        let mut current = count_by_region(primaries);
        let named = primaries.iter().filter(|m| self.is_marked_removed(m));
        let late = primaries
            .iter()
            .filter(|m| m.is_late_create() && !self.is_marked_removed(m));
        for member in named.chain(late).take(surplus) {
            if let Some(n) = current.get_mut(member.region) {
                *n -= 1;
            }
        }
        let mut room = target.saturating_sub(to_count(primaries.len()));
        for (region, n) in recreated {
            let n = (*n).min(room);
            room -= n;
            *current.entry(region.clone()).or_default() += n;
        }
        current
    }

    /// Whether the group did not exist before, or only through an unrecorded run for the same desired state, or
    /// an earlier run without an answer.
    pub(super) fn is_new(&self) -> bool {
        let is_unrecorded =
            |member: &Member<'_>| member.from_unrecorded_run || member.is_late_create();
        self.missing.is_empty() && self.members.iter().all(is_unrecorded)
    }

    pub(super) fn desired_counts(
        &self,
        primaries: &[Member<'a>],
        standbys: &[Member<'a>],
        recreated: &BTreeMap<Region, u32>,
    ) -> DesiredCounts {
        // A Machine of an unrecorded run fills the place of a missing one, or replaces a known one; otherwise
        // it stays as an additional one. A late Machine only fills places. Of a replacement pair one is
        // removed, unless nothing may be.
        let count_kept = |all: &[Member<'a>], recreated: u32| {
            let stays = all.iter().filter(|m| {
                !self.is_marked_removed(m) && (self.unprotected || !m.is_late_create())
            });
            let (lost, others): (Vec<_>, Vec<_>) = stays
                .partition(|m| m.from_unrecorded_run && m.create_match != CreateMatch::Pending);
            let known = others.iter().filter(|m| !m.is_adopted()).count();
            let more = to_count(lost.len().saturating_sub(known));
            let pairs = if self.unprotected {
                0
            } else {
                count_successor_pairs(all)
            };
            to_count(others.len().saturating_sub(pairs)) + recreated.max(more)
        };
        if let Count::Written(n) = self.desired_group.count {
            return DesiredCounts {
                primaries: n,
                standbys: self.desired_group.standby.unwrap_or(0),
                reason: None,
            };
        }
        let kept_primaries = count_kept(primaries, recreated.values().sum());
        if self.is_new() || kept_primaries == 0 {
            // A group without Machines counts as new in the next plan.
            let mut target = self.default_counts();
            let lost = primaries.iter().filter(|member| member.from_unrecorded_run);
            target.primaries = target.primaries.max(to_count(lost.count()));
            return target;
        }
        DesiredCounts {
            primaries: kept_primaries,
            standbys: self.desired_group.standby.unwrap_or_else(|| {
                if self.desired_group.template.has_services() {
                    return 0;
                }
                let outside = standbys
                    .iter()
                    .filter(|m| m.is_unaccounted() && !m.is_late_create());
                let pending = self
                    .pending_creates
                    .iter()
                    .filter(|pending| pending.standby)
                    .count();
                let recreated =
                    (self.missing_machines(true).count() + pending).saturating_sub(outside.count());
                count_kept(standbys, to_count(recreated))
            }),
            reason: Some("no `count` is set: the current number of Machines stays".to_owned()),
        }
    }

    /// Fly's rule for a new group (docs/platform/fly-toml.md 10.2), and one per listed region.
    pub(super) fn default_counts(&self) -> DesiredCounts {
        let template = &self.desired_group.template;
        let (rule, standby, why) = if template.has_mounts() {
            (1, 0, "it has a mount")
        } else if !self.desired_group.ha {
            (1, 0, "`ha = false`")
        } else if template.has_services() {
            (2, 0, "it has services")
        } else {
            (1, 1, "it has no services")
        };
        let standby = self.desired_group.standby.unwrap_or(standby);
        let regions = match &self.desired_group.regions {
            Regions::List(list) => to_count(list.len()),
            Regions::Unwritten | Regions::Exact(_) => 1,
        };
        let primaries = rule.max(regions);
        let number = match (primaries, standby) {
            (n, 0) => n.to_string(),
            (n, s) => format!("{n} and {s} standby"),
        };
        let source = if primaries > rule {
            "one per region"
        } else {
            "Fly's rule for a new group"
        };
        let key = self.name.toml_key();
        let why = if self.desired_group.ha && !template.has_mounts() {
            format!(
                "{number}: {why} ({source}); to change it, set `count` in `[groups.{key}]`, \
                 or `ha = false` for 1"
            )
        } else {
            format!("{number}: {why} ({source}); to change it, set `count` in `[groups.{key}]`")
        };
        DesiredCounts {
            primaries,
            standbys: standby,
            reason: Some(why),
        }
    }
}
