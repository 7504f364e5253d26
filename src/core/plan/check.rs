//! A second, independent reading of a plan (DESIGN 5.8): it shares no code with the planner, so that
//! a mistake there does not agree with itself. A finding is a bug; nothing is applied over one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::types::{Action, Change, GroupVerdict, Plan, PoolId, Removal, Standby, StepId, Work};
use crate::core::fleet::{
    Count, Desired, GroupName, Known, KnownMachine, MachineId, MachineState, Management, Observed,
    Region, Regions, Strategy,
};

/// Something that a plan must never be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is wrong with this plan; empty for every plan that the planner makes.
pub fn check(
    plan: &Plan,
    desired: &Desired,
    known: &Known,
    observed: Option<&Observed>,
) -> Vec<Finding> {
    let mut reading = Reading {
        plan,
        found: Vec::new(),
    };
    reading.graph();
    reading.identities(known, observed);
    reading.counts(known, observed);
    if plan.refusals.is_empty() && !plan.destroys_app {
        reading.wanted(desired);
    }
    reading.protected(desired, known);
    reading.capacity(desired);
    reading.found.sort();
    reading.found
}

struct Reading<'a> {
    plan: &'a Plan,
    found: Vec<Finding>,
}

impl<'a> Reading<'a> {
    fn say(&mut self, text: String) {
        self.found.push(Finding(text));
    }

    /// Ids are indexes, edges point backwards, pools exist.
    fn graph(&mut self) {
        for (at, step) in self.plan.steps.iter().enumerate() {
            if step.id.0 as usize != at {
                self.say(format!("step {at} has the id {}", step.id.0));
            }
            for need in step.needs.iter().filter(|need| **need >= step.id) {
                self.say(format!("step {at} waits for the later step {}", need.0));
            }
            let pool = step.pool.map(|pool| pool.0 as usize);
            match (&step.work, pool) {
                (Work::Change(_), None) => self.say(format!("step {at} names no pool")),
                (_, Some(pool)) if pool >= self.plan.pools.len() => {
                    self.say(format!("step {at} names pool {pool}, which does not exist"));
                }
                (Work::Change(_) | Work::Barrier { .. }, _) => {}
            }
        }
        for pool in self.plan.pools.iter().filter(|pool| pool.size == 0) {
            self.found
                .push(Finding(format!("pool `{}` has no room", pool.name)));
        }
    }

    /// Every id is touched once, names and ports are new, and only Machines of the fleet are touched.
    fn identities(&mut self, known: &Known, observed: Option<&Observed>) {
        let mut touched: BTreeSet<&MachineId> = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut ports: BTreeSet<u16> = observed
            .into_iter()
            .flat_map(|o| o.machines.values())
            .filter_map(|m| m.port)
            .collect();
        let taken: BTreeSet<&str> = observed
            .into_iter()
            .flat_map(|o| o.machines.values())
            .map(|m| m.name.as_str())
            .collect();
        for (id, change) in self.plan.changes().collect::<Vec<_>>() {
            match &change.action {
                Action::Adopt => {}
                Action::Create { port, launch, .. } => {
                    if !names.insert(&change.machine.name)
                        || taken.contains(change.machine.name.as_str())
                    {
                        self.say(format!(
                            "step {} creates a second `{}`",
                            id.0, change.machine.name
                        ));
                    }
                    if !change.machine.name.answers(launch) || change.machine.id.is_some() {
                        self.say(format!(
                            "step {} has a name that does not answer its launch id",
                            id.0
                        ));
                    }
                    if let Some(port) = port
                        && !ports.insert(*port)
                    {
                        self.say(format!("step {} takes port {port}, which is taken", id.0));
                    }
                }
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Forget => {
                    self.touches(id, change, &mut touched, known, observed);
                }
            }
        }
    }

