//! The waves of a rolling update: a group and each of its regions keep serving, stopped Machines come before those
//! that serve, and the written orders of regions and groups hold.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::capacity::Ancestors;
use super::unproven::UnprovenState;
use super::waits::{in_place, takes_down};
use crate::core::fleet::{
    Desired, GroupName, HostStatus, Known, Limit, MachineId, MachineState, Observed,
    OrderedRegions, Region, Strategy,
};
use crate::core::plan::types::{Action, Change, GateKind, PoolId, StepId};

/// A change that takes a serving Machine down.
struct Taker<'p> {
    step: StepId,
    change: &'p Change,
    /// The group in which the Machine serves now.
    from: GroupName,
}

/// Which changes have a rolling update, and which of them take a serving Machine down.
pub(super) struct Facts<'p> {
    pub(super) desired: &'p Desired,
    pub(super) known: &'p Known,
    pub(super) observed: Option<&'p Observed>,
    pub(super) changes: &'p [(StepId, &'p Change)],
    pub(super) unproven: &'p BTreeMap<&'p MachineId, UnprovenState>,
    pub(super) ancestors: &'p Ancestors,
}

impl Facts<'_> {
    /// The group in which a Machine serves now, by the name that it will have.
    fn serves_in(&self, change: &Change) -> GroupName {
        let Action::Move { from, .. } = &change.action else {
            return change.group.clone();
        };
        let mut moved = self.desired.moved.iter();
        let renamed = moved.find(|moved| moved.from == *from);
        renamed.map_or(from, |moved| &moved.to).clone()
    }

    fn rolling(&self, group: &GroupName) -> Option<Limit> {
        match self.desired.groups.get(group)?.strategy {
            Strategy::Rolling { max_unavailable } => Some(max_unavailable),
            Strategy::Immediate => None,
        }
    }

    /// Whether its last change was never seen healthy; offline the state says so.
    fn is_unproven(&self, id: &MachineId) -> bool {
        let recorded = || {
            let known = self.known.machines.get(id);
            self.observed.is_none() && known.is_some_and(|known| known.unproven)
        };
        self.unproven.contains_key(id) || recorded()
    }

    fn takers(&self) -> Vec<Taker<'_>> {
        let mut takers = Vec::new();
        for (step, change) in self.changes {
            let own = change.machine.id.as_ref();
            let down = own.is_some_and(|id| self.unproven.get(id) == Some(&UnprovenState::Down));
            if !down && takes_down(change, self.observed) {
                takers.push(Taker {
                    step: *step,
                    change,
                    from: self.serves_in(change),
                });
            }
        }
        takers
    }

    /// How many Machines of each group serve in each region. Offline each known one may.
    fn serving(&self) -> BTreeMap<(GroupName, &Region), usize> {
        let renamed = |group: &GroupName| {
            let mut moved = self.desired.moved.iter();
            let to = moved.find(|moved| moved.from == *group);
            to.map_or(group, |moved| &moved.to).clone()
        };
        let mut serving: BTreeMap<(GroupName, &Region), usize> = BTreeMap::new();
        let Some(observed) = self.observed else {
            let known = self.known.machines.values();
            for machine in known.filter(|machine| machine.standby_for.is_empty()) {
                let key = (renamed(&machine.group), &machine.region);
                *serving.entry(key).or_default() += 1;
            }
            return serving;
        };
        for machine in observed.counted_machines() {
            let record = self.known.machines.get(&machine.id);
            let group = machine.group.as_ref().or(record.map(|known| &known.group));
            let up = machine.state == MachineState::Started
                && machine.host == HostStatus::Ok
                && !machine.cordoned
                && machine.standby_for.is_empty()
                && !super::waits::has_critical_check(machine);
            if let Some(group) = group.filter(|_| up) {
                *serving
                    .entry((renamed(group), &machine.region))
                    .or_default() += 1;
            }
        }
        serving
    }
}

