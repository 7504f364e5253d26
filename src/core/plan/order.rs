//! Turning decisions into steps: what waits for what, in which pool, behind which gate.
//!
//! Phases of a group meet in barriers, so edges grow with the number of steps. A group that is not
//! wanted any more goes last of all, when everything else stands.

use std::collections::{BTreeMap, BTreeSet};

use super::branch::{Branch, Successor};
use super::decision::{Changed, Decision, Gone, How, Role};
use super::gates::{Wave, gate, missed_gate};
use super::intents::Intents;
use super::members::{Member, Vanished};
use super::types::{
    Action, Change, GateKind, Pin, Pool, PoolId, Removal, Standby, Step, StepId, Target, Work,
};
use super::volumes::Volumes;
use crate::core::fleet::{DesiredGroup, GroupName, MachineId, Region, Strategy, VolumeId};

/// Steps and their pools.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Pool>,
    /// Standbys that a branch may have to re-point.
    pub(super) watchers: BTreeMap<MachineId, Pin>,
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
        watchers: BTreeMap::new(),
        watching: BTreeMap::new(),
        begun: BTreeMap::new(),
    };
    let adopted = build.bookkeeping(decisions, vanished);
    let wanted: Vec<_> = decisions
        .iter()
        .filter_map(|(name, decision)| Some((name, decision.wanted?, decision)))
        .collect();
    let gated = |name| adopted.get(name).map_or(&[][..], Vec::as_slice);
    let members = decisions.values().flat_map(|decision| &decision.members);
    let left: BTreeSet<&GroupName> = members.filter_map(|m| m.leaves.as_ref()).collect();
    for (name, group, decision) in wanted.iter().filter(|(name, ..)| left.contains(name)) {
        let begun = build.begin(name, group, decision, gated(*name));
        build.begun.insert((*name).clone(), begun);
    }
    let mut ends = Vec::new();
    for (name, group, decision) in wanted {
        ends.extend(build.group(name, group, decision, gated(name)));
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
        let begun = self.begun.get(name).cloned();
        let Begun {
            mut primaries,
            created,
        } = begun.unwrap_or_else(|| self.begin(name, group, decision, adopted));
        if self.may_lack_room {
            self.watch(decision);
        }
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

    fn begin(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        adopted: &[StepId],
    ) -> Begun {
        let (mut created, primaries) = self.creates(name, decision, gate(group));
        created.extend(adopted);
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
            step.branches.push(self.without_room(name, member));
        }
        let needs = slot.needs(self.left(member));
        self.push(Some(slot.pool), needs, Work::Change(Box::new(step)))
    }

    /// What is done once the group that this Machine leaves has another in its place.
    fn left(&self, member: &Member<'_>) -> Option<StepId> {
        self.begun.get(member.leaves.as_ref()?)?.created
    }

    /// What becomes of the Machine if its host has no room. The ids are chosen here, so that a run which
    /// dies after it has made the new one meets it again by its name.
    fn without_room(&mut self, name: &GroupName, member: &Member<'_>) -> Branch {
        if !member.volumes().is_empty() {
            return Branch::NoRoomStops;
        }
        let (launch, bears) = self.intents.successor(name, member.region, member.id);
        let repoints = self.watching.get(member.id).cloned().unwrap_or_default();
        for standby in &repoints {
            if let Some(pin) = self.watchers.remove(standby) {
                self.order.watchers.insert(standby.clone(), pin);
            }
        }
        Branch::NoRoomReplaced(Successor {
            launch,
            name: bears,
            repoints,
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
        let needs = slot.needs(self.left(member));
        let first = self.push(Some(slot.pool), needs, Work::Change(Box::new(first)));
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

/// Where in the order a change stands.
#[derive(Clone, Copy)]
struct Slot {
    pool: PoolId,
    after: Option<StepId>,
    gate: GateKind,
}

impl Slot {
    /// A Machine that goes to another group waits for the one in its place there as well.
    fn needs(self, left: Option<StepId>) -> Vec<StepId> {
        let mut needs: Vec<StepId> = self.after.into_iter().chain(left).collect();
        needs.sort();
        needs.dedup();
        needs
    }
}

/// Whom a group's standbys watch.
#[derive(Debug, Clone, Default)]
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
