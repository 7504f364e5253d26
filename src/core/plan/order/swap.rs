//! The steps of a swap: the greens of all its groups, their barrier, the standbys, the switches, and the destroys of the
//! blues.
//!
//! Nothing of a blue is touched before the switch of every group is done.

use std::collections::BTreeMap;

use super::creates::create_of;
use super::group_lists::Group;
use super::standbys::Primaries;
use super::{FailureScope, StepBuilder, change_of_member};
use crate::core::fleet::{GroupName, MachineName, Trial};
use crate::core::plan::decision::{GroupDecision, RemovedMachine};
use crate::core::plan::gates::gate;
use crate::core::plan::members::Member;
use crate::core::plan::swap::GroupSwap;
use crate::core::plan::types::{
    Action, Change, Frees, GateKind, Green, MachineRef, PoolId, StandbyTarget, StepId,
    SwitchedGreen, Work,
};

/// The most greens that are created at once, as flyctl does it: a third of them, and no more than this.
const MOST_CREATED_AT_ONCE: usize = 8;

/// Where the swap of a list of groups has got to.
#[derive(Debug, Default)]
pub(super) struct SwapSteps {
    /// The step after which the greens of every group serve: the other groups of the list begin then.
    pub(super) switched: Option<StepId>,
    /// For each group the step after which its blues are gone.
    pub(super) complete: BTreeMap<GroupName, StepId>,
}

/// A group whose greens are laid out.
struct Laid<'n, 'a> {
    group: Group<'n, 'a>,
    swap: &'n GroupSwap<'a>,
    greens: Vec<SwitchedGreen>,
    steps: Vec<StepId>,
}

