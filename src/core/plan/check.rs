//! An independent check of a plan. It shares no code with the planner, so that both cannot have the same bug. A
//! finding is a bug; a plan with findings is not applied.

mod branches;
mod canary;
mod capacity;
mod filter;
mod requested;
mod swap;
mod unproven;
mod volumes;
mod waits;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::hold::held_desired;
use super::options::PlanMode;
use super::types::{Action, Change, Plan, Removal, StepId, Work};
use crate::core::fleet::{
    Count, Desired, GroupName, Known, KnownMachine, MachineId, Management, MovedGroup, Observed,
    Region, Regions,
};

/// A violated invariant of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All violations in this plan; empty for every plan of the planner.
pub fn check(
    plan: &Plan,
    desired: &Desired,
    known: &Known,
    observed: Option<&Observed>,
) -> Vec<Finding> {
    let held = held_desired(desired, known, observed);
    let effective = plan.requested.override_desired(held);
    let desired = &*effective;
    let mut reading = Checker {
        plan,
        findings: Vec::new(),
    };
    reading.check_graph();
    reading.check_identities(known, observed);
    reading.check_counts(known, observed);
    if plan.refusals.is_empty() && plan.mode == PlanMode::Normal {
        reading.check_desired_counts(desired, known, observed);
    }
    reading.check_filter(known, observed);
    reading.check_requested(known, observed);
    reading.check_protected(desired, known, observed);
    reading.check_branches(known, observed);
    reading.check_capacity(desired, known, observed);
    reading.check_canaries(desired, observed);
    reading.check_volumes(desired, observed);
    reading.check_waits(desired, known, observed);
    reading.check_unproven(desired, known, observed);
    reading.findings.sort();
    reading.findings
}

fn is_named_removal(action: &Action) -> bool {
    matches!(
        action,
        Action::Destroy {
            removal: Removal::Named,
            ..
        }
    )
}

/// How many Machines a group may have over its count: unlisted Machines with unreadable configs are left alone.
fn allowed_excess(known: &Known, observed: Option<&Observed>) -> u32 {
    let machines = observed.into_iter().flat_map(|o| &o.machines);
    let unread = machines.filter(|(id, machine)| {
        let counts = matches!(machine.management, Management::Ours | Management::FlyLaunch);
        counts && machine.config.is_none() && !known.machines.contains_key(*id)
    });
    u32::try_from(unread.count()).unwrap_or(u32::MAX)
}

