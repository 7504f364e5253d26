//! Turning decisions into steps: what waits for what, in which pool, behind which gate.
//!
//! Phases of a group meet in barriers, so edges grow with the number of steps. A group that is not
//! wanted any more goes last of all, when everything else stands.

mod changes;
mod first;

use std::collections::{BTreeMap, BTreeSet};

use super::asked::Asked;
use super::decision::{Decision, Gone, Role};
use super::gates::gate;
use super::intents::Intents;
use super::members::{Member, Vanished};
use super::types::{
    Action, Change, GateKind, Pin, Pool, PoolId, Standby, Step, StepId, Target, Work,
};
use super::volumes::Volumes;
use crate::core::fleet::{
    Capabilities, Desired, DesiredGroup, GroupName, MachineId, OnFailure, Region, Strategy,
    VolumeId,
};

use changes::Slot;

/// Steps and their pools.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Pool>,
    /// Standbys that a branch may have to re-point.
    pub(super) watchers: BTreeMap<MachineId, Pin>,
}

/// What the order depends on besides the decisions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether sizes and hosts are real, so that a host may have no room.
    pub(super) may_lack_room: bool,
    /// Whom a Machine holds up whose last change nobody has seen work.
    pub(super) on_failure: OnFailure,
}

impl Manner {
    pub(super) fn of(
        desired: &Desired,
        asked: &Asked,
        capabilities: Option<&Capabilities>,
    ) -> Self {
        Self {
            may_lack_room: capabilities.is_some_and(|c| c.replaces_when_full),
            on_failure: asked.on_failure.unwrap_or(desired.rollout.on_failure),
        }
    }
}

/// Lays out all steps.
pub(super) fn steps(
    decisions: &BTreeMap<GroupName, Decision<'_>>,
    vanished: &[Vanished<'_>],
    intents: &mut Intents<'_>,
    volumes: &mut Volumes<'_>,
    manner: Manner,
) -> Order {
    let mut build = Build {
        order: Order::default(),
        intents,
        volumes,
        may_lack_room: manner.may_lack_room,
        watchers: BTreeMap::new(),
        watching: BTreeMap::new(),
        begun: BTreeMap::new(),
    };
    build.bookkeeping(decisions, vanished);
    let wanted: Vec<_> = decisions
        .iter()
        .filter_map(|(name, decision)| Some((name, decision.wanted?, decision)))
        .collect();
    let members = decisions.values().flat_map(|decision| &decision.members);
    let left: BTreeSet<&GroupName> = members.filter_map(|m| m.leaves.as_ref()).collect();
    for (name, group, decision) in wanted.iter().filter(|(name, ..)| left.contains(name)) {
        let begun = build.begin(name, group, decision);
        build.begun.insert((*name).clone(), begun);
    }
    let mut first = build.first(&wanted, manner.on_failure);
    let mut ends = Vec::new();
    for (name, group, decision) in wanted {
        let first = first.remove(name).unwrap_or_default();
        ends.extend(build.group(name, group, decision, &first));
    }
    let removed: Vec<_> = decisions
        .iter()
        .filter(|(_, d)| d.wanted.is_none())
        .collect();
    let last = if removed.iter().any(|(_, d)| !d.gone.is_empty()) {
        build.barrier("everything that stays is in place".to_owned(), ends)
    } else {
        None
    };
    for (name, decision) in removed {
        build.destroys(name, &decision.gone, last);
    }
    build.volumes.apart(&mut build.order.steps);
    build.order
}

/// What a failure in a pool stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stops {
    Nothing,
    /// The release, and not the pool's own steps where only groups stop.
    Release,
    /// Both.
    All,
}

impl Stops {
    /// Of a pool that is no rolling update. Who updates all at once is promised nothing.
    fn of(group: &DesiredGroup) -> Self {
        match group.strategy {
            Strategy::Rolling { .. } => Self::Release,
            Strategy::Immediate => Self::Nothing,
        }
    }
}