    fn touches(
        &mut self,
        id: StepId,
        change: &'a Change,
        touched: &mut BTreeSet<&'a MachineId>,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let Some(machine) = &change.machine.id else {
            self.say(format!("step {} changes a Machine without an id", id.0));
            return;
        };
        if !touched.insert(machine) {
            self.say(format!("Machine {machine} is changed twice"));
        }
        let there = observed.map(|o| o.machines.get(machine));
        match (&change.action, there) {
            (Action::Forget, Some(Some(seen))) if !seen.state.is_gone() => {
                self.say(format!("Machine {machine} exists and is forgotten"));
            }
            (Action::Forget, _) => {}
            (_, Some(None)) => self.say(format!("Machine {machine} is changed and does not exist")),
            (_, None) if !known.machines.contains_key(machine) => {
                self.say(format!("Machine {machine} is changed and is not known"));
            }
            (_, Some(Some(seen))) => {
                let ours = known.machines.contains_key(machine)
                    || match seen.management {
                        Management::Ours | Management::Launch => seen.config.is_some(),
                        Management::Special | Management::Stranger => false,
                    };
                if !ours || known.ignored.contains(machine) && !known.machines.contains_key(machine)
                {
                    self.say(format!("Machine {machine} is changed and is not ours"));
                }
                if change.pin.is_none() {
                    self.say(format!("Machine {machine} is changed without a pin"));
                }
            }
            (_, None) => {}
        }
    }

    /// before + what comes − what goes = after, per group and region.
    fn counts(&mut self, known: &Known, observed: Option<&Observed>) {
        let mut tally: BTreeMap<(&GroupName, &Region), i64> = BTreeMap::new();
        for (_, change) in self.plan.changes() {
            let change_by = match change.action {
                Action::Create { .. } => 1,
                Action::Destroy { .. } => -1,
                Action::Update { .. } | Action::Move { .. } | Action::Adopt | Action::Forget => 0,
            };
            *tally.entry((&change.group, &change.region)).or_default() += change_by;
        }
        let mut total = 0;
        for group in &self.plan.groups {
            let mut sums = (0u32, 0u32);
            for (region, (before, after)) in &group.regions {
                sums = (sums.0 + before, sums.1 + after);
                let change = tally.remove(&(&group.name, region)).unwrap_or(0);
                if i64::from(*before) + change != i64::from(*after) {
                    self.found.push(Finding(format!(
                        "group `{}` in {region}: {before} and {change:+} is not {after}",
                        group.name
                    )));
                }
            }
            if sums != (group.before, group.after) {
                self.found.push(Finding(format!(
                    "group `{}` is not the sum of its regions",
                    group.name
                )));
            }
            total += group.before as usize;
        }
        for ((group, region), change) in tally.into_iter().filter(|(_, change)| *change != 0) {
            self.say(format!(
                "group `{group}` changes by {change} in {region} and is not listed there"
            ));
        }
        let most = observed.map_or(known.machines.len(), |o| o.machines.len());
        if total > most {
            self.say(format!(
                "the groups have {total} Machines and there are {most}"
            ));
        }
    }

    /// Written counts and maps are reached; groups that are not wanted lose everything.
    fn wanted(&mut self, desired: &Desired) {
        for group in &self.plan.groups {
            let Some(wanted) = desired.groups.get(&group.name) else {
                if group.after != 0 {
                    self.say(format!(
                        "group `{}` is not wanted and keeps {}",
                        group.name, group.after
                    ));
                }
                continue;
            };
            if let Count::Written(n) = wanted.count {
                let standbys = if n == 0 {
                    0
                } else {
                    wanted.standby.unwrap_or(0)
                };
                if group.after != n + standbys {
                    self.say(format!(
                        "group `{}` wants {n} and {standbys} standby and gets {}",
                        group.name, group.after
                    ));
                }
            }
            if let (Regions::Exact(map), None | Some(0)) = (&wanted.regions, wanted.standby) {
                let after = group
                    .regions
                    .iter()
                    .map(|(r, (_, n))| (r, *n))
                    .filter(|(_, n)| *n > 0);
                if !after.eq(map.iter().map(|(r, n)| (r, *n)).filter(|(_, n)| *n > 0)) {
                    self.say(format!(
                        "group `{}` is not laid out as its map says",
                        group.name
                    ));
                }
            }
        }
        for name in desired.groups.keys() {
            if !self.plan.groups.iter().any(|group| group.name == *name) {
                self.say(format!("group `{name}` is wanted and not in the plan"));
            }
        }
    }

    /// A protected group gets no smaller without a refusal.
    fn protected(&mut self, desired: &Desired, known: &Known) {
        for group in &self.plan.groups {
            let wanted = desired.groups.get(&group.name).is_some_and(|g| g.protect);
            let remembered = known.protect.contains(&group.name)
                || group
                    .moved_from
                    .as_ref()
                    .is_some_and(|from| known.protect.contains(from));
            let refused = self.plan.refusals.iter().any(|note| {
                note.group.as_ref() == Some(&group.name)
                    || note.group == group.moved_from && note.group.is_some()
            });
            let of_it = |machine: &&KnownMachine| {
                machine.group == group.name || Some(&machine.group) == group.moved_from.as_ref()
            };
            let count = known.machines.values().filter(of_it);
            let pairs = count.clone().filter(|m| m.replaces.is_some()).count();
            let least = match count.count() {
                0 => group.before as usize,
                n => (n - pairs).min(group.before as usize),
            };
            if (wanted || remembered) && !refused && (group.after as usize) < least {
                self.say(format!("protected group `{}` shrinks", group.name));
            }
        }
    }

    /// Whatever prefix of the order runs: who goes waits for who comes, a removed group waits for all
    /// others, a replaced Machine for its successor, and no rolling pool is wider than it may be.
    fn capacity(&mut self, desired: &Desired) {
        let behind = Behind::of(self.plan);
        let changes: Vec<_> = self.plan.changes().collect();
        let mut creates: BTreeMap<&GroupName, Vec<StepId>> = BTreeMap::new();
        let mut successors: BTreeMap<&MachineId, StepId> = BTreeMap::new();
        let mut last_to_stay = None;
        for (id, change) in &changes {
            if let Action::Create { replaces, .. } = &change.action {
                creates.entry(&change.group).or_default().push(*id);
                successors.extend(replaces.as_ref().map(|old| (old, *id)));
            }
            if stays(self.plan, change) {
                last_to_stay = Some(*id);
            }
        }
        // Steps that wait for the same are behind the same.
        let mut seen: BTreeSet<(&GroupName, &[StepId])> = BTreeSet::new();
        for (id, change) in &changes {
            let needs = self.plan.steps[id.0 as usize].needs.as_slice();
            match &change.action {
                Action::Destroy {
                    removal: Removal::CountLowered | Removal::Rebalanced | Removal::Named,
                    ..
                } => {
                    if seen.insert((&change.group, needs)) {
                        self.after_creates(*id, creates.get(&change.group), &behind);
                    }
                }
                Action::Destroy {
                    removal: Removal::Replaced,
                    leaves,
                } => {
                    let successor = change
                        .machine
                        .id
                        .as_ref()
                        .and_then(|old| successors.get(old));
                    self.replaced(*id, successor.copied(), leaves.is_empty(), &behind);
                }
                Action::Destroy {
                    removal: Removal::GroupRemoved,
                    ..
                } => {
                    if seen.insert((&change.group, needs))
                        && last_to_stay.is_some_and(|last| !behind.is_behind(*id, last))
                    {
                        self.say(format!("step {} destroys a removed group too early", id.0));
                    }
                }
                Action::Create { standby_for, .. }
                | Action::Update { standby_for }
                | Action::Move { standby_for, .. } => {
                    for watched in standby_for {
                        if let Standby::Step(step) = watched
                            && !behind.is_behind(*id, *step)
                        {
                            self.say(format!(
                                "step {} watches step {} before it is done",
                                id.0, step.0
                            ));
                        }
                    }
                }
                Action::Destroy {
                    removal: Removal::AppDestroyed,
                    ..
                }
                | Action::Adopt
                | Action::Forget => {}
            }
        }
        self.pools(desired, &changes);
    }

    fn after_creates(&mut self, id: StepId, creates: Option<&Vec<StepId>>, behind: &Behind) {
        for create in creates.into_iter().flatten() {
            if !behind.is_behind(id, *create) {
                self.say(format!(
                    "step {} destroys before step {} has created",
                    id.0, create.0
                ));
            }
        }
    }

    fn replaced(
        &mut self,
        id: StepId,
        successor: Option<StepId>,
        leaves_nothing: bool,
        behind: &Behind,
    ) {
        match successor {
            None => self.say(format!(
                "step {} destroys for a successor that nobody makes",
                id.0
            )),
            Some(create) if behind.is_behind(id, create) => {}
            Some(create) if behind.is_behind(create, id) && leaves_nothing => {}
            Some(_) => self.say(format!("step {} is not ordered with its successor", id.0)),
        }
    }

    /// A pool in which running Machines of a rolling group are updated takes down no more at once than
    /// the group allows of the Machines that change in it.
    fn pools(&mut self, desired: &Desired, changes: &[(StepId, &Change)]) {
        let mut sizes: BTreeMap<PoolId, usize> = BTreeMap::new();
        let mut takes_down: BTreeMap<PoolId, &GroupName> = BTreeMap::new();
        for (id, change) in changes {
            let Some(pool) = self.plan.steps[id.0 as usize].pool else {
                continue;
            };
            let updates = match &change.action {
                Action::Update { standby_for } | Action::Move { standby_for, .. } => {
                    standby_for.is_empty()
                }
                Action::Create { .. } | Action::Destroy { .. } | Action::Adopt | Action::Forget => {
                    false
                }
            };
            let old_half = matches!(
                change.action,
                Action::Destroy {
                    removal: Removal::Replaced,
                    ..
                }
            );
            *sizes.entry(pool).or_default() += usize::from(!old_half);
            if updates && change.state.is_none_or(MachineState::runs) {
                takes_down.insert(pool, &change.group);
            }
        }
        for (id, group) in takes_down {
            let wanted = desired.groups.get(group).map(|wanted| wanted.strategy);
            let (Some(Strategy::Rolling { max_unavailable }), Some(pool)) =
                (wanted, self.plan.pools.get(id.0 as usize))
            else {
                continue;
            };
            if pool.size > max_unavailable.of(sizes[&id]).max(1) || !pool.first_alone {
                self.found.push(Finding(format!(
                    "pool `{}` takes down too many at once",
                    pool.name
                )));
            }
        }
    }
}

