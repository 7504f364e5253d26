//! Turns decisions into steps: what waits for what, in which pool, behind which gate.
//!
//! Phases of a group meet in barriers, so the number of edges grows linearly with the steps. Groups that are
//! removed come last, after everything else; with `on_failure = "rollback"` so do all destroys of surplus Machines.

mod canaries;
mod creates;
mod first_to_update;
mod group_lists;
mod serving;
mod standbys;
mod swap;
mod updates;
mod waves;

use std::collections::BTreeMap;

use super::canary::Canaries;
use super::decision::{GroupDecision, RemovedMachine};
use super::launch_allocator::LaunchAllocator;
use super::members::{Member, MissingMachine};
use super::once::OnceSteps;
use super::requested::Requested;
use super::types::{
    Action, Change, Frees, GateKind, MachineRef, Pool, PoolId, Precondition, Step, StepId, Wave,
    Work,
};
use super::volumes::VolumeAllocator;
use crate::core::fleet::{
    Capabilities, Desired, DesiredGroup, GroupName, GroupsOrder, MachineId, OnFailure, Strategy,
    Trial,
};

pub(super) use group_lists::order_conflicts;
pub(super) use serving::{is_serving, serves_in};
pub(super) use waves::{can_be_woken, nothing_runs};

use group_lists::{Group, GroupLists};
use serving::{ServingGroup, count_serving};
use standbys::Primaries;
use waves::GroupWaves;

/// Steps and their pools.
#[derive(Debug, Default)]
pub(super) struct OrderedSteps {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Pool>,
    /// The waves of each group.
    pub(super) waves: BTreeMap<GroupName, Vec<Wave>>,
    /// Standbys that a branch may have to re-point.
    pub(super) watchers: BTreeMap<MachineId, Precondition>,
}

/// What the order depends on besides the decisions.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderOptions<'d> {
    /// Whether hosts can be full: not with a provider that runs local processes.
    pub(super) host_may_be_full: bool,
    /// What an unconfirmed Machine blocks: its group or the release.
    pub(super) on_failure: OnFailure,
    /// Which groups come before which.
    groups_order: Option<&'d GroupsOrder>,
    /// Whether a group of which nothing runs starts a Machine first.
    wake: bool,
}

impl<'d> OrderOptions<'d> {
    pub(super) fn of(
        desired: &'d Desired,
        requested: &Requested,
        capabilities: Option<&Capabilities>,
    ) -> Self {
        Self {
            host_may_be_full: capabilities.is_some_and(|c| c.replaces_when_full),
            on_failure: requested.on_failure.unwrap_or(desired.rollout.on_failure),
            groups_order: desired.rollout.groups_order.as_ref(),
            wake: requested.wake,
        }
    }

    /// Whether no group loses a Machine before every group is complete: a rollback needs them.
    fn destroys_last(self) -> bool {
        self.on_failure == OnFailure::Rollback
    }
}

/// Builds all steps. The release command comes before all others, `verify` before all destroys but the old halves
/// of replacements.
pub(super) fn build_steps(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    missing: &[MissingMachine<'_>],
    allocator: &mut LaunchAllocator<'_>,
    volumes: &mut VolumeAllocator<'_>,
    (options, once, canaries): (OrderOptions<'_>, &mut OnceSteps, Canaries<'_>),
) -> OrderedSteps {
    let mut build = StepBuilder {
        order: OrderedSteps::default(),
        allocator,
        volumes,
        host_may_be_full: options.host_may_be_full,
        watchers: BTreeMap::new(),
        watching: BTreeMap::new(),
        created_groups: BTreeMap::new(),
        updated_groups: BTreeMap::new(),
        serving: count_serving(decisions),
        release_command: None,
        tried: BTreeMap::new(),
    };
    build.release_command = build.add_once(once.release_command.take(), Vec::new());
    build.add_state_changes(decisions, missing);
    build.add_canaries(canaries);
    let complete = build.add_groups(decisions, options);
    let last_steps: Vec<StepId> = complete.iter().filter_map(|(.., step)| *step).collect();
    let verified = once.verify.take().and_then(|verify| {
        let before = build.add_barrier("everything is up to date".to_owned(), last_steps.clone());
        build.add_once(Some(verify), before.into_iter().collect())
    });
    for (name, decision, step) in complete {
        if !options.destroys_last() {
            build.add_destroys(name, &decision.removed, verified.or(step));
        }
    }
    let removed: Vec<_> = decisions
        .iter()
        .filter(|(_, d)| options.destroys_last() || d.desired.is_none())
        .collect();
    let last = if verified.is_some() {
        verified
    } else if removed.iter().any(|(_, d)| !d.removed.is_empty()) {
        build.add_barrier("everything that stays is in place".to_owned(), last_steps)
    } else {
        None
    };
    for (name, decision) in removed {
        build.add_destroys(name, &decision.removed, last);
    }
    build.volumes.set_unique_zones(&mut build.order.steps);
    build.order
}

/// What a failure in a pool stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureScope {
    Nothing,
    /// The release, and not the pool's own steps if failures stop only groups.
    Release,
    /// Both.
    All,
}