impl StepBuilder<'_, '_, '_> {
    /// Greens of swaps that do not go on: they serve nothing, so nothing waits for their end.
    pub(super) fn add_unused_greens(&mut self, name: &GroupName, decision: &GroupDecision<'_>) {
        self.add_destroys(name, &decision.unused_greens, None);
    }

    /// All steps of the swap of a list of groups. `created` are new groups with the strategy, which come up with the
    /// greens.
    pub(super) fn add_swap(
        &mut self,
        list: &[Group<'_, '_>],
        before: Option<StepId>,
        created: &[StepId],
    ) -> SwapSteps {
        let swapped: Vec<_> = list
            .iter()
            .filter_map(|group| Some((*group, group.2.swap.as_ref()?)))
            .collect();
        if swapped.is_empty() {
            return SwapSteps::default();
        }
        let total = swapped.iter().map(|((.., decision), swap)| {
            swap.greens.len()
                + if swap.is_finishing() {
                    0
                } else {
                    decision.creates.len()
                }
        });
        let total: usize = total.sum();
        let pool = (total > 0).then(|| self.add_green_pool(total));
        let mut laid = Vec::new();
        let mut passed = created.to_vec();
        for (group, swap) in swapped {
            let found = self.add_greens(group, swap, pool, before);
            if !swap.blues_are_going {
                passed.extend(&found.steps);
            }
            laid.push(found);
        }
        let passed = self.add_barrier("every new Machine has passed".to_owned(), passed);
        let mut ready = Vec::from_iter(passed);
        for found in &laid {
            ready.extend(self.add_green_standbys(found, passed.or(before)));
        }
        let ready = self.add_barrier("every new Machine is ready".to_owned(), ready);
        let pool = self.add_pool("switch".to_owned(), laid.len(), false, FailureScope::All);
        let each: Vec<StepId> = laid
            .iter()
            .map(|found| self.add_switch(found, pool, ready.or(before)))
            .collect();
        let switched = self.add_barrier("every group is switched".to_owned(), each);
        let complete = laid.iter().map(|found| {
            let (name, ..) = found.group;
            (
                name.clone(),
                self.add_blues(name, &found.swap.blues, switched),
            )
        });
        let complete: BTreeMap<_, _> = complete.collect();
        SwapSteps {
            switched,
            complete: complete
                .into_iter()
                .filter_map(|(name, step)| Some((name, step?)))
                .collect(),
        }
    }

    fn add_green_pool(&mut self, total: usize) -> PoolId {
        let at_once = total.div_ceil(3).clamp(1, MOST_CREATED_AT_ONCE);
        let pool = self.add_pool(
            "new Machines of the swap".to_owned(),
            at_once,
            false,
            FailureScope::All,
        );
        self.order.pools[pool.0 as usize].frees = Frees::WhenCreated;
        pool
    }

    /// The greens of one group, created or awaited.
    fn add_greens<'n, 'a>(
        &mut self,
        group: Group<'n, 'a>,
        swap: &'n GroupSwap<'a>,
        pool: Option<PoolId>,
        before: Option<StepId>,
    ) -> Laid<'n, 'a> {
        let (name, desired, decision) = group;
        let (mut greens, mut steps) = (Vec::new(), Vec::new());
        let needs: Vec<StepId> = before.into_iter().collect();
        let mut add = |build: &mut Self, change: Change, stays_cordoned: bool| {
            let pool = pool.expect("a pool is laid out for every green");
            let step = build.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change)));
            greens.push(SwitchedGreen {
                machine: StandbyTarget::Step(step),
                stays_cordoned,
            });
            steps.push(step);
        };
        for green in &swap.greens {
            let mut change = self.new_green(name, decision, (swap, &green.region), gate(desired));
            change.reason.clone_from(&green.reason);
            change.changes.clone_from(&green.changes);
            if let Action::Create {
                replaces,
                green: Some(terms),
                ..
            } = &mut change.action
            {
                *replaces = Some(green.blue.clone());
                terms.must_run = green.must_run;
            }
            add(self, change, green.stays_cordoned);
        }
        if swap.is_finishing() {
            let scope = FailureScope::of(desired);
            let pool = self.add_pool(
                format!("{name}: switched"),
                swap.existing.len(),
                false,
                scope,
            );
            for green in &swap.existing {
                greens.push(SwitchedGreen {
                    machine: StandbyTarget::Machine(green.wait.member.id.clone()),
                    stays_cordoned: green.stays_cordoned,
                });
                steps.push(self.add_awaited(&green.wait, pool));
            }
        } else {
            for region in &decision.creates {
                let change = self.new_green(name, decision, (swap, region), gate(desired));
                add(self, change, false);
            }
        }
        Laid {
            group,
            swap,
            greens,
            steps,
        }
    }

    /// A create that is found again by every run that goes on with the swap.
    fn new_green(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        (swap, region): (&GroupSwap<'_>, &crate::core::fleet::Region),
        gate: GateKind,
    ) -> Change {
        let (new, exists) = self.allocator.allocate_green(&swap.tag, name, region);
        let mut change = create_of(name, decision, region, (new, Vec::new()), gate);
        if let Action::Create { green, .. } = &mut change.action {
            *green = Some(Box::new(Green {
                tag: swap.tag.clone(),
                must_run: false,
                exists,
            }));
        }
        change
    }

    /// New standbys in the place of all others, watching the greens.
    fn add_green_standbys(&mut self, found: &Laid<'_, '_>, after: Option<StepId>) -> Vec<StepId> {
        let ((name, _, decision), swap) = (found.group, found.swap);
        let regions: Vec<_> = swap.standbys.iter().chain(&decision.standbys).collect();
        if regions.is_empty() || swap.is_finishing() {
            return Vec::new();
        }
        let watched = Primaries {
            new: found.steps.clone(),
            ..Primaries::default()
        };
        let pool = self.add_pool(
            format!("{name}: standbys"),
            regions.len(),
            false,
            FailureScope::All,
        );
        let needs: Vec<StepId> = after.into_iter().collect();
        let mut ids = Vec::new();
        for region in regions {
            let mut change = self.new_green(name, decision, (swap, region), GateKind::Settled);
            if let Action::Create { standby_for, .. } = &mut change.action {
                *standby_for = watched.standby_targets();
            }
            "standby".clone_into(&mut change.reason);
            ids.push(self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change))));
        }
        ids
    }

    fn add_switch(&mut self, found: &Laid<'_, '_>, pool: PoolId, after: Option<StepId>) -> StepId {
        let (name, desired, decision) = found.group;
        let regions = decision.members.iter().map(|member| member.region);
        let region = regions
            .chain(&decision.creates)
            .next()
            .expect("a swapped group has a Machine");
        let blues = found.swap.blues.iter().map(|blue| blue.member.id.clone());
        let change = Change {
            action: Action::Switch {
                tag: found.swap.tag.clone(),
                greens: found.greens.clone(),
                blues: blues.collect(),
            },
            group: name.clone(),
            region: region.clone(),
            machine: MachineRef {
                id: None,
                name: MachineName::new(format!("{}-switch", name.slug()))
                    .expect("a slug is a valid name"),
            },
            reason: "every new Machine has passed".to_owned(),
            changes: Vec::new(),
            precondition: None,
            gate: GateKind::None,
            wake: None,
            branches: Vec::new(),
            state: None,
            reverts: None,
            standby: false,
        };
        debug_assert!(desired.trial == Some(Trial::Bluegreen) || found.swap.is_finishing());
        self.push_step(
            Some(pool),
            after.into_iter().collect(),
            Work::Change(Box::new(change)),
        )
    }

    fn add_blues(
        &mut self,
        name: &GroupName,
        blues: &[RemovedMachine<'_>],
        after: Option<StepId>,
    ) -> Option<StepId> {
        if blues.is_empty() {
            return after;
        }
        let pool = self.add_pool(
            format!("{name}: old Machines"),
            blues.len(),
            false,
            FailureScope::Nothing,
        );
        let needs: Vec<StepId> = after.into_iter().collect();
        let gone: Vec<StepId> = blues
            .iter()
            .map(|blue| {
                let action = Action::Destroy {
                    removal: blue.removal,
                    left_volumes: Vec::new(),
                };
                let member: &Member<'_> = &blue.member;
                let mut change =
                    change_of_member(member, action, blue.reason.clone(), GateKind::Gone);
                change.group = name.clone();
                change.precondition = Some(blue.precondition.clone());
                self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change)))
            })
            .collect();
        self.add_barrier(format!("{name}: all exchanged"), gone)
    }
}
