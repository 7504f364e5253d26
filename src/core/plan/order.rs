//! Turning decisions into steps: what waits for what, in which pool, behind which gate.
//!
//! Phases of a group meet in barriers, so edges grow with the number of steps. A group that is not
//! wanted any more goes last of all, when everything else stands.

mod first_to_update;
mod updates;

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{ChangeRole, GroupDecision, RemovedMachine};
use super::gates::gate;
use super::launch_allocator::LaunchAllocator;
use super::members::{Member, MissingMachine};
use super::requested::Requested;
use super::types::{
    Action, Change, GateKind, MachineRef, Pool, PoolId, Precondition, StandbyTarget, Step, StepId,
    Work,
};
use super::volumes::VolumeAllocator;
use crate::core::fleet::{
    Capabilities, Desired, DesiredGroup, GroupName, MachineId, OnFailure, Region, Strategy,
    VolumeId,
};

use updates::StepSlot;

/// Steps and their pools.
#[derive(Debug, Default)]
pub(super) struct OrderedSteps {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Pool>,
    /// Standbys that a branch may have to re-point.
    pub(super) watchers: BTreeMap<MachineId, Precondition>,
}

/// What the order depends on besides the decisions.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderOptions {
    /// Whether sizes and hosts are real, so that a host may have no room.
    pub(super) host_may_be_full: bool,
    /// Whom a Machine holds up whose last change nobody has seen work.
    pub(super) on_failure: OnFailure,
}

impl OrderOptions {
    pub(super) fn of(
        desired: &Desired,
        asked: &Requested,
        capabilities: Option<&Capabilities>,
    ) -> Self {
        Self {
            host_may_be_full: capabilities.is_some_and(|c| c.replaces_when_full),
            on_failure: asked.on_failure.unwrap_or(desired.rollout.on_failure),
        }
    }
}