impl FailureScope {
    /// For a pool that is not a rolling update. An immediate update gives no guarantees.
    fn of(group: &DesiredGroup) -> Self {
        match group.strategy {
            Strategy::Rolling { .. } => Self::Release,
            Strategy::Immediate => Self::Nothing,
        }
    }
}

struct StepBuilder<'b, 'i, 'v> {
    order: OrderedSteps,
    allocator: &'b mut LaunchAllocator<'i>,
    volumes: &'b mut VolumeAllocator<'v>,
    host_may_be_full: bool,
    /// A group's standbys without changes, until a branch names them.
    watchers: BTreeMap<MachineId, Precondition>,
    /// Which of them watch each Machine.
    watching: BTreeMap<MachineId, Vec<MachineId>>,
    /// Groups that others take Machines from, with their new Machines: these come first.
    created_groups: BTreeMap<GroupName, CreatedGroup>,
    /// The step after which the own Machines of a group are updated: none leaves it before.
    updated_groups: BTreeMap<GroupName, StepId>,
    /// What serves in each group, and its pool.
    serving: BTreeMap<GroupName, ServingGroup>,
    /// The step of the release command, which all others need.
    release_command: Option<StepId>,
    /// Groups with canaries, each with the step before which nothing of it begins.
    tried: BTreeMap<GroupName, StepId>,
}

/// A group with all its creates laid out.
#[derive(Debug, Clone, Default)]
struct CreatedGroup {
    primaries: Primaries,
    /// The step after which all new Machines are up.
    created: Option<StepId>,
}

