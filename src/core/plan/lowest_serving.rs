//! How many Machines of a group serve at least while a plan is applied, if nothing fails: said before it happens.
//!
//! Reads the waves and the pools of the steps. For display only; `check` judges the order by itself.

use std::collections::{BTreeMap, HashMap};

use super::decision::GroupDecision;
use super::members::Member;
use super::order::{is_serving, serves_in};
use super::reconcile::to_count;
use super::types::{Action, Change, LowestServing, Pool, Step, StepId, Wave, WaveName, Work};
use crate::core::fleet::{GroupName, GroupsOrder, MachineId, Region};

/// Steps, pools and waves of a plan.
#[derive(Clone, Copy)]
pub(super) struct Layout<'p> {
    pub(super) steps: &'p [Step],
    pub(super) pools: &'p [Pool],
    pub(super) waves: &'p BTreeMap<GroupName, Vec<Wave>>,
    pub(super) groups_order: Option<&'p GroupsOrder>,
}

/// Numbers of Machines by region.
type Counts<'p> = BTreeMap<&'p Region, usize>;

fn total(counts: &Counts<'_>) -> usize {
    counts.values().sum()
}

fn add<'p>(counts: &mut Counts<'p>, region: &'p Region) {
    *counts.entry(region).or_default() += 1;
}

fn take<'p>(counts: &mut Counts<'p>, gone: &Counts<'p>) {
    for (region, gone) in gone {
        let left = counts.entry(region).or_default();
        *left = left.saturating_sub(*gone);
    }
}

/// The lowest number of serving Machines of every group that stays and loses some of them, at least for a while.
pub(super) fn lowest_serving(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    layout: &Layout<'_>,
) -> BTreeMap<GroupName, LowestServing> {
    // Most plans change nothing, and then nothing goes down.
    if layout.steps.is_empty() {
        return BTreeMap::new();
    }
    let all = decisions.values().flat_map(|decision| &decision.members);
    let members: HashMap<&MachineId, &Member<'_>> =
        all.clone().map(|member| (member.id, member)).collect();
    let mut of_group: BTreeMap<&GroupName, Vec<&Member<'_>>> = BTreeMap::new();
    for member in all.filter(|member| !member.is_standby()) {
        of_group.entry(serves_in(member)).or_default().push(member);
    }
    let mut read = vec![None; layout.steps.len()];
    let mut of_steps: BTreeMap<&GroupName, Vec<MachineChange<'_>>> = BTreeMap::new();
    for step in layout.steps {
        if let Work::Change(change) = &step.work {
            let id = match &change.action {
                Action::Create { replaces, .. } => replaces.as_ref(),
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Adopt
                | Action::Wait
                | Action::Start
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => change.machine.id.as_ref(),
            };
            let member = id.and_then(|id| members.get(id)).copied();
            let group = member.map_or(&change.group, serves_in);
            let found = MachineChange {
                change,
                member,
                serves: member.is_some_and(is_serving),
            };
            read[step.id.0 as usize] = Some(found);
            of_steps.entry(group).or_default().push(found);
        }
    }
    let staying = decisions.iter().filter(|(_, d)| d.desired.is_some());
    let found = staying.filter_map(|(name, _)| {
        let group = GroupReading {
            name,
            layout,
            read: &read,
            of_group: of_group.get(name)?,
            changes: of_steps.get(name)?,
        };
        Some((name.clone(), group.lowest()?))
    });
    found.collect()
}

/// A change with the Machine that it is about: of a create, the one that it replaces.
#[derive(Clone, Copy)]
struct MachineChange<'p> {
    change: &'p Change,
    member: Option<&'p Member<'p>>,
    /// Whether that Machine serves now.
    serves: bool,
}

/// One group, and what a plan does to it.
struct GroupReading<'p, 'a> {
    name: &'p GroupName,
    layout: &'p Layout<'p>,
    /// The change of each step; none for a barrier.
    read: &'p [Option<MachineChange<'p>>],
    /// Its Machines now, without standbys.
    of_group: &'p [&'p Member<'a>],
    /// The changes of its Machines, and its creates.
    changes: &'p [MachineChange<'p>],
}

