//! How long both sets of a swap exist side by side, and what that costs.
//!
//! Reads the steps of a plan; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change::Verb;
use super::cost;
use super::decision::GroupDecision;
use super::members::Member;
use super::reconcile::to_count;
use super::summary::changes;
use super::types::{Action, Change, GroupChange, Removal, Step};
use crate::core::fleet::{Capabilities, Desired, GroupName, MachineState};
use crate::core::platform::prices::{MonthlyPrice, machine_price};

/// Both sets of the swap of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapOverlap {
    /// The new Machines that the plan creates.
    pub greens: u32,
    /// The new Machines of an earlier run.
    #[serde(default)]
    pub existing: u32,
    /// How many of those that the plan creates stay stopped, as the Machines in whose place they come.
    #[serde(default)]
    pub resting: u32,
    /// The Machines that go.
    pub blues: u32,
    /// The minimum time in which both sets run, milliseconds; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_ms: Option<u64>,
    /// What the second set costs in this time, in cents, rounded up; none without prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cents: Option<i64>,
}

/// What the overlaps depend on besides the steps.
pub(super) struct OverlapFacts<'p, 'a> {
    pub(super) desired: &'p Desired,
    pub(super) decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    pub(super) capabilities: Option<&'p Capabilities>,
}

impl OverlapFacts<'_, '_> {
    /// Adds the overlap to each group that is swapped, and with it how and how long.
    pub(super) fn add_to(&self, groups: &mut [GroupChange], steps: &[Step]) {
        let swapped = changes(steps).filter(|(_, change)| match change.action.verb() {
            (Verb::Swap | Verb::Switch, _) => true,
            (_, _) => false,
        });
        let swapped: BTreeSet<&GroupName> = swapped.map(|(_, change)| &change.group).collect();
        for group in groups {
            let Some(decision) = self.decisions.get(&group.name) else {
                continue;
            };
            if !swapped.contains(&group.name) {
                continue;
            }
            let facts = GroupFacts {
                facts: self,
                decision,
                steady_ms: group.steady_ms,
            };
            let overlap = SwapOverlap::of(&group.name, &facts, steps);
            group.strategy = overlap.strategy();
            group.at_least_ms = overlap.at_least_ms;
            group.overlap = Some(overlap);
        }
    }
}

/// The same for one group.
struct GroupFacts<'p, 'a> {
    facts: &'p OverlapFacts<'p, 'a>,
    decision: &'p GroupDecision<'a>,
    steady_ms: Option<u64>,
}

impl SwapOverlap {
    fn of(name: &GroupName, facts: &GroupFacts<'_, '_>, steps: &[Step]) -> Self {
        let mut overlap = Self::default();
        let mut created = Vec::new();
        for (_, change) in changes(steps).filter(|(_, change)| change.group == *name) {
            match &change.action {
                Action::Create { green: Some(_), .. } => created.push(change),
                Action::Destroy {
                    removal: Removal::Swapped,
                    ..
                } => overlap.blues += 1,
                Action::Switch { .. } => {
                    overlap.existing = to_count(change.existing_greens().count());
                }
                Action::Create { .. }
                | Action::Update { .. }
                | Action::Move { .. }
                | Action::Destroy { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Canary { .. } => {}
            }
        }
        overlap.greens = to_count(created.len());
        let rests = |change: &&&Change| facts.rests(change);
        overlap.resting = to_count(created.iter().filter(rests).count());
        overlap.at_least_ms = facts.at_least_ms(&overlap);
        overlap.cents = overlap
            .at_least_ms
            .and_then(|ms| facts.cents(&created, ms))
            .filter(|cents| *cents > 0);
        overlap
    }

    /// The Machines that exist at the same time.
    pub fn machines(&self) -> u32 {
        self.greens + self.existing + self.blues
    }

    /// How the group is updated, for people.
    fn strategy(&self) -> String {
        let (greens, blues) = (self.greens + self.existing, self.blues);
        if self.greens == 0 {
            return format!(
                "bluegreen: {greens} new ones exist, one switch, then {blues} to destroy"
            );
        }
        format!("bluegreen: {greens} beside {blues}, one switch, then {blues} to destroy")
    }
}

impl GroupFacts<'_, '_> {
    /// The Machine in whose place a green comes rests, and so does the green.
    fn rests(&self, green: &Change) -> bool {
        let Action::Create {
            standby_for,
            green: Some(terms),
            ..
        } = &green.action
        else {
            return false;
        };
        let blue = green.replaces();
        let mut members = self.decision.members.iter();
        let blue = members.find(|member| Some(member.id) == blue);
        let state = blue.and_then(Member::state);
        !standby_for.is_empty() || !terms.must_run && state.is_some_and(MachineState::is_inactive)
    }

    /// The windows of the greens, and the two waits of the switch.
    fn at_least_ms(&self, overlap: &SwapOverlap) -> Option<u64> {
        let waits = self.facts.capabilities?.swap_wait_ms.checked_mul(2)?;
        let window = match overlap.greens {
            0 => 0,
            _ => self.steady_ms.unwrap_or(0),
        };
        window.checked_add(waits).filter(|ms| *ms > 0)
    }

    /// Stopped Machines and standbys cost nothing here.
    fn cents(&self, created: &[&Change], ms: u64) -> Option<i64> {
        if !self.facts.desired.profile().has_prices {
            return None;
        }
        let group = self.decision.desired?;
        let mut sum = MonthlyPrice::default();
        for green in created.iter().filter(|green| !self.rests(green)) {
            let mut members = self.decision.members.iter();
            let blue = members.find(|member| Some(member.id) == green.replaces());
            let given = match blue {
                Some(blue) => cost::current_size(blue),
                None => self.decision.inherits.guest.clone(),
            };
            let size = cost::size_of(group, given.as_ref())?;
            sum.0 += machine_price(&size, &green.region)?.0;
        }
        Some(sum.cents_of(ms))
    }
}
