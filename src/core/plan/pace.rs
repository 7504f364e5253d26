//! How many Machines of a group change at once, and how long a plan takes at least.
//!
//! The strategy sets one limit, regions and `--parallelism` others; the plan shows the effective ones. For display
//! only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::lowest_serving::Layout;
use super::notes::join_with_and;
use super::options::Options;
use super::summary::changes;
use super::types::{
    Action, Change, GateKind, GroupChange, LowestServing, PoolId, StepId, Wave, Work,
};
use crate::core::fleet::{DesiredGroup, GroupName, GroupsOrder, Region, Strategy};

/// The pace of every group that a plan changes.
pub(super) struct Paces {
    parallelism: usize,
    groups: BTreeMap<GroupName, GroupPace>,
    lowest: BTreeMap<GroupName, LowestServing>,
}

impl Paces {
    /// The pace of these steps.
    pub(super) fn of(
        layout: Layout<'_>,
        lowest: BTreeMap<GroupName, LowestServing>,
        options: &Options,
    ) -> Self {
        let parallelism = options.parallelism.unwrap_or(usize::MAX).max(1);
        let groups = GroupPace::of_groups(layout, parallelism);
        Self {
            parallelism,
            groups,
            lowest,
        }
    }

    /// How many Machines of a group serve at least.
    pub(super) fn lowest_serving(&self, name: &GroupName) -> Option<&LowestServing> {
        self.lowest.get(name)
    }

    /// How the Machines of a group are updated, for people, and the minimum duration in milliseconds.
    pub(super) fn describe(
        &self,
        name: &GroupName,
        desired: Option<&DesiredGroup>,
        steady_ms: Option<u64>,
    ) -> (String, Option<u64>) {
        let (usual, groups) = (GroupPace::default(), &self.groups);
        let pace = groups.get(name).unwrap_or(&usual);
        let Some(desired) = desired else {
            return (String::new(), None);
        };
        let mut text = pace.strategy(desired.strategy, self.parallelism);
        let windows = steady_ms.unwrap_or(0).saturating_mul(pace.rounds);
        let at_least = Some(windows.saturating_add(pace.soak_ms)).filter(|ms| *ms > 0);
        if desired.strategy != Strategy::Immediate {
            text.push_str(&pace.only_ones(self.lowest.get(name)));
        }
        (text, at_least)
    }

    /// The minimum duration of a plan with these groups, in milliseconds.
    pub(super) fn at_least_ms(
        &self,
        groups: &[GroupChange],
        order: Option<&GroupsOrder>,
    ) -> Option<u64> {
        let work_ms = |group: &GroupChange| {
            let pace = self.groups.get(&group.name);
            let (gated, soak_ms) = pace.map_or((0, 0), |pace| (pace.gated, pace.soak_ms));
            u128::from(group.steady_ms.unwrap_or(0)) * gated as u128 + u128::from(soak_ms)
        };
        let work_ms: u128 = groups.iter().map(work_ms).sum();
        // No group is faster alone, lists of groups follow each other, and no run makes more changes at once.
        let longest = groups.iter().filter_map(|group| group.at_least_ms);
        let mut lists: BTreeMap<usize, u64> = BTreeMap::new();
        for group in groups {
            // New Machines of a group that exists do not wait for their list.
            let grows = group.before > 0 && group.after > group.before;
            if let Some(ms) = group.at_least_ms.filter(|_| !grows) {
                let list = order.map_or(0, |order| order.position(&group.name));
                let longest = lists.entry(list).or_default();
                *longest = (*longest).max(ms);
            }
        }
        let longest = longest.chain([lists.values().sum()]);
        let shared = u64::try_from(work_ms.div_ceil(self.parallelism as u128)).unwrap_or(u64::MAX);
        longest.chain([shared]).max().filter(|ms| *ms > 0)
    }
}

/// Running Machines that change in one pool.
#[derive(Debug, Clone)]
struct WaveSize {
    machines: usize,
    /// How many at once: those of one wave.
    at_once: usize,
    /// Whether one goes first.
    first_alone: bool,
    /// How many at once in each region where they change, if the group is limited by region.
    per_region: BTreeMap<Region, usize>,
}

/// How the changes of one group are made.
#[derive(Debug, Clone, Default)]
struct GroupPace {
    /// The largest number of its running Machines that change in one pool.
    wave: Option<WaveSize>,
    /// Changes whose Machines have to stay up.
    gated: usize,
    /// How many windows follow each other.
    rounds: u64,
    /// How long its canary stays after its own window.
    soak_ms: u64,
}