impl<'p> GroupReading<'p, '_> {
    fn lowest(&self) -> Option<LowestServing> {
        let mut serving = Counts::new();
        let mut all = Counts::new();
        for member in self.of_group {
            add(&mut all, member.region);
            if is_serving(member) {
                add(&mut serving, member.region);
            }
        }
        let (leave_before, leave_after) = (self.departed(true), self.departed(false));
        let removed = self.removed();
        let mut lowest = serving.clone();
        let mut lowest_total = total(&serving);
        // A lower count is shown as what it is.
        let mut goes_down = total(&leave_before) + total(&leave_after) > 0;
        let mut at_least = |serves: &Counts<'p>, down: &Counts<'p>, together: usize| {
            for (region, least) in &mut lowest {
                let left = down.get(region).copied().unwrap_or(0);
                let serves = serves.get(region).copied().unwrap_or(0);
                *least = (*least).min(serves.saturating_sub(left));
            }
            lowest_total = lowest_total.min(total(serves).saturating_sub(together));
        };
        for new in self.changes.iter().filter(|new| adds_one(new.change)) {
            add(&mut serving, &new.change.region);
        }
        take(&mut serving, &leave_before);
        at_least(&serving, &Counts::new(), 0);
        for wave in self.layout.waves.get(self.name).into_iter().flatten() {
            let takes = self.takes_down(wave);
            goes_down |= total(&takes) > 0;
            let (down, together) = self.down_at_once(wave, &takes);
            at_least(&serving, &down, together);
            for step in &wave.steps {
                self.add_mended(*step, &mut serving);
            }
        }
        take(&mut serving, &leave_after);
        at_least(&serving, &removed, total(&removed));
        goes_down.then(|| LowestServing {
            machines: to_count(lowest_total),
            of: to_count(total(&all)),
            regions: all
                .into_iter()
                .map(|(region, of)| {
                    let least = lowest.get(region).copied().unwrap_or(0);
                    (region.clone(), (to_count(least), to_count(of)))
                })
                .collect(),
        })
    }

    /// Serving Machines that move to a group that comes before this one, or to any other: these leave after the
    /// updates here.
    fn departed(&self, first: bool) -> Counts<'p> {
        let order = self.layout.groups_order;
        let position = |group: &GroupName| order.map_or(0, |order| order.position(group));
        let is_first = |change: &Change| position(&change.group) < position(self.name);
        count_serving(self.changes, |change| {
            matches!(change.action, Action::Update { .. } | Action::Move { .. })
                && change.group != *self.name
                && is_first(change) == first
        })
    }

    /// Serving Machines that are destroyed without a replacement.
    fn removed(&self) -> Counts<'p> {
        count_serving(self.changes, |change| match &change.action {
            Action::Destroy { removal, .. } => removal.is_loss(),
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Adopt
            | Action::Wait
            | Action::Start
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
        })
    }

    /// The serving Machines of this group that a wave takes down.
    fn takes_down(&self, wave: &Wave) -> Counts<'p> {
        let steps = wave.steps.iter().filter_map(|step| self.of_step(*step));
        let own = steps.filter(|found| found.member.is_some_and(|m| serves_in(m) == self.name));
        count_serving(own, |change| match &change.action {
            // The first half of a replacement is a destroy only if the new Machine needs its volume.
            Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } => true,
            Action::Create { .. }
            | Action::Adopt
            | Action::Wait
            | Action::Start
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => false,
        })
    }

    /// How many of these are down at once, by region and in all.
    fn down_at_once(&self, wave: &Wave, takes: &Counts<'p>) -> (Counts<'p>, usize) {
        let Some(pool) = self.layout.pools.get(wave.pool.0 as usize) else {
            return (takes.clone(), total(takes));
        };
        // Nothing waits for health, so all may be down, whatever the number of calls at once.
        if wave.name == WaveName::All {
            return (takes.clone(), total(takes));
        }
        let down = takes.iter().map(|(region, takes)| {
            let limit = pool.per_region.get(*region).copied().unwrap_or(usize::MAX);
            (*region, (*takes).min(limit).min(pool.size))
        });
        let down: Counts<'p> = down.collect();
        let together = total(&down).min(pool.size);
        (down, together)
    }

    /// A Machine that was down serves once its wave has passed, and so does the one that replaces it.
    fn add_mended(&self, step: StepId, serving: &mut Counts<'p>) {
        let found = self.last_half(step);
        let Some(mended) = found.filter(|found| !found.serves) else {
            return;
        };
        let own = mended.member.is_some_and(|m| serves_in(m) == self.name);
        if own && mended.change.gate.waits_for_start() {
            add(serving, &mended.change.region);
        }
    }

    /// The half of a change after which its Machine is up: of a replacement the create, which is behind the destroy
    /// if the old one goes first.
    fn last_half(&self, first: StepId) -> Option<&'p MachineChange<'p>> {
        let found = self.of_step(first)?;
        let next = StepId(first.0.saturating_add(1));
        let second = self.layout.steps.get(next.0 as usize);
        let is_second = second.is_some_and(|step| step.completes == Some(first));
        if is_second && matches!(found.change.action, Action::Destroy { .. }) {
            return self.of_step(next);
        }
        Some(found)
    }

    fn of_step(&self, step: StepId) -> Option<&'p MachineChange<'p>> {
        self.read.get(step.0 as usize)?.as_ref()
    }
}

/// The serving Machines, by region, of the changes that are meant.
fn count_serving<'c, 'p: 'c>(
    changes: impl IntoIterator<Item = &'c MachineChange<'p>>,
    meant: impl Fn(&Change) -> bool,
) -> Counts<'p> {
    let mut counts = Counts::new();
    for found in changes {
        if found.serves && meant(found.change) {
            add(&mut counts, &found.change.region);
        }
    }
    counts
}

/// Whether a change adds a Machine that serves, before others of its group go down.
fn adds_one(change: &Change) -> bool {
    matches!(
        &change.action,
        Action::Create { replaces: None, standby_for, .. } if standby_for.is_empty()
    ) && change.gate.waits_for_start()
}
