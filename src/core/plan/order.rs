//! Turning decisions into steps: what waits for what, in which pool, behind which gate.
//!
//! Phases of a group meet in barriers, so edges grow with the number of steps. A group that is not
//! wanted any more goes last of all, when everything else stands.

use std::collections::{BTreeMap, BTreeSet};

use super::branch::{Branch, Successor};
use super::decision::{Changed, Decision, Gone, How, Role};
use super::intents::Intents;
use super::members::{Member, Vanished};
use super::types::{
    Action, Change, GateKind, Pool, PoolId, Removal, Standby, Step, StepId, Target, Work,
};
use super::volumes::Volumes;
use crate::core::fleet::{
    CheckState, CheckStatus, DesiredGroup, GroupName, MachineId, MachineState, Region, Strategy,
    VolumeId,
};

/// Steps and their pools.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Pool>,
}

/// flyctl's size of the pool of Machines that do not run (facts/fly-toml-to-machine.md 12.1).
const COLD_POOL: usize = 30;

/// Lays out all steps. `capable` says whether sizes and hosts are real, so that a host may have no
/// room.
pub(super) fn steps(
    decisions: &BTreeMap<GroupName, Decision<'_>>,
    vanished: &[Vanished<'_>],
    intents: &mut Intents<'_>,
    volumes: &mut Volumes<'_>,
    may_lack_room: bool,
) -> Order {
    let mut build = Build {
        order: Order::default(),
        intents,
        volumes,
        may_lack_room,
    };
    let adopted = build.bookkeeping(decisions, vanished);
    let mut ends = Vec::new();
    for (name, decision) in decisions {
        if let Some(group) = decision.wanted {
            let gated = adopted.get(name).map_or(&[][..], Vec::as_slice);
            ends.extend(build.group(name, group, decision, gated));
        }
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

struct Build<'b, 'i, 'v> {
    order: Order,
    intents: &'b mut Intents<'i>,
    volumes: &'b mut Volumes<'v>,
    may_lack_room: bool,
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

    fn pool(
        &mut self,
        name: String,
        size: usize,
        first_alone: bool,
        stops_on_failure: bool,
    ) -> PoolId {
        let id =
            PoolId(u32::try_from(self.order.pools.len()).expect("fewer than four billion pools"));
        self.order.pools.push(Pool {
            name,
            size: size.max(1),
            first_alone,
            stops_on_failure,
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

    /// Adopting and forgetting make no call. Returns by group the adoptions that have a gate.
    fn bookkeeping<'d>(
        &mut self,
        decisions: &'d BTreeMap<GroupName, Decision<'_>>,
        vanished: &[Vanished<'_>],
    ) -> BTreeMap<&'d GroupName, Vec<StepId>> {
        let mut gated: BTreeMap<_, Vec<StepId>> = BTreeMap::new();
        let total = vanished.len() + decisions.values().map(|d| d.adopted.len()).sum::<usize>();
        if total == 0 {
            return gated;
        }
        let pool = self.pool("state".to_owned(), total, false, false);
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
        for (name, decision) in decisions {
            for (member, reason) in &decision.adopted {
                let gate = missed_gate(decision, member);
                let change = of_member(member, Action::Adopt, reason.clone(), gate);
                let step = self.push(Some(pool), Vec::new(), Work::Change(Box::new(change)));
                if gate != GateKind::None {
                    gated.entry(name).or_default().push(step);
                }
            }
        }
        gated
    }

    /// Creates, then updates by the strategy, then destroys; returns what must be done for the group
    /// to stand, destroys not counted. Adopted Machines that are not up yet count as created.
    fn group(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        adopted: &[StepId],
    ) -> Vec<StepId> {
        let gate = gate(group);
        let (mut created, mut primaries) = self.creates(name, decision, gate);
        created.extend(adopted);
        let created = self.barrier(format!("{name}: all created"), created);
        let updated = self.updates(name, group, decision, &mut primaries, created);
        let updated = self.barrier(format!("{name}: all updated"), updated);
        let standing = updated.or(created);
        let mut ends = self.standbys(name, decision, &mut primaries, standing);
        if ends.is_empty() {
            ends.extend(standing);
        }
        let stands = self.barrier(format!("{name}: up to date"), ends);
        self.destroys(name, &decision.gone, stands);
        stands.into_iter().collect()
    }

    fn creates(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        gate: GateKind,
    ) -> (Vec<StepId>, Primaries) {
        let mut primaries = Primaries::default();
        let mut ids = Vec::new();
        if !decision.creates.is_empty() {
            let pool = self.pool(
                format!("{name}: create"),
                decision.creates.len(),
                false,
                false,
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

    /// Updates, moves and replacements, by the group's strategy. Rolling, those that do not serve come
    /// first: they cost no capacity, and as long as one of them does not come up none goes down.
    fn updates(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let mut waves: BTreeMap<Wave, Vec<&Changed<'_>>> = BTreeMap::new();
        for changed in decision.changed.iter().filter(|c| c.role == Role::Primary) {
            let wave = Wave::of(&changed.member);
            waves.entry(wave).or_default().push(changed);
        }
        let gate = gate(group);
        let mut after = after;
        let mut ends = Vec::new();
        for (wave, changed) in waves {
            let n = changed.len();
            let pool = match (group.strategy, wave) {
                (Strategy::Rolling { max_unavailable }, _) => {
                    let (what, size) = match wave {
                        Wave::Down => ("those that are down", max_unavailable.of(n)),
                        Wave::Serving => ("running", max_unavailable.of(n)),
                        Wave::Resting => ("stopped", n.min(COLD_POOL)),
                    };
                    self.pool(format!("{name}: update {what}, rolling"), size, true, true)
                }
                (Strategy::Immediate, _) => {
                    self.pool(format!("{name}: update, immediate"), n, false, false)
                }
            };
            let gate = match wave {
                Wave::Down | Wave::Serving => gate,
                Wave::Resting => GateKind::Settled,
            };
            let slot = Slot { pool, after, gate };
            let mut steps = Vec::new();
            for change in changed {
                steps.push(self.update(name, decision, change, primaries, slot));
            }
            if wave == Wave::Down && group.strategy != Strategy::Immediate {
                after = self.barrier(format!("{name}: all up again"), steps.clone());
            }
            ends.extend(steps);
        }
        ends
    }

    fn update(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        changed: &Changed<'_>,
        primaries: &mut Primaries,
        slot: Slot,
    ) -> StepId {
        let member = &changed.member;
        let standby_for = match changed.role {
            Role::Primary => Vec::new(),
            Role::Standby => watching(member),
            Role::Repointed => primaries.watched(),
        };
        let action = match (how_in_place(changed.how), &member.moved_from) {
            (true, Some(from)) => Action::Move {
                from: from.clone(),
                standby_for,
            },
            (true, None) => Action::Update { standby_for },
            (false, _) => {
                let (create, last) = self.replace(name, decision, changed, standby_for, slot);
                if primaries.stay.remove(member.id) {
                    primaries.new.push(create);
                }
                return last;
            }
        };
        let mut step = of_member(member, action, changed.reason.clone(), slot.gate);
        step.changes.clone_from(&changed.changes);
        step.pin = Some(changed.pin.clone());
        if self.may_lack_room {
            step.branches
                .push(self.without_room(name, decision, member));
        }
        self.push(Some(slot.pool), slot.needs(), Work::Change(Box::new(step)))
    }

    /// What becomes of the Machine if its host has no room. The ids are chosen here, so that a run which
    /// dies after it has made the new one meets it again by its name.
    fn without_room(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        member: &Member<'_>,
    ) -> Branch {
        if !member.volumes().is_empty() {
            return Branch::NoRoomStops;
        }
        let (launch, bears) = self.intents.successor(name, member.region, member.id);
        let watchers = decision.watchers.iter();
        Branch::NoRoomReplaced(Successor {
            launch,
            name: bears,
            repoints: watchers
                .filter(|pin| pin.standby_for.contains(member.id))
                .cloned()
                .collect(),
        })
    }

    /// The steps of a replacement: the one that creates, and the last one.
    fn replace(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        changed: &Changed<'_>,
        standby_for: Vec<Standby>,
        slot: Slot,
    ) -> (StepId, StepId) {
        let member = &changed.member;
        let mut new = self.create(name, decision, member.region, standby_for, slot.gate);
        new.reason.clone_from(&changed.reason);
        new.changes.clone_from(&changed.changes);
        let old_first = changed.how == How::ReplaceOldFirst;
        let kept = if old_first { member.volumes() } else { &[] };
        self.mount(decision, &mut new, kept);
        if let Action::Create { replaces, .. } = &mut new.action {
            *replaces = Some(member.id.clone());
        }
        let leaves = if old_first {
            Vec::new()
        } else {
            member.volumes().to_vec()
        };
        let destroy = Action::Destroy {
            removal: Removal::Replaced,
            leaves,
        };
        let mut old = of_member(member, destroy, changed.reason.clone(), GateKind::Gone);
        old.pin = Some(changed.pin.clone());
        let (first, second) = if old_first { (old, new) } else { (new, old) };
        let first = self.push(Some(slot.pool), slot.needs(), Work::Change(Box::new(first)));
        let last = self.push(Some(slot.pool), vec![first], Work::Change(Box::new(second)));
        (if old_first { last } else { first }, last)
    }

    /// Standbys that change and new ones, once everything that they may watch stands.
    fn standbys(
        &mut self,
        name: &GroupName,
        decision: &Decision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let changed: Vec<_> = decision
            .changed
            .iter()
            .filter(|c| c.role != Role::Primary)
            .collect();
        let total = changed.len() + decision.standbys.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.pool(format!("{name}: standbys"), total, false, false);
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
        let pool = self.pool(format!("{name}: destroy"), gone.len(), false, false);
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

/// Which of a group's Machines change together, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wave {
    /// It is to run and does not, or its checks fail.
    Down,
    /// It runs; offline each may.
    Serving,
    /// It was stopped and stays so.
    Resting,
}

impl Wave {
    fn of(member: &Member<'_>) -> Self {
        let Some(seen) = member.seen else {
            return Self::Serving;
        };
        let fails = |check: &CheckStatus| check.status == CheckState::Critical;
        match seen.state {
            MachineState::Started if seen.checks.iter().any(fails) => Self::Down,
            MachineState::Started => Self::Serving,
            MachineState::Created
            | MachineState::Starting
            | MachineState::Replacing
            | MachineState::Failed => Self::Down,
            MachineState::Stopping
            | MachineState::Stopped
            | MachineState::Suspending
            | MachineState::Suspended
            | MachineState::Destroying
            | MachineState::Destroyed => Self::Resting,
        }
    }
}

/// Where in the order a change stands.
#[derive(Clone, Copy)]
struct Slot {
    pool: PoolId,
    after: Option<StepId>,
    gate: GateKind,
}

impl Slot {
    fn needs(self) -> Vec<StepId> {
        self.after.into_iter().collect()
    }
}

/// Whom a group's standbys watch.
#[derive(Debug, Default)]
struct Primaries {
    stay: BTreeSet<MachineId>,
    new: Vec<StepId>,
}

impl Primaries {
    fn watched(&self) -> Vec<Standby> {
        let stay = self.stay.iter().cloned().map(Standby::Machine);
        stay.chain(self.new.iter().copied().map(Standby::Step))
            .collect()
    }
}

fn watching(member: &Member<'_>) -> Vec<Standby> {
    let watched: BTreeSet<&MachineId> = member.standby_for().iter().collect();
    watched.into_iter().cloned().map(Standby::Machine).collect()
}

fn how_in_place(how: How) -> bool {
    match how {
        How::Update | How::Move => true,
        How::Replace | How::ReplaceOldFirst => false,
    }
}

fn gate(group: &DesiredGroup) -> GateKind {
    match group.strategy {
        Strategy::Immediate => GateKind::None,
        Strategy::Rolling { .. } if group.template.has_checks() => GateKind::Healthy,
        Strategy::Rolling { .. } => GateKind::Started,
    }
}

/// The gate that an adopted Machine has still to pass: a run that was killed between a call and its
/// gate leaves a Machine that is as wanted and perhaps never comes up. None where the observation shows
/// that it is up, or at rest, or where another step of the plan changes it.
fn missed_gate(decision: &Decision<'_>, member: &Member<'_>) -> GateKind {
    let (Some(group), Some(seen)) = (decision.wanted, member.seen) else {
        return GateKind::None;
    };
    let changed = decision.changed.iter().map(|changed| &changed.member);
    let gone = decision.gone.iter().map(|gone| &gone.member);
    let touched = changed.chain(gone).any(|other| other.id == member.id);
    if !member.unsettled || touched {
        return GateKind::None;
    }
    let gate = gate(group);
    let passing = |check: &CheckStatus| check.status == CheckState::Passing;
    let healthy = !seen.checks.is_empty() && seen.checks.iter().all(passing);
    match seen.state {
        MachineState::Created | MachineState::Starting | MachineState::Replacing => match gate {
            GateKind::Started | GateKind::Healthy if member.is_standby() => GateKind::Settled,
            gate => gate,
        },
        MachineState::Started if gate == GateKind::Healthy && !healthy => gate,
        MachineState::Started
        | MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
        | MachineState::Failed
        | MachineState::Destroying
        | MachineState::Destroyed => GateKind::None,
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