impl GroupPace {
    fn of_groups(plan: Layout<'_>, parallelism: usize) -> BTreeMap<GroupName, Self> {
        let mut steps: BTreeMap<&GroupName, Vec<StepId>> = BTreeMap::new();
        for (id, change) in changes(plan.steps) {
            steps.entry(&change.group).or_default().push(id);
        }
        let of_group = |(name, steps): (&GroupName, Vec<StepId>)| {
            let gated = steps.iter().filter(|id| is_gated(plan, **id)).count();
            let pace = Self {
                wave: wave(plan, name, &steps),
                gated,
                rounds: if gated < 2 {
                    gated as u64
                } else {
                    rounds(plan, &steps, parallelism)
                },
                soak_ms: steps.iter().map(|id| soak_ms(plan, *id)).sum(),
            };
            (name.clone(), pace)
        };
        steps.into_iter().map(of_group).collect()
    }

    /// For people.
    fn strategy(&self, strategy: Strategy, parallelism: usize) -> String {
        let machines = self.wave.as_ref().map_or(0, |wave| wave.machines);
        let allowed = self.wave.as_ref().map_or(1, |wave| wave.at_once);
        let at_once = allowed.min(parallelism);
        match strategy {
            Strategy::Immediate if machines > parallelism => format!(
                "immediate: {at_once} at a time (`--parallelism`), without waiting for health"
            ),
            Strategy::Immediate => "immediate: all at once, without waiting for health".to_owned(),
            Strategy::Rolling { .. } => {
                let regions = self.limited_regions();
                let many = match &self.wave {
                    Some(wave) if machines > 1 && at_once > 1 && wave.first_alone => {
                        format!(": 1 first, then {at_once} at a time")
                    }
                    Some(_) if machines > 1 => format!(": {at_once} at a time"),
                    Some(_) | None => String::new(),
                };
                let less = if at_once < allowed {
                    format!(" (`--parallelism`; `max_unavailable` allows {allowed})")
                } else {
                    String::new()
                };
                format!("rolling{many}{regions}{less}")
            }
        }
    }

    /// `, at most 2 in ams and 1 in gru`.
    fn limited_regions(&self) -> String {
        let limits = self.wave.iter().flat_map(|wave| &wave.per_region);
        let limits: Vec<String> = limits
            .map(|(region, most)| format!("{most} in {region}"))
            .collect();
        if limits.len() < 2 {
            return String::new();
        }
        format!(", at most {}", join_with_and(&limits))
    }

    /// `; gru: its only one restarts`.
    fn only_ones(&self, lowest: Option<&LowestServing>) -> String {
        // Of a single Machine the lowest number says it.
        let lowest = lowest.filter(|lowest| lowest.of > 1);
        let goes = |region: &&Region| {
            let lowest = lowest.and_then(|lowest| lowest.regions.get(*region));
            lowest.is_some_and(|(least, _)| *least == 0)
        };
        let regions = self.wave.iter().flat_map(|wave| wave.per_region.keys());
        let only: Vec<&str> = regions.filter(goes).map(Region::as_str).collect();
        match only.as_slice() {
            [] => String::new(),
            [region] => format!("; {region}: its only one restarts"),
            regions => format!(
                "; {}: the only one of each restarts",
                join_with_and(regions)
            ),
        }
    }
}

/// The largest number of running Machines of a group that one pool changes, and how many of them one wave changes at
/// once.
fn wave(plan: Layout<'_>, group: &GroupName, steps: &[StepId]) -> Option<WaveSize> {
    let mut pools: BTreeMap<PoolId, usize> = BTreeMap::new();
    for id in steps {
        let step = &plan.steps[id.0 as usize];
        if let (Work::Change(change), Some(pool)) = (&step.work, step.pool)
            && changes_running_machine(change)
        {
            *pools.entry(pool).or_default() += 1;
        }
    }
    let (pool, machines) = pools.into_iter().max_by_key(|(_, machines)| *machines)?;
    let rule = plan.pools.get(pool.0 as usize)?;
    let mut size = WaveSize {
        machines,
        at_once: 1,
        first_alone: rule.first_alone,
        per_region: BTreeMap::new(),
    };
    for wave in plan.waves.get(group).into_iter().flatten() {
        let limits = rule.limits_of(wave.at_once(regions_in_pool(plan, wave, pool)));
        size.at_once = size.at_once.max(limits.size);
        for (region, most) in limits.per_region {
            let known = size.per_region.entry(region).or_default();
            *known = most.max(*known);
        }
    }
    Some(size)
}

/// The regions of the changes of a wave in this pool.
fn regions_in_pool<'p>(plan: Layout<'p>, wave: &Wave, pool: PoolId) -> Vec<&'p Region> {
    let steps = wave.steps.iter();
    let steps = steps.filter_map(|id| plan.steps.get(id.0 as usize));
    let of_pool = steps.filter(|step| step.pool == Some(pool));
    let regions = of_pool.filter_map(|step| match &step.work {
        Work::Change(change) => Some(&change.region),
        Work::Barrier { .. } => None,
    });
    regions.collect()
}

fn changes_running_machine(change: &Change) -> bool {
    let is_change = match &change.action {
        Action::Update { .. } | Action::Move { .. } => true,
        Action::Create { replaces, .. } => replaces.is_some(),
        Action::Destroy { .. }
        | Action::Adopt
        | Action::Wait
        | Action::Start
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => false,
    };
    is_change && change.gate != GateKind::Settled
}