/// Lays out all steps.
pub(super) fn build_steps(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    vanished: &[MissingMachine<'_>],
    intents: &mut LaunchAllocator<'_>,
    volumes: &mut VolumeAllocator<'_>,
    manner: OrderOptions,
) -> OrderedSteps {
    let mut build = StepBuilder {
        order: OrderedSteps::default(),
        intents,
        volumes,
        host_may_be_full: manner.host_may_be_full,
        watchers: BTreeMap::new(),
        watching: BTreeMap::new(),
        created_groups: BTreeMap::new(),
    };
    build.add_state_changes(decisions, vanished);
    let wanted: Vec<_> = decisions
        .iter()
        .filter_map(|(name, decision)| Some((name, decision.desired?, decision)))
        .collect();
    let members = decisions.values().flat_map(|decision| &decision.members);
    let left: BTreeSet<&GroupName> = members.filter_map(|m| m.leaves_group.as_ref()).collect();
    for (name, group, decision) in wanted.iter().filter(|(name, ..)| left.contains(name)) {
        let begun = build.add_group_creates(name, group, decision);
        build.created_groups.insert((*name).clone(), begun);
    }
    let mut first = build.add_first_steps(&wanted, manner.on_failure);
    let mut ends = Vec::new();
    for (name, group, decision) in wanted {
        let first = first.remove(name).unwrap_or_default();
        ends.extend(build.add_group(name, group, decision, &first));
    }
    let removed: Vec<_> = decisions
        .iter()
        .filter(|(_, d)| d.desired.is_none())
        .collect();
    let last = if removed.iter().any(|(_, d)| !d.removed.is_empty()) {
        build.add_barrier("everything that stays is in place".to_owned(), ends)
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
    /// The release, and not the pool's own steps where only groups stop.
    Release,
    /// Both.
    All,
}

impl FailureScope {
    /// Of a pool that is no rolling update. Who updates all at once is promised nothing.
    fn of(group: &DesiredGroup) -> Self {
        match group.strategy {
            Strategy::Rolling { .. } => Self::Release,
            Strategy::Immediate => Self::Nothing,
        }
    }
}

struct StepBuilder<'b, 'i, 'v> {
    order: OrderedSteps,
    intents: &'b mut LaunchAllocator<'i>,
    volumes: &'b mut VolumeAllocator<'v>,
    host_may_be_full: bool,
    /// A group's standbys that nothing changes, as far as no branch names them yet.
    watchers: BTreeMap<MachineId, Precondition>,
    /// Who of them watches each Machine.
    watching: BTreeMap<MachineId, Vec<MachineId>>,
    /// Groups that others take Machines from, as far as their new Machines: these come first.
    created_groups: BTreeMap<GroupName, CreatedGroup>,
}

/// A group of which everything new is laid out.
#[derive(Debug, Clone, Default)]
struct CreatedGroup {
    primaries: Primaries,
    /// What is done once all of that is up.
    created: Option<StepId>,
}

impl StepBuilder<'_, '_, '_> {
    fn push_step(&mut self, pool: Option<PoolId>, needs: Vec<StepId>, work: Work) -> StepId {
        let id =
            StepId(u32::try_from(self.order.steps.len()).expect("fewer than four billion steps"));
        self.order.steps.push(Step {
            id,
            needs,
            pool,
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

    /// Adopting and forgetting make no call.
    fn add_state_changes(
        &mut self,
        decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
        vanished: &[MissingMachine<'_>],
    ) {
        let total = vanished.len() + decisions.values().map(|d| d.adopted.len()).sum::<usize>();
        if total == 0 {
            return;
        }
        let pool = self.add_pool("state".to_owned(), total, false, FailureScope::Nothing);
        for gone in vanished {
            let change = Change {
                action: Action::Forget,
                group: gone.group.clone(),
                region: gone.known.region.clone(),
                machine: MachineRef {
                    id: Some(gone.id.clone()),
                    name: gone.known.name.clone(),
                },
                reason: "it does not exist any more".to_owned(),
                changes: Vec::new(),
                precondition: None,
                gate: GateKind::None,
                branches: Vec::new(),
                state: None,
                reverts: None,
            };
            self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
        for (member, reason) in decisions.values().flat_map(|decision| &decision.adopted) {
            let change = change_of_member(member, Action::Adopt, reason.clone(), GateKind::None);
            self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
    }

    /// Creates, then updates by the strategy, then destroys; returns what must be done for the group
    /// to stand, destroys not counted.
    fn add_group(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &GroupDecision<'_>,
        first: &FirstSteps,
    ) -> Vec<StepId> {
        let begun = self.created_groups.get(name).cloned();
        let CreatedGroup {
            mut primaries,
            created,
        } = begun.unwrap_or_else(|| self.add_group_creates(name, group, decision));
        primaries.mark_replaced(&first.replaced);
        if self.host_may_be_full {
            self.index_watchers(decision);
        }
        let before: Vec<StepId> = created.into_iter().chain(first.passed).collect();
        let ready = self.add_barrier(format!("{name}: all there and up"), before);
        let updated = self.add_updates(name, group, decision, &mut primaries, ready);
        let updated = self.add_barrier(format!("{name}: all updated"), updated);
        let standing = updated.or(ready);
        let mut ends = self.add_standbys(name, decision, &mut primaries, standing);
        if ends.is_empty() {
            ends.extend(standing);
        }
        let stands = self.add_barrier(format!("{name}: up to date"), ends);
        self.add_destroys(name, &decision.removed, stands);
        stands.into_iter().collect()
    }

    fn add_group_creates(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &GroupDecision<'_>,
    ) -> CreatedGroup {
        let (created, primaries) =
            self.add_creates(name, decision, gate(group), FailureScope::of(group));
        CreatedGroup {
            primaries,
            created: self.add_barrier(format!("{name}: all created"), created),
        }
    }

    /// Notes whom the standbys watch that stay as they are.
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

    fn add_creates(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        gate: GateKind,
        stops: FailureScope,
    ) -> (Vec<StepId>, Primaries) {
        let mut primaries = Primaries::default();
        let mut ids = Vec::new();
        if !decision.creates.is_empty() {
            let pool = self.add_pool(
                format!("{name}: create"),
                decision.creates.len(),
                false,
                stops,
            );
            for region in &decision.creates {
                let mut change = self.new_create(name, decision, region, Vec::new(), gate);
                self.assign_volumes(decision, &mut change, &[]);
                let id = self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change)));
                primaries.new.push(id);
                ids.push(id);
            }
        }
        primaries.stay = decision
            .primaries
            .iter()
            .map(|member| member.id.clone())
            .collect();
        (ids, primaries)
    }

    /// Gives a new Machine its volumes, those first that it keeps of the one that it replaces.
    fn assign_volumes(
        &mut self,
        decision: &GroupDecision<'_>,
        change: &mut Change,
        kept: &[VolumeId],
    ) {
        if let (
            Action::Create {
                volumes,
                new_volumes,
                ..
            },
            Some(group),
        ) = (&mut change.action, decision.desired)
        {
            let guest = decision.inherits.guest.as_ref();
            let mounted = self.volumes.assign(group, guest, &change.region, kept);
            (*volumes, *new_volumes) = (mounted.taken, mounted.new_volumes);
        }
    }

    fn new_create(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        region: &Region,
        standby_for: Vec<StandbyTarget>,
        gate: GateKind,
    ) -> Change {
        let intent = self.intents.allocate(name, region);
        Change {
            machine: MachineRef {
                id: None,
                name: intent.name,
            },
            action: Action::Create {
                launch: intent.launch,
                port: intent.port,
                standby_for,
                replaces: None,
                volumes: Vec::new(),
                new_volumes: Vec::new(),
                inherits: Box::new(decision.inherits.clone()),
            },
            group: name.clone(),
            region: region.clone(),
            reason: "its group has too few".to_owned(),
            changes: Vec::new(),
            precondition: None,
            gate,
            branches: Vec::new(),
            state: None,
            reverts: None,
        }
    }

    /// Standbys that change and new ones, once everything that they may watch stands.
    fn add_standbys(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let stops = decision
            .desired
            .map_or(FailureScope::Nothing, FailureScope::of);
        let changed: Vec<_> = decision
            .changed
            .iter()
            .filter(|c| c.role != ChangeRole::Primary)
            .collect();
        let total = changed.len() + decision.standbys.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.add_pool(format!("{name}: standbys"), total, false, stops);
        let mut ids = Vec::new();
        for change in changed {
            let gate = GateKind::Settled;
            let slot = StepSlot { pool, after, gate };
            ids.push(self.add_update(name, decision, change, primaries, slot));
        }
        let needs: Vec<StepId> = after.into_iter().collect();
        for region in &decision.standbys {
            let watched = primaries.standby_targets();
            let mut change = self.new_create(name, decision, region, watched, GateKind::Settled);
            self.assign_volumes(decision, &mut change, &[]);
            "standby".clone_into(&mut change.reason);
            ids.push(self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change))));
        }
        ids
    }

    fn add_destroys(
        &mut self,
        name: &GroupName,
        gone: &[RemovedMachine<'_>],
        after: Option<StepId>,
    ) {
        if gone.is_empty() {
            return;
        }
        let pool = self.add_pool(
            format!("{name}: destroy"),
            gone.len(),
            false,
            FailureScope::Nothing,
        );
        let needs: Vec<StepId> = after.into_iter().collect();
        for gone in gone {
            let action = Action::Destroy {
                removal: gone.removal,
                left_volumes: gone.left_volumes.clone(),
            };
            let mut step =
                change_of_member(&gone.member, action, gone.reason.clone(), GateKind::Gone);
            step.group = name.clone();
            step.precondition = Some(gone.precondition.clone());
            self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(step)));
        }
    }
}

/// The Machines of a group that go first.
#[derive(Debug, Clone, Default)]
struct FirstSteps {
    /// What must be done before anybody else of the group goes down.
    passed: Option<StepId>,
    /// Replaced ones, each with the step that makes the new one.
    replaced: Vec<(MachineId, StepId)>,
}

/// Whom a group's standbys watch.
#[derive(Debug, Clone, Default)]
struct Primaries {
    stay: BTreeSet<MachineId>,
    new: Vec<StepId>,
}

impl Primaries {
    fn mark_replaced(&mut self, all: &[(MachineId, StepId)]) {
        for (old, new) in all {
            if self.stay.remove(old) {
                self.new.push(*new);
            }
        }
    }

    fn standby_targets(&self) -> Vec<StandbyTarget> {
        let stay = self.stay.iter().cloned().map(StandbyTarget::Machine);
        stay.chain(self.new.iter().copied().map(StandbyTarget::Step))
            .collect()
    }
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
        branches: Vec::new(),
        state: member.state(),
        reverts: None,
    }
}
