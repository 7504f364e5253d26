//! Updates, moves and replacements of one group: wave after wave, by its strategy.

use std::collections::{BTreeMap, BTreeSet};

use super::{Build, Primaries, Stops, of_member};
use crate::core::fleet::{DesiredGroup, GroupName, MachineId, Strategy};
use crate::core::plan::branch::{Branch, Successor};
use crate::core::plan::decision::{Changed, Decision, How, Role};
use crate::core::plan::gates::{Wave, gate};
use crate::core::plan::members::Member;
use crate::core::plan::placement;
use crate::core::plan::types::{Action, GateKind, PoolId, Removal, Standby, StepId, Work};

/// flyctl's size of the pool of Machines that do not run (docs/platform/fly-toml.md 12.1).
const COLD_POOL: usize = 30;

impl Build<'_, '_, '_> {
    /// Updates, moves and replacements, by the group's strategy, but of those that went first. Rolling, those that
    /// do not serve come first: they cost no capacity, and as long as one of them does not come up none goes
    /// down. So it is with those of which nobody knows whether they serve.
    pub(super) fn updates(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let mut waves: BTreeMap<Wave, Vec<&Changed<'_>>> = BTreeMap::new();
        for changed in decision.changed.iter().filter(|c| c.role == Role::Primary) {
            let wave = Wave::of(group, &changed.member);
            waves.entry(wave).or_default().push(changed);
        }
        let gate = gate(group);
        let mut after = after;
        let mut ends = Vec::new();
        // Laid out already.
        waves.remove(&Wave::Failing);
        let mut waves = waves.into_iter().peekable();
        while let Some((wave, changed)) = waves.next() {
            let n = changed.len();
            let pool = match (group.strategy, wave) {
                (Strategy::Rolling { max_unavailable }, _) => {
                    let (what, size) = match wave {
                        Wave::Failing | Wave::Down => {
                            ("those that are down", max_unavailable.of(n))
                        }
                        Wave::Unproven => ("never seen to work", max_unavailable.of(n)),
                        Wave::Serving => ("running", max_unavailable.of(n)),
                        Wave::Resting => ("stopped", n.min(COLD_POOL)),
                    };
                    self.pool(
                        format!("{name}: update {what}, rolling"),
                        size,
                        true,
                        Stops::All,
                    )
                }
                (Strategy::Immediate, _) => self.pool(
                    format!("{name}: update, immediate"),
                    n,
                    false,
                    Stops::of(group),
                ),
            };
            let gate = match wave {
                Wave::Failing | Wave::Down | Wave::Unproven | Wave::Serving => gate,
                Wave::Resting => GateKind::Settled,
            };
            let slot = Slot { pool, after, gate };
            let mut steps = Vec::new();
            for change in changed {
                steps.push(self.update(name, decision, change, primaries, slot));
            }
            let waited_for = match wave {
                Wave::Failing | Wave::Down => "all up again",
                Wave::Unproven => "all seen to work",
                Wave::Serving | Wave::Resting => "",
            };
            let follows = waves.peek().is_some() && group.strategy != Strategy::Immediate;
            if !waited_for.is_empty() && follows {
                after = self.barrier(format!("{name}: {waited_for}"), steps.clone());
            }
            ends.extend(steps);
        }
        ends
    }

    pub(super) fn update(
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
        let old_first = changed.how == How::ReplaceOldFirst;
        let region = placement::of_successor(member, decision.wanted, old_first);
        let mut new = self.create(name, decision, region, standby_for, slot.gate);
        new.reason.clone_from(&changed.reason);
        new.changes.clone_from(&changed.changes);
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
}

/// Where in the order a change stands.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) pool: PoolId,
    pub(super) after: Option<StepId>,
    pub(super) gate: GateKind,
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