fn soak_ms(plan: Layout<'_>, id: StepId) -> u64 {
    match &plan.steps[id.0 as usize].work {
        Work::Change(change) => match change.action {
            Action::Canary { soak_ms, .. } => soak_ms,
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Destroy { .. }
            | Action::Adopt
            | Action::Wait
            | Action::Start
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. } => 0,
        },
        Work::Barrier { .. } => 0,
    }
}

fn is_gated(plan: Layout<'_>, id: StepId) -> bool {
    match &plan.steps[id.0 as usize].work {
        Work::Change(change) => matches!(change.gate, GateKind::Started | GateKind::Healthy),
        Work::Barrier { .. } => false,
    }
}

/// How many windows of one group follow each other if its calls take no time and no other group interferes: the
/// executor's schedule, window by window.
fn rounds(plan: Layout<'_>, steps: &[StepId], parallelism: usize) -> u64 {
    // Indexed by step: a plan may have 100,000 of them.
    let mut of_group = vec![false; plan.steps.len()];
    for id in steps {
        of_group[id.0 as usize] = true;
    }
    let takes_part = |id: &StepId| {
        let at = id.0 as usize;
        of_group[at] || matches!(plan.steps[at].work, Work::Barrier { .. })
    };
    let mut open = vec![0_usize; plan.steps.len()];
    let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); plan.steps.len()];
    let mut free: VecDeque<StepId> = VecDeque::new();
    for step in plan.steps.iter().filter(|step| takes_part(&step.id)) {
        let needs = step.needs.iter().filter(|need| takes_part(need));
        let mut count = 0;
        for need in needs {
            dependents[need.0 as usize].push(step.id);
            count += 1;
        }
        open[step.id.0 as usize] = count;
        if count == 0 {
            free.push_back(step.id);
        }
    }
    let mut waiting: BTreeMap<Option<PoolId>, BTreeMap<&Region, VecDeque<StepId>>> =
        BTreeMap::new();
    let mut begun: BTreeSet<Option<PoolId>> = BTreeSet::new();
    let mut rounds = 0;
    loop {
        // A change without a window takes no time.
        while let Some(id) = free.pop_front() {
            let step = &plan.steps[id.0 as usize];
            match &step.work {
                Work::Change(change) if is_gated(plan, id) => {
                    let of_pool = waiting.entry(step.pool).or_default();
                    of_pool.entry(&change.region).or_default().push_back(id);
                }
                Work::Change(_) | Work::Barrier { .. } => {
                    free.extend(unblocked_steps(&dependents, &mut open, id));
                }
            }
        }
        let mut together = Vec::new();
        for (pool, regions) in &mut waiting {
            let rule = pool.and_then(|pool| plan.pools.get(pool.0 as usize));
            let size = rule.map_or(usize::MAX, |rule| {
                if rule.first_alone && !begun.contains(pool) {
                    1
                } else {
                    rule.size.max(1)
                }
            });
            let limits = rule.map(|rule| &rule.per_region);
            let found = take_ready(regions, size.min(parallelism - together.len()), limits);
            if !found.is_empty() {
                begun.insert(*pool);
            }
            together.extend(found);
        }
        if together.is_empty() {
            return rounds;
        }
        rounds += 1;
        for id in together {
            free.extend(unblocked_steps(&dependents, &mut open, id));
        }
    }
}

/// Takes at most `size` ready steps of a pool, each of the region that has most of them left, as the executor does.
fn take_ready(
    regions: &mut BTreeMap<&Region, VecDeque<StepId>>,
    size: usize,
    limits: Option<&BTreeMap<Region, usize>>,
) -> Vec<StepId> {
    let room = |region: &Region| {
        let limit = limits.and_then(|limits| limits.get(region));
        limit.copied().unwrap_or(usize::MAX)
    };
    let mut open: Vec<(usize, &mut VecDeque<StepId>)> = regions
        .iter_mut()
        .map(|(region, ready)| (room(region), ready))
        .collect();
    let mut taken = Vec::new();
    while taken.len() < size {
        let with_room = open.iter_mut().filter(|(room, _)| *room > 0);
        let most = with_room
            .filter(|(_, ready)| !ready.is_empty())
            .max_by_key(|(_, ready)| (ready.len(), Reverse(ready.front().copied())));
        let Some((room, ready)) = most else {
            break;
        };
        *room -= 1;
        taken.extend(ready.pop_front());
    }
    taken
}

/// Steps that wait for nothing else once this one is done.
fn unblocked_steps(dependents: &[Vec<StepId>], open: &mut [usize], done: StepId) -> Vec<StepId> {
    let mut found = Vec::new();
    for dependent in &dependents[done.0 as usize] {
        let count = &mut open[dependent.0 as usize];
        *count -= 1;
        if *count == 0 {
            found.push(*dependent);
        }
    }
    found
}
