//! How many Machines a group is to have, and which places count as taken.
//!
//! Numbers only: where they stand is [`super::spread`]'s business, and who fills them
//! [`super::reconcile`]'s.

use std::collections::BTreeMap;

use super::members::{Answers, Member, Vanished, successors};
use super::reconcile::{Group, count, tally};
use crate::core::fleet::{Count, MachineId, Pending, Region, Regions};

/// How many are wanted.
pub(super) struct Target {
    pub(super) primaries: u32,
    pub(super) standbys: u32,
    pub(super) why: Option<String>,
}

impl<'a> Group<'_, 'a> {
    pub(super) fn is_named(&self, member: &Member<'_>) -> bool {
        self.desired.removed_machines.contains(member.id)
    }

    /// Where primaries vanished or are owed whose place nothing has taken. One that was added outside in
    /// the same region has: two tools that replace a Machine do not make two of it.
    pub(super) fn remade(&self, primaries: &[Member<'a>]) -> BTreeMap<Region, u32> {
        let mut remade: BTreeMap<Region, u32> = BTreeMap::new();
        for vanished in self.vanished_ones(false) {
            *remade.entry(vanished.known.region.clone()).or_default() += 1;
        }
        let there = |old: &MachineId| {
            let vanished = self.vanished.iter().any(|vanished| vanished.id == old);
            vanished || primaries.iter().any(|member| member.id == old)
        };
        let adds =
            |pending: &&&Pending| !pending.standby && !pending.replaces.as_ref().is_some_and(there);
        for pending in self.owed.iter().filter(adds) {
            *remade.entry(pending.region.clone()).or_default() += 1;
        }
        let outside = |member: &&Member<'_>| member.is_stranger() && !member.is_late();
        for member in primaries.iter().filter(outside) {
            if let Some(n) = remade.get_mut(member.region) {
                *n = n.saturating_sub(1);
            }
        }
        remade
    }

    /// What vanished, was not meant to go, and has no successor.
    pub(super) fn vanished_ones(&self, standbys: bool) -> impl Iterator<Item = &'_ Vanished<'a>> {
        self.vanished.iter().copied().filter(move |v| {
            v.known.standby_for.is_empty() != standbys
                && !self.desired.removed_machines.contains(v.id)
                && !self
                    .members
                    .iter()
                    .any(|member| member.replaces == Some(v.id))
        })
    }

    /// The places that there are to be kept: those of Machines that stay, and of as many vanished ones
    /// as there is need for. A Machine that exists never goes so that a vanished one is made again.
    pub(super) fn current(
        &self,
        primaries: &[Member<'a>],
        remade: &BTreeMap<Region, u32>,
        target: u32,
    ) -> BTreeMap<Region, u32> {
        let surplus = primaries.len().saturating_sub(target as usize);
        let mut current = tally(primaries);
        let named = primaries.iter().filter(|m| self.is_named(m));
        let late = primaries
            .iter()
            .filter(|m| m.is_late() && !self.is_named(m));
        for member in named.chain(late).take(surplus) {
            if let Some(n) = current.get_mut(member.region) {
                *n -= 1;
            }
        }
        let mut room = target.saturating_sub(count(primaries.len()));
        for (region, n) in remade {
            let n = (*n).min(room);
            room -= n;
            *current.entry(region.clone()).or_default() += n;
        }
        current
    }

    /// Whether nothing of it was there before, or only what a lost run of the same wish began to make, or an
    /// earlier one without knowing.
    pub(super) fn is_new(&self) -> bool {
        let begun = |member: &Member<'_>| member.of_lost_run || member.is_late();
        self.vanished.is_empty() && self.members.iter().all(begun)
    }

    pub(super) fn target(
        &self,
        primaries: &[Member<'a>],
        standbys: &[Member<'a>],
        remade: &BTreeMap<Region, u32>,
    ) -> Target {
        // What a lost run of the same wish has made fills a place that is to be made again, or is the
        // successor of a known one; what can be neither stays beside the others. What turned up late only
        // fills places, and of a pair one half goes, but where nothing may go.
        let kept = |all: &[Member<'a>], remade: u32| {
            let stays = all
                .iter()
                .filter(|m| !self.is_named(m) && (self.unprotected || !m.is_late()));
            let (lost, others): (Vec<_>, Vec<_>) =
                stays.partition(|m| m.of_lost_run && m.answers != Answers::Owed);
            let known = others.iter().filter(|m| !m.is_adopted()).count();
            let more = count(lost.len().saturating_sub(known));
            let pairs = if self.unprotected { 0 } else { successors(all) };
            count(others.len().saturating_sub(pairs)) + remade.max(more)
        };
        if let Count::Written(n) = self.wanted.count {
            return Target {
                primaries: n,
                standbys: self.wanted.standby.unwrap_or(0),
                why: None,
            };
        }
        let kept_primaries = kept(primaries, remade.values().sum());
        if self.is_new() || kept_primaries == 0 {
            // One of which nothing stays would be a new one in the next plan.
            let mut target = self.fresh();
            let lost = primaries.iter().filter(|member| member.of_lost_run);
            target.primaries = target.primaries.max(count(lost.count()));
            return target;
        }
        Target {
            primaries: kept_primaries,
            standbys: self.wanted.standby.unwrap_or_else(|| {
                if self.wanted.template.has_services() {
                    return 0;
                }
                let outside = standbys.iter().filter(|m| m.is_stranger() && !m.is_late());
                let owed = self.owed.iter().filter(|pending| pending.standby).count();
                let remade =
                    (self.vanished_ones(true).count() + owed).saturating_sub(outside.count());
                kept(standbys, count(remade))
            }),
            why: Some("no `count` is written: it keeps the Machines that it has".to_owned()),
        }
    }

    /// Fly's own rule for a new group (docs/platform/fly-toml.md 10.2), and one per written region.
    pub(super) fn fresh(&self) -> Target {
        let template = &self.wanted.template;
        let (rule, standby, why) = if template.has_mounts() {
            (1, 0, "it has a mount")
        } else if !self.wanted.ha {
            (1, 0, "`ha = false`")
        } else if template.has_services() {
            (2, 0, "it has services")
        } else {
            (1, 1, "it has no services")
        };
        let standby = self.wanted.standby.unwrap_or(standby);
        let regions = match &self.wanted.regions {
            Regions::List(list) => count(list.len()),
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
        let why = if self.wanted.ha && !template.has_mounts() {
            format!(
                "{number}: {why} ({source}); for another number write `count` in `[groups.{key}]`, \
                 or `ha = false` for 1"
            )
        } else {
            format!(
                "{number}: {why} ({source}); for another number write `count` in `[groups.{key}]`"
            )
        };
        Target {
            primaries,
            standbys: standby,
            why: Some(why),
        }
    }
}