impl Checker<'_> {
    pub(super) fn check_waves(&mut self, facts: &Facts<'_>) {
        let takers = facts.takers();
        self.check_limits(facts, &takers);
        self.check_stopped_first(facts, &takers);
        self.check_region_order(facts, &takers);
        self.check_groups_order(facts);
        self.check_departures(facts, &takers);
    }

    /// A serving Machine leaves its group after the others of its region are updated: until then it keeps the
    /// region serving.
    fn check_departures(&mut self, facts: &Facts<'_>, takers: &[Taker<'_>]) {
        let order = facts.desired.rollout.groups_order.as_ref();
        let position = |group: &GroupName| order.map_or(0, |order| order.position(group));
        let leaves = |taker: &&Taker<'_>| taker.from != taker.change.group;
        for leaving in takers.iter().filter(leaves) {
            let later = position(&leaving.from) > position(&leaving.change.group);
            let rolling = |group| facts.rolling(group).is_some();
            if later || !rolling(&leaving.from) || !rolling(&leaving.change.group) {
                continue;
            }
            let own = takers.iter().filter(|taker| !leaves(taker));
            let own = own.filter(|taker| {
                taker.from == leaving.from && taker.change.region == leaving.change.region
            });
            let own: Vec<StepId> = own.map(|taker| taker.step).collect();
            if !waits_for_all(facts.ancestors, leaving.step, &own) {
                self.report(format!(
                    "step {} takes a Machine out of `{}` before the others of {} are updated",
                    leaving.step.0, leaving.from, leaving.change.region
                ));
            }
        }
    }

    /// All changes that take serving Machines of a rolling group down share one pool, which leaves one of each
    /// region up.
    fn check_limits(&mut self, facts: &Facts<'_>, takers: &[Taker<'_>]) {
        let serving = facts.serving();
        let mut pools: BTreeMap<&GroupName, BTreeSet<PoolId>> = BTreeMap::new();
        let mut regions: BTreeSet<(&GroupName, &Region)> = BTreeSet::new();
        for taker in takers {
            let pool = self.plan.steps[taker.step.0 as usize].pool;
            pools.entry(&taker.from).or_default().extend(pool);
            regions.insert((&taker.from, &taker.change.region));
        }
        for (group, of_group) in &pools {
            let Some(limit) = facts.rolling(group) else {
                continue;
            };
            let (Some(id), 1) = (of_group.first(), of_group.len()) else {
                self.report(format!(
                    "changes of serving Machines of `{group}` are in {} pools",
                    of_group.len()
                ));
                continue;
            };
            let Some(pool) = self.plan.pools.get(id.0 as usize) else {
                continue;
            };
            let own = takers.iter().filter(|taker| taker.from == **group);
            let serving_now = own.filter(|taker| {
                let id = taker.change.machine.id.as_ref();
                let seen = id.and_then(|id| facts.observed?.machines.get(id));
                !seen.is_some_and(|seen| seen.cordoned)
            });
            let changes = serving_now.count();
            let mut found = Vec::new();
            if pool.size > limit.to_count_ceil(changes).max(1) || !pool.first_alone {
                found.push(format!("pool `{}` takes down too many at once", pool.name));
            }
            for (_, region) in regions.iter().filter(|(name, _)| name == group) {
                let key = ((*group).clone(), *region);
                let n = serving.get(&key).copied().unwrap_or(0);
                if n < 2 {
                    continue;
                }
                let most = limit.to_count_ceil(n).max(1).min(n - 1);
                let allowed = pool.per_region.get(*region).copied();
                if allowed.unwrap_or(usize::MAX).min(pool.size) > most {
                    found.push(format!(
                        "pool `{}` takes down too many at once in {region}",
                        pool.name
                    ));
                }
            }
            for text in found {
                self.report(text);
            }
        }
    }

    /// Stopped Machines change before those that serve in their region, except for one that proves the version.
    fn check_stopped_first(&mut self, facts: &Facts<'_>, takers: &[Taker<'_>]) {
        let mut stopped: BTreeMap<(&GroupName, &Region), Vec<StepId>> = BTreeMap::new();
        for (step, change) in facts.changes {
            let rests = in_place(&change.action) && change.gate == GateKind::Settled;
            if rests && facts.rolling(&change.group).is_some() {
                let key = (&change.group, &change.region);
                stopped.entry(key).or_default().push(*step);
            }
        }
        let mut without: BTreeMap<&GroupName, BTreeSet<StepId>> = BTreeMap::new();
        let mut seen: BTreeMap<(&GroupName, &Region, &[StepId]), bool> = BTreeMap::new();
        for taker in takers {
            let (group, region) = (&taker.change.group, &taker.change.region);
            let own = taker.change.machine.id.as_ref();
            // What an earlier run left goes first.
            if own.is_some_and(|id| facts.is_unproven(id)) {
                continue;
            }
            let Some(resting) = stopped.get(&(group, region)) else {
                continue;
            };
            let needs = self.plan.steps[taker.step.0 as usize].needs.as_slice();
            let waits = *seen.entry((group, region, needs)).or_insert_with(|| {
                let mut resting = resting.iter();
                resting.all(|stopped| facts.ancestors.waits_for(taker.step, *stopped))
            });
            if !waits {
                without.entry(group).or_default().insert(taker.step);
            }
        }
        for (group, early) in without {
            if early.len() > 1 {
                self.report(format!(
                    "{} serving Machines of `{group}` change before its stopped ones",
                    early.len()
                ));
            }
        }
    }

    fn check_region_order(&mut self, facts: &Facts<'_>, takers: &[Taker<'_>]) {
        for (name, group) in &facts.desired.groups {
            if group.region_order.is_empty() || facts.rolling(name).is_none() {
                continue;
            }
            let stage = |region: &Region| {
                let order = &group.region_order;
                let is = |entry: &OrderedRegions| match entry {
                    OrderedRegions::Region(named) => named == region,
                    OrderedRegions::Others => false,
                };
                let others = |entry: &OrderedRegions| *entry == OrderedRegions::Others;
                let found = order.iter().position(is);
                let found = found.or_else(|| order.iter().position(others));
                found.unwrap_or(order.len())
            };
            let proven = |taker: &&Taker<'_>| {
                let own = taker.change.machine.id.as_ref();
                own.is_none_or(|id| !facts.is_unproven(id))
            };
            // Machines that come from other groups follow all of these.
            let own = takers
                .iter()
                .filter(|taker| taker.change.group == *name && taker.from == *name);
            let own: Vec<&Taker<'_>> = own.filter(proven).collect();
            let mut stages: BTreeMap<usize, Vec<StepId>> = BTreeMap::new();
            for taker in &own {
                let at = stage(&taker.change.region);
                stages.entry(at).or_default().push(taker.step);
            }
            let mut seen: BTreeSet<&[StepId]> = BTreeSet::new();
            for taker in &own {
                let needs = self.plan.steps[taker.step.0 as usize].needs.as_slice();
                let at = stage(&taker.change.region);
                let before = stages.range(..at).next_back();
                let Some((_, before)) = before.filter(|_| seen.insert(needs)) else {
                    continue;
                };
                if !waits_for_all(facts.ancestors, taker.step, before) {
                    self.report(format!(
                        "step {} takes a Machine down in {} before its turn",
                        taker.step.0, taker.change.region
                    ));
                }
            }
        }
    }

    fn check_groups_order(&mut self, facts: &Facts<'_>) {
        let Some(order) = &facts.desired.rollout.groups_order else {
            return;
        };
        let position = |group: &GroupName| {
            let named = order.lists.iter().position(|list| list.contains(group));
            named.unwrap_or(order.lists.len().saturating_sub(1))
        };
        let is_new = |group: &GroupName| {
            let mut groups = self.plan.groups.iter();
            groups.any(|change| change.name == *group && change.before == 0)
        };
        let mut lists: BTreeMap<usize, Vec<(StepId, &Change)>> = BTreeMap::new();
        for (step, change) in facts.changes {
            let ordered = match &change.action {
                Action::Update { .. } | Action::Move { .. } => true,
                Action::Create { replaces, .. } => replaces.is_some() || is_new(&change.group),
                Action::Destroy { .. }
                | Action::Adopt
                | Action::Wait
                | Action::Start
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => false,
            };
            if ordered && facts.desired.groups.contains_key(&change.group) {
                let list = lists.entry(position(&change.group)).or_default();
                list.push((*step, change));
            }
        }
        // A refused order is not followed.
        if !self.plan.refusals.is_empty() {
            return;
        }
        let mut before: Option<&Vec<(StepId, &Change)>> = None;
        for list in lists.values() {
            let mut seen: BTreeSet<&[StepId]> = BTreeSet::new();
            for (step, change) in list {
                let needs = self.plan.steps[step.0 as usize].needs.as_slice();
                let first: Vec<StepId> = before.into_iter().flatten().map(|(id, _)| *id).collect();
                // The second half of a replacement follows its first.
                let half = self.plan.steps[step.0 as usize].completes.is_some();
                if half || !seen.insert(needs) {
                    continue;
                }
                if !waits_for_all(facts.ancestors, *step, &first) {
                    self.report(format!(
                        "step {} changes `{}` before the groups of the list before are done",
                        step.0, change.group
                    ));
                }
            }
            before = Some(list);
        }
    }
}

fn waits_for_all(ancestors: &Ancestors, step: StepId, all: &[StepId]) -> bool {
    all.iter().all(|first| ancestors.waits_for(step, *first))
}