struct Build<'b, 'i, 'v> {
    order: Order,
    intents: &'b mut Intents<'i>,
    volumes: &'b mut Volumes<'v>,
    may_lack_room: bool,
    /// A group's standbys that nothing changes, as far as no branch names them yet.
    watchers: BTreeMap<MachineId, Pin>,
    /// Who of them watches each Machine.
    watching: BTreeMap<MachineId, Vec<MachineId>>,
    /// Groups that others take Machines from, as far as their new Machines: these come first.
    begun: BTreeMap<GroupName, Begun>,
}

/// A group of which everything new is laid out.
#[derive(Debug, Clone, Default)]
struct Begun {
    primaries: Primaries,
    /// What is done once all of that is up.
    created: Option<StepId>,
}

impl Build<'_, '_, '_> {
    fn push(&mut self, pool: Option<PoolId>, needs: Vec<StepId>, work: Work) -> StepId {
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

    fn pool(&mut self, name: String, size: usize, first_alone: bool, stops: Stops) -> PoolId {
        let id =
            PoolId(u32::try_from(self.order.pools.len()).expect("fewer than four billion pools"));
        self.order.pools.push(Pool {
            name,
            size: size.max(1),
            first_alone,
            stops_on_failure: stops == Stops::All,
            stops_release: stops != Stops::Nothing,
        });
        id
    }

    fn barrier(&mut self, name: String, needs: Vec<StepId>) -> Option<StepId> {
        match needs.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => Some(self.push(None, needs, Work::Barrier { name })),
        }
    }

    /// Adopting and forgetting make no call.
    fn bookkeeping(
        &mut self,
        decisions: &BTreeMap<GroupName, Decision<'_>>,
        vanished: &[Vanished<'_>],
    ) {
        let total = vanished.len() + decisions.values().map(|d| d.adopted.len()).sum::<usize>();
        if total == 0 {
            return;
        }
        let pool = self.pool("state".to_owned(), total, false, Stops::Nothing);
        for gone in vanished {
            let change = Change {
                action: Action::Forget,
                group: gone.group.clone(),
                region: gone.known.region.clone(),
                machine: Target {
                    id: Some(gone.id.clone()),
                    name: gone.known.name.clone(),
                },
                reason: "it does not exist any more".to_owned(),
                changes: Vec::new(),
                pin: None,
                gate: GateKind::None,
                branches: Vec::new(),
                state: None,
                reverts: None,
            };
            self.push(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
        for (member, reason) in decisions.values().flat_map(|decision| &decision.adopted) {
            let change = of_member(member, Action::Adopt, reason.clone(), GateKind::None);
            self.push(Some(pool), Vec::new(), Work::Change(Box::new(change)));
        }
    }

    /// Creates, then updates by the strategy, then destroys; returns what must be done for the group
    /// to stand, destroys not counted.
    fn group(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        first: &First,
    ) -> Vec<StepId> {
        let begun = self.begun.get(name).cloned();
        let Begun {
            mut primaries,
            created,
        } = begun.unwrap_or_else(|| self.begin(name, group, decision));
        primaries.replaced(&first.replaced);
        if self.may_lack_room {
            self.watch(decision);
        }
        let before: Vec<StepId> = created.into_iter().chain(first.passed).collect();
        let ready = self.barrier(format!("{name}: all there and up"), before);
        let updated = self.updates(name, group, decision, &mut primaries, ready);
        let updated = self.barrier(format!("{name}: all updated"), updated);
        let standing = updated.or(ready);
        let mut ends = self.standbys(name, decision, &mut primaries, standing);
        if ends.is_empty() {
            ends.extend(standing);
        }
        let stands = self.barrier(format!("{name}: up to date"), ends);
        self.destroys(name, &decision.gone, stands);
        stands.into_iter().collect()
    }

    fn begin(&mut self, name: &GroupName, group: &DesiredGroup, decision: &Decision<'_>) -> Begun {
        let (created, primaries) = self.creates(name, decision, gate(group), Stops::of(group));
        Begun {
            primaries,
            created: self.barrier(format!("{name}: all created"), created),
        }
    }

    /// Notes whom the standbys watch that stay as they are.
    fn watch(&mut self, decision: &Decision<'_>) {
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

    fn creates(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        gate: GateKind,
        stops: Stops,
    ) -> (Vec<StepId>, Primaries) {
        let mut primaries = Primaries::default();
        let mut ids = Vec::new();
        if !decision.creates.is_empty() {
            let pool = self.pool(
                format!("{name}: create"),
                decision.creates.len(),
                false,
                stops,
            );
            for region in &decision.creates {
                let mut change = self.create(name, decision, region, Vec::new(), gate);
                self.mount(decision, &mut change, &[]);
                let id = self.push(Some(pool), Vec::new(), Work::Change(Box::new(change)));
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
    fn mount(&mut self, decision: &Decision<'_>, change: &mut Change, kept: &[VolumeId]) {
        if let (
            Action::Create {
                volumes,
                new_volumes,
                ..
            },
            Some(group),
        ) = (&mut change.action, decision.wanted)
        {
            let guest = decision.inherits.guest.as_ref();
            let mounted = self.volumes.mounted(group, guest, &change.region, kept);
            (*volumes, *new_volumes) = (mounted.taken, mounted.made);
        }
    }

    fn create(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        region: &Region,
        standby_for: Vec<Standby>,
        gate: GateKind,
    ) -> Change {
        let intent = self.intents.next(name, region);
        Change {
            machine: Target {
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
            pin: None,
            gate,
            branches: Vec::new(),
            state: None,
            reverts: None,
        }
    }

    /// Standbys that change and new ones, once everything that they may watch stands.
    fn standbys(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let stops = decision.wanted.map_or(Stops::Nothing, Stops::of);
        let changed: Vec<_> = decision
            .changed
            .iter()
            .filter(|c| c.role != Role::Primary)
            .collect();
        let total = changed.len() + decision.standbys.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.pool(format!("{name}: standbys"), total, false, stops);
        let mut ids = Vec::new();
        for change in changed {
            let gate = GateKind::Settled;
            let slot = Slot { pool, after, gate };
            ids.push(self.update(name, decision, change, primaries, slot));
        }
        let needs: Vec<StepId> = after.into_iter().collect();
        for region in &decision.standbys {
            let watched = primaries.watched();
            let mut change = self.create(name, decision, region, watched, GateKind::Settled);
            self.mount(decision, &mut change, &[]);
            "standby".clone_into(&mut change.reason);
            ids.push(self.push(Some(pool), needs.clone(), Work::Change(Box::new(change))));
        }
        ids
    }

    fn destroys(&mut self, name: &GroupName, gone: &[Gone<'_>], after: Option<StepId>) {
        if gone.is_empty() {
            return;
        }
        let pool = self.pool(
            format!("{name}: destroy"),
            gone.len(),
            false,
            Stops::Nothing,
        );
        let needs: Vec<StepId> = after.into_iter().collect();
        for gone in gone {
            let action = Action::Destroy {
                removal: gone.removal,
                leaves: gone.leaves.clone(),
            };
            let mut step = of_member(&gone.member, action, gone.reason.clone(), GateKind::Gone);
            step.group = name.clone();
            step.pin = Some(gone.pin.clone());
            self.push(Some(pool), needs.clone(), Work::Change(Box::new(step)));
        }
    }
}

/// The Machines of a group that go first.
#[derive(Debug, Clone, Default)]
struct First {
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
    fn replaced(&mut self, all: &[(MachineId, StepId)]) {
        for (old, new) in all {
            if self.stay.remove(old) {
                self.new.push(*new);
            }
        }
    }

    fn watched(&self) -> Vec<Standby> {
        let stay = self.stay.iter().cloned().map(Standby::Machine);
        stay.chain(self.new.iter().copied().map(Standby::Step))
            .collect()
    }
}

fn of_member(member: &Member<'_>, action: Action, reason: String, gate: GateKind) -> Change {
    Change {
        action,
        group: member.group.clone(),
        region: member.region.clone(),
        machine: member.target(),
        reason,
        changes: Vec::new(),
        pin: None,
        gate,
        branches: Vec::new(),
        state: member.state(),
        reverts: None,
    }
}