/// Whether a change belongs to a group that stays and does something.
fn stays(plan: &Plan, change: &Change) -> bool {
    let works = match change.action {
        Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
        Action::Destroy { .. } | Action::Adopt | Action::Forget => false,
    };
    let removed = |verdict| verdict == GroupVerdict::Removed;
    works
        && plan
            .groups
            .iter()
            .any(|g| g.name == change.group && !removed(g.verdict))
}

/// Which steps are done before which: for every barrier the set of all that it waits for.
struct Behind {
    /// Per step: the steps directly needed.
    needs: Vec<Vec<StepId>>,
    /// Per barrier or shared predecessor: everything before it.
    closed: BTreeMap<StepId, BTreeSet<StepId>>,
}

impl Behind {
    fn of(plan: &Plan) -> Self {
        let needs: Vec<Vec<StepId>> = plan
            .steps
            .iter()
            .map(|step| {
                step.needs
                    .iter()
                    .copied()
                    .filter(|need| *need < step.id)
                    .collect()
            })
            .collect();
        let mut behind = Self {
            needs,
            closed: BTreeMap::new(),
        };
        // Steps share few predecessors (barriers), so closing over those is enough.
        let shared: BTreeSet<StepId> = behind.needs.iter().flatten().copied().collect();
        for id in shared {
            if matches!(
                plan.steps.get(id.0 as usize).map(|s| &s.work),
                Some(Work::Barrier { .. })
            ) {
                let all = behind.close(id);
                behind.closed.insert(id, all);
            }
        }
        behind
    }

    fn close(&self, id: StepId) -> BTreeSet<StepId> {
        let mut all = BTreeSet::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            if let Some(closed) = self.closed.get(&next) {
                all.extend(closed);
                continue;
            }
            let Some(needs) = self.needs.get(next.0 as usize) else {
                continue;
            };
            open.extend(needs.iter().copied().filter(|need| all.insert(*need)));
        }
        all
    }

    fn is_behind(&self, id: StepId, first: StepId) -> bool {
        let Some(needs) = self.needs.get(id.0 as usize) else {
            return false;
        };
        needs.iter().any(|need| {
            *need == first
                || self
                    .closed
                    .get(need)
                    .map_or_else(|| self.is_behind(*need, first), |all| all.contains(&first))
        })
    }
}