struct Checker<'a> {
    plan: &'a Plan,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn report(&mut self, text: String) {
        self.findings.push(Finding(text));
    }

    /// Ids are indexes, edges point backwards, pools exist.
    fn check_graph(&mut self) {
        for (at, step) in self.plan.steps.iter().enumerate() {
            if step.id.0 as usize != at {
                self.report(format!("step {at} has the id {}", step.id.0));
            }
            for need in step.needs.iter().filter(|need| **need >= step.id) {
                self.report(format!("step {at} waits for the later step {}", need.0));
            }
            let pool = step.pool.map(|pool| pool.0 as usize);
            match (&step.work, pool) {
                (Work::Change(_), None) => self.report(format!("step {at} names no pool")),
                (_, Some(pool)) if pool >= self.plan.pools.len() => {
                    self.report(format!("step {at} names pool {pool}, which does not exist"));
                }
                (Work::Change(_) | Work::Barrier { .. }, _) => {}
            }
        }
        for pool in self.plan.pools.iter().filter(|pool| pool.size == 0) {
            self.findings
                .push(Finding(format!("pool `{}` has size 0", pool.name)));
        }
    }

    /// Every id is touched once, names and ports are new, and only Machines of the fleet are touched.
    fn check_identities(&mut self, known: &Known, observed: Option<&Observed>) {
        let mut touched: BTreeSet<&MachineId> = BTreeSet::new();
        let mut names = BTreeSet::new();
        let all = || observed.into_iter().flat_map(Observed::all_machines);
        let in_use = observed
            .into_iter()
            .flat_map(|o| &o.description.capabilities.ports_in_use);
        let mut ports: BTreeSet<u16> = all()
            .filter_map(|m| m.port)
            .chain(in_use.copied())
            .collect();
        let existing = all().map(|m| (m.name.as_str(), m.stamps.swap.as_deref()));
        let existing: BTreeMap<&str, Option<&str>> = existing.collect();
        for (id, change) in self.plan.changes().collect::<Vec<_>>() {
            match &change.action {
                Action::Adopt | Action::Once { .. } | Action::Switch { .. } => {}
                Action::Canary { port, launch, .. } => {
                    self.check_canary_identity(id, change, launch);
                    if !names.insert(&change.machine.name) {
                        self.report(format!("step {} is a second canary of its place", id.0));
                    }
                    ports.extend(*port);
                }
                Action::Create {
                    port,
                    launch,
                    green,
                    ..
                } => {
                    let tag = green.as_ref().map(|green| green.tag.as_str());
                    // A run that goes on with a swap takes its greens.
                    let taken = existing.get(change.machine.name.as_str());
                    let goes_on = tag.is_some() && taken == Some(&tag);
                    if !names.insert(&change.machine.name) || taken.is_some() && !goes_on {
                        self.report(format!(
                            "step {} creates a second `{}`",
                            id.0, change.machine.name
                        ));
                    }
                    if !change.machine.name.matches_launch(launch) || change.machine.id.is_some() {
                        self.report(format!(
                            "step {} has a name that does not match its launch id",
                            id.0
                        ));
                    }
                    if let Some(port) = port.as_ref().filter(|_| !goes_on)
                        && !ports.insert(*port)
                    {
                        self.report(format!("step {} uses port {port}, which is in use", id.0));
                    }
                }
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Wait
                | Action::Start
                | Action::Forget => {
                    self.check_touched_machine(id, change, &mut touched, known, observed);
                }
            }
        }
    }

    fn check_touched_machine(
        &mut self,
        id: StepId,
        change: &'a Change,
        touched: &mut BTreeSet<&'a MachineId>,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let Some(machine) = &change.machine.id else {
            self.report(format!("step {} changes a Machine without an id", id.0));
            return;
        };
        if !touched.insert(machine) {
            self.report(format!("Machine {machine} is changed twice"));
        }
        let machine_seen = observed.map(|o| o.machines.get(machine));
        match (&change.action, machine_seen) {
            (Action::Forget, Some(Some(seen))) if !seen.state.is_gone() => {
                self.report(format!("Machine {machine} exists but is forgotten"));
            }
            (Action::Forget, _) => {}
            (_, Some(None)) => {
                self.report(format!("Machine {machine} is changed but does not exist"));
            }
            (_, None) if !known.machines.contains_key(machine) => {
                self.report(format!("Machine {machine} is changed but not known"));
            }
            (_, Some(Some(seen))) => {
                let ours = known.machines.contains_key(machine)
                    || match seen.management {
                        // An unreadable Machine is destroyed only if it is named, or a canary.
                        Management::Ours | Management::FlyLaunch => {
                            seen.config.is_some() || is_named_removal(&change.action)
                        }
                        Management::Auxiliary | Management::Unmanaged | Management::Unknown => {
                            false
                        }
                    };
                if !ours
                    || known.ignored_machines.contains(machine)
                        && !known.machines.contains_key(machine)
                {
                    self.report(format!("Machine {machine} is changed but not ours"));
                }
                if change.precondition.is_none() {
                    self.report(format!(
                        "Machine {machine} is changed without a precondition"
                    ));
                }
            }
            (_, None) => {}
        }
    }

    /// before + created − destroyed = after, per group and region.
    fn check_counts(&mut self, known: &Known, observed: Option<&Observed>) {
        let mut tally: BTreeMap<(&GroupName, &Region), i64> = BTreeMap::new();
        for (_, change) in self.plan.changes() {
            let change_by = match change.action {
                Action::Create { .. } => 1,
                Action::Destroy { removal, .. } => match removal {
                    // It was no member of its group.
                    Removal::SwapUndone | Removal::Canary => 0,
                    Removal::CountLowered
                    | Removal::Rebalanced
                    | Removal::Named
                    | Removal::Replaced
                    | Removal::GroupRemoved
                    | Removal::AppDestroyed
                    | Removal::Swapped => -1,
                },
                Action::Update { .. }
                | Action::Move { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => 0,
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
                    self.findings.push(Finding(format!(
                        "group `{}` in {region}: {before} and {change:+} is not {after}",
                        group.name
                    )));
                }
            }
            if sums != (group.before, group.after) {
                self.findings.push(Finding(format!(
                    "group `{}` is not the sum of its regions",
                    group.name
                )));
            }
            total += group.before as usize;
        }
        for ((group, region), change) in tally.into_iter().filter(|(_, change)| *change != 0) {
            self.report(format!(
                "group `{group}` changes by {change} in {region} and is not listed there"
            ));
        }
        let most = observed.map_or(known.machines.len(), |o| o.machines.len());
        if total > most {
            self.report(format!(
                "the groups have {total} Machines but there are {most}"
            ));
        }
    }

    /// Written counts and maps are reached; removed groups lose everything.
    fn check_desired_counts(
        &mut self,
        desired: &Desired,
        known: &Known,
        observed: Option<&Observed>,
    ) {
        let held = allowed_excess(known, observed);
        for group in &self.plan.groups {
            if self.is_left_out(&group.name, known, observed) {
                continue;
            }
            let Some(desired_group) = desired.groups.get(&group.name) else {
                if group.after > held {
                    self.report(format!(
                        "group `{}` is removed but keeps {}",
                        group.name, group.after
                    ));
                }
                continue;
            };
            if let Count::Written(n) = desired_group.count {
                let standbys = if n == 0 {
                    0
                } else {
                    desired_group.standby.unwrap_or(0)
                };
                let least = n + standbys;
                if !(least..=least.saturating_add(held)).contains(&group.after) {
                    self.report(format!(
                        "group `{}` should have {n} and {standbys} standbys but gets {}",
                        group.name, group.after
                    ));
                }
            }
            if let (Regions::Exact(map), None | Some(0), 0) =
                (&desired_group.regions, desired_group.standby, held)
            {
                let after = group
                    .regions
                    .iter()
                    .map(|(r, (_, n))| (r, *n))
                    .filter(|(_, n)| *n > 0);
                if !after.eq(map.iter().map(|(r, n)| (r, *n)).filter(|(_, n)| *n > 0)) {
                    self.report(format!(
                        "group `{}` does not match its map of regions",
                        group.name
                    ));
                }
            }
        }
        for name in desired.groups.keys() {
            if !self.plan.groups.iter().any(|group| group.name == *name) {
                self.report(format!("group `{name}` is desired but not in the plan"));
            }
        }
    }

    /// A protected group does not shrink without a refusal.
    fn check_protected(&mut self, desired: &Desired, known: &Known, observed: Option<&Observed>) {
        for group in &self.plan.groups {
            let is_protected = desired.groups.get(&group.name).is_some_and(|g| g.protect);
            // Several groups may be renamed to one.
            let is_it = |name: &GroupName| {
                let renamed = |moved: &MovedGroup| moved.to == group.name && moved.from == *name;
                *name == group.name || desired.moved.iter().any(renamed)
            };
            let was_protected = known.protected_groups.iter().any(is_it);
            let refused = self
                .plan
                .refusals
                .iter()
                .any(|note| note.group.as_ref().is_some_and(is_it));
            let of_it = |machine: &&KnownMachine| is_it(&machine.group);
            // A missing Machine is not lost by this plan.
            let exists = |id: &MachineId| {
                let seen = observed.map(|o| o.machines.get(id));
                seen.is_none_or(|seen| seen.is_some_and(|seen| !seen.state.is_gone()))
            };
            let present = known.machines.iter().filter(|(id, _)| exists(id));
            let count = present.map(|(_, machine)| machine).filter(of_it);
            let pairs = count.clone().filter(|m| m.replaces.is_some()).count();
            let least = match count.count() {
                0 => group.before as usize,
                n => (n - pairs).min(group.before as usize),
            };
            if (is_protected || was_protected) && !refused && (group.after as usize) < least {
                self.report(format!("protected group `{}` shrinks", group.name));
            }
        }
    }
}