impl StepBuilder<'_, '_, '_> {
    fn push_step(&mut self, pool: Option<PoolId>, mut needs: Vec<StepId>, work: Work) -> StepId {
        if let Work::Change(change) = &work {
            needs.extend(self.tried.get(&change.group));
        }
        if needs.is_empty() {
            needs.extend(self.release_command);
        }
        let id =
            StepId(u32::try_from(self.order.steps.len()).expect("fewer than four billion steps"));
        self.order.steps.push(Step {
            id,
            needs,
            pool,
            completes: None,
            work,
        });
        id
    }

    fn add_pool(
        &mut self,
        name: String,
        size: usize,
        first_alone: bool,
        stops: FailureScope,
    ) -> PoolId {
        let id =
            PoolId(u32::try_from(self.order.pools.len()).expect("fewer than four billion pools"));
        self.order.pools.push(Pool {
            name,
            size: size.max(1),
            per_region: BTreeMap::new(),
            frees: Frees::WhenDone,
            first_alone,
            stops_on_failure: stops == FailureScope::All,
            stops_release: stops != FailureScope::Nothing,
        });
        id
    }

    fn add_barrier(&mut self, name: String, needs: Vec<StepId>) -> Option<StepId> {
        match needs.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => Some(self.push_step(None, needs, Work::Barrier { name })),
        }
    }

    fn add_once(&mut self, change: Option<Change>, needs: Vec<StepId>) -> Option<StepId> {
        let change = change?;
        let pool = self.add_pool(change.group.to_string(), 1, false, FailureScope::All);
        Some(self.push_step(Some(pool), needs, Work::Change(Box::new(change))))
    }

    /// Adopting and forgetting make no call.
    fn add_state_changes(
        &mut self,
        decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
        missing: &[MissingMachine<'_>],
    ) {
        let total = missing.len() + decisions.values().map(|d| d.adopted.len()).sum::<usize>();
        if total == 0 {
            return;
        }
        let pool = self.add_pool("state".to_owned(), total, false, FailureScope::Nothing);
        for missing_machine in missing {
            let change = Change {
                action: Action::Forget,
                group: missing_machine.group.clone(),
                region: missing_machine.known.region.clone(),
                machine: MachineRef {
                    id: Some(missing_machine.id.clone()),
                    name: missing_machine.known.name.clone(),
                },
                reason: "it no longer exists".to_owned(),
                changes: Vec::new(),
                precondition: None,
                gate: GateKind::None,
                wake: None,
                branches: Vec::new(),
                state: None,
                reverts: None,
                standby: false,
            };
            self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
        for (member, reason) in decisions.values().flat_map(|decision| &decision.adopted) {
            let change = change_of_member(member, Action::Adopt, reason.clone(), GateKind::None);
            self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
    }

    /// Every group that stays, list by list; each with the step after which it is complete, except for
    /// destroys.
    fn add_groups<'n>(
        &mut self,
        decisions: &'n BTreeMap<GroupName, GroupDecision<'_>>,
        options: OrderOptions<'_>,
    ) -> Vec<(&'n GroupName, &'n GroupDecision<'n>, Option<StepId>)> {
        let lists = GroupLists::of(decisions, options.groups_order);
        for (name, group, decision) in lists.created_first() {
            let created = self.add_group_creates(name, group, decision, None);
            self.created_groups.insert(name.clone(), created);
        }
        for (name, _, decision) in lists.lists.iter().flatten() {
            self.add_unused_greens(name, decision);
        }
        let mut awaited = self.add_awaited_first(&lists);
        let mut complete = Vec::new();
        let mut before = None;
        for (at, list) in lists.lists.iter().enumerate() {
            let up = self.add_new_swapped(list, before);
            let swap = self.add_swap(list, before, &up);
            let behind = swap.switched.or(before);
            let others = list.iter().filter(|(.., decision)| decision.swap.is_none());
            let others: Vec<Group<'_, '_>> = others.copied().collect();
            for (name, group, decision) in others.iter().filter(|(name, ..)| lists.is_left(name)) {
                if !self.created_groups.contains_key(*name) {
                    let created = self.add_group_creates(name, group, decision, behind);
                    self.created_groups.insert((*name).clone(), created);
                }
            }
            let mut first = self.add_first_steps(&others, &mut awaited, options.on_failure, behind);
            let mut begun = Vec::new();
            for (name, group, decision) in &others {
                let waves = GroupWaves {
                    decisions,
                    name,
                    group,
                    decision,
                    wakes: options.wake && can_be_woken(group, decision),
                };
                let first = first.remove(name).unwrap_or_default();
                let primaries = self.begin_group(&waves, &first, behind);
                begun.push((waves, primaries));
            }
            let mut of_list: Vec<StepId> = swap.complete.values().copied().collect();
            for (name, _, decision) in list.iter().filter(|(.., decision)| decision.swap.is_some())
            {
                complete.push((*name, *decision, swap.complete.get(*name).copied()));
            }
            for (waves, primaries) in begun {
                let step = self.end_group(&waves, primaries);
                of_list.extend(step);
                complete.push((waves.name, waves.decision, step));
            }
            if at + 1 < lists.lists.len() {
                let passed = format!("{}: up to date", list_names(list));
                before = self.add_barrier(passed, of_list).or(before);
            }
        }
        complete
    }

    /// The creates of new groups with the strategy bluegreen: they come up with the greens of the others.
    fn add_new_swapped(&mut self, list: &[Group<'_, '_>], after: Option<StepId>) -> Vec<StepId> {
        if list.iter().all(|(.., decision)| decision.swap.is_none()) {
            return Vec::new();
        }
        let mut up = Vec::new();
        for (name, group, decision) in list {
            if !decision.is_new() || group.trial != Some(Trial::Bluegreen) {
                continue;
            }
            if !self.created_groups.contains_key(*name) {
                let created = self.add_group_creates(name, group, decision, after);
                self.created_groups.insert((*name).clone(), created);
            }
            up.extend(self.created_groups[*name].created);
        }
        up
    }

    /// Creates, then updates by the strategy, except for Machines that come from other groups.
    fn begin_group(
        &mut self,
        waves: &GroupWaves<'_, '_>,
        first: &FirstSteps,
        after: Option<StepId>,
    ) -> Primaries {
        let (name, group, decision) = (waves.name, waves.group, waves.decision);
        let group_created = self.created_groups.get(name).cloned();
        let CreatedGroup {
            mut primaries,
            created,
        } = group_created.unwrap_or_else(|| self.add_group_creates(name, group, decision, after));
        primaries.mark_replaced(&first.replaced);
        if self.host_may_be_full {
            self.index_watchers(decision);
        }
        let before: Vec<StepId> = created.into_iter().chain(first.passed).collect();
        let ready = self.add_barrier(format!("{name}: all created and up"), before);
        // What was created is behind the list before only in a new group.
        let ready = self.add_barrier(
            format!("{name}: its turn"),
            ready.into_iter().chain(after).collect(),
        );
        let updated = self.add_updates(waves, &mut primaries, ready);
        let updated = self.add_barrier(format!("{name}: all updated"), updated);
        if let Some(updated) = updated.or(ready) {
            self.updated_groups.insert(name.clone(), updated);
        }
        primaries
    }

    /// Machines that come from other groups, then standbys. Returns the step after which the group is complete,
    /// except for destroys.
    fn end_group(
        &mut self,
        waves: &GroupWaves<'_, '_>,
        mut primaries: Primaries,
    ) -> Option<StepId> {
        let (name, decision) = (waves.name, waves.decision);
        if self.host_may_be_full {
            self.index_watchers(decision);
        }
        let updated = self.updated_groups.get(name).copied();
        let arrived = self.add_arrivals(waves, &mut primaries, updated);
        let arrived = self.add_barrier(format!("{name}: all arrived"), arrived);
        let primaries_done = arrived.or(updated);
        let mut last = self.add_standbys(name, decision, &mut primaries, primaries_done);
        if last.is_empty() {
            last.extend(primaries_done);
        }
        self.add_barrier(format!("{name}: up to date"), last)
    }

    /// The creates of a group; those of a new one after a step.
    fn add_group_creates(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &GroupDecision<'_>,
        after: Option<StepId>,
    ) -> CreatedGroup {
        if decision.swap.is_some() {
            return CreatedGroup::default();
        }
        let after = after.filter(|_| decision.is_new());
        let (created, primaries) = self.add_creates(name, group, decision, after);
        CreatedGroup {
            primaries,
            created: self.add_barrier(format!("{name}: all created"), created),
        }
    }

    /// Records what the unchanged standbys watch.
    fn index_watchers(&mut self, decision: &GroupDecision<'_>) {
        self.watching.clear();
        let pins = decision.watchers.iter();
        self.watchers = pins.map(|pin| (pin.id.clone(), pin.clone())).collect();
        for pin in &decision.watchers {
            for watched in &pin.standby_for {
                let all = self.watching.entry(watched.clone()).or_default();
                all.push(pin.id.clone());
            }
        }
    }

    fn add_destroys(
        &mut self,
        name: &GroupName,
        removed: &[RemovedMachine<'_>],
        after: Option<StepId>,
    ) {
        if removed.is_empty() {
            return;
        }
        let pool = self.add_pool(
            format!("{name}: destroy"),
            removed.len(),
            false,
            FailureScope::Nothing,
        );
        let needs: Vec<StepId> = after.into_iter().collect();
        for removed in removed {
            let action = Action::Destroy {
                removal: removed.removal,
                left_volumes: removed.left_volumes.clone(),
            };
            let mut step = change_of_member(
                &removed.member,
                action,
                removed.reason.clone(),
                GateKind::Gone,
            );
            step.group = name.clone();
            step.precondition = Some(removed.precondition.clone());
            self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(step)));
        }
    }
}

/// The Machines of a group that are updated first.
#[derive(Debug, Clone, Default)]
struct FirstSteps {
    /// The step that must be done before others of the group go down.
    passed: Option<StepId>,
    /// Replaced Machines, each with the step that creates the new one.
    replaced: Vec<(MachineId, StepId)>,
}

/// `web`, `web, worker`.
fn list_names(list: &[(&GroupName, &DesiredGroup, &GroupDecision<'_>)]) -> String {
    let names: Vec<&str> = list.iter().map(|(name, ..)| name.as_str()).collect();
    names.join(", ")
}

fn change_of_member(member: &Member<'_>, action: Action, reason: String, gate: GateKind) -> Change {
    Change {
        action,
        group: member.group.clone(),
        region: member.region.clone(),
        machine: member.target(),
        reason,
        changes: Vec::new(),
        precondition: None,
        gate,
        wake: None,
        branches: Vec::new(),
        state: member.state(),
        reverts: None,
        standby: member.is_standby(),
    }
}
