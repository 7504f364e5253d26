//! How many serving Machines of a group may be down at once: as one, and in each region.
//!
//! Every change that takes a serving Machine of a rolling group down is in one pool of the group in which the
//! Machine serves now, also a move to another group. Decides no order.

use std::collections::BTreeMap;

use super::{FailureScope, StepBuilder};
use crate::core::fleet::{
    DesiredGroup, GroupName, HostStatus, Limit, MachineState, Region, Strategy,
};
use crate::core::plan::decision::{ChangeRole, ChangedMachine, GroupDecision};
use crate::core::plan::gates::{WaveClass, fails_checks};
use crate::core::plan::members::Member;
use crate::core::plan::types::PoolId;

/// The serving Machines of one group before the plan.
#[derive(Debug, Default)]
pub(super) struct ServingGroup {
    /// How many serve, by region.
    pub(super) regions: BTreeMap<Region, usize>,
    /// How many of its Machines change in its pool, by region.
    changed: BTreeMap<Region, usize>,
    /// How many of these serve: a cordoned one does not.
    changed_serving: usize,
    /// The pool, once a step needs it.
    pool: Option<PoolId>,
}

impl ServingGroup {
    /// The limit of each region: one always keeps serving where two or more do.
    fn limits(&self, max_unavailable: Limit) -> BTreeMap<Region, usize> {
        let limit = |region: &Region| {
            let serving = self.regions.get(region).copied().unwrap_or(0);
            region_limit(max_unavailable, serving)
        };
        let changed = self.changed.keys();
        changed
            .map(|region| (region.clone(), limit(region)))
            .collect()
    }
}

/// How many of `serving` Machines in one region may be down at once.
fn region_limit(max_unavailable: Limit, serving: usize) -> usize {
    let allowed = max_unavailable.to_count_ceil(serving).max(1);
    allowed.min(serving.saturating_sub(1)).max(1)
}

/// Whether a Machine serves: it runs on a host that answers, passes its checks and is not cordoned. Offline each
/// may.
pub(in crate::core::plan) fn is_serving(member: &Member<'_>) -> bool {
    if member.is_standby() {
        return false;
    }
    member.observed.is_none_or(|seen| {
        seen.state == MachineState::Started
            && seen.host == HostStatus::Ok
            && !seen.cordoned
            && !fails_checks(seen)
    })
}

/// The group in which a Machine serves now, after renames.
pub(in crate::core::plan) fn serves_in<'m>(member: &'m Member<'_>) -> &'m GroupName {
    member.leaves_group.as_ref().unwrap_or(&member.group)
}

/// Reads what serves in each group, and what of it changes.
pub(super) fn count_serving(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> BTreeMap<GroupName, ServingGroup> {
    let mut groups: BTreeMap<GroupName, ServingGroup> = BTreeMap::new();
    for member in decisions.values().flat_map(|decision| &decision.members) {
        if is_serving(member) {
            let group = groups.entry(serves_in(member).clone()).or_default();
            *group.regions.entry(member.region.clone()).or_default() += 1;
        }
    }
    for decision in decisions.values() {
        let Some(desired) = decision.desired else {
            continue;
        };
        for changed in decision.changed.iter().filter(|c| may_serve(desired, c)) {
            let member = &changed.member;
            let name = pool_group(decisions, member);
            let group = groups.entry(name.clone()).or_default();
            *group.changed.entry(member.region.clone()).or_default() += 1;
            group.changed_serving += usize::from(is_serving(member));
        }
    }
    groups
}

/// Whether a change may take a serving Machine down.
pub(super) fn may_serve(group: &DesiredGroup, changed: &ChangedMachine<'_>) -> bool {
    changed.role == ChangeRole::Primary
        && match WaveClass::of(group, &changed.member) {
            WaveClass::Unproven | WaveClass::Serving => true,
            WaveClass::Failing | WaveClass::Down | WaveClass::Resting => false,
        }
}

/// The group whose pool limits the change of a serving Machine: the one that it leaves, if that is updated
/// rolling, else its own.
fn pool_group<'m>(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    member: &'m Member<'_>,
) -> &'m GroupName {
    let leaves = member.leaves_group.as_ref();
    let rolling = |name: &&GroupName| decisions.get(*name).is_some_and(is_rolling);
    leaves.filter(rolling).unwrap_or(&member.group)
}

fn is_rolling(decision: &GroupDecision<'_>) -> bool {
    let strategy = decision.desired.map(|group| group.strategy);
    matches!(strategy, Some(Strategy::Rolling { .. }))
}

impl StepBuilder<'_, '_, '_> {
    /// The pool of a change of a serving Machine of a rolling group; none if the strategy of its group is
    /// `immediate` and it leaves no other group.
    pub(super) fn serving_pool(
        &mut self,
        decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
        member: &Member<'_>,
    ) -> Option<PoolId> {
        let name = pool_group(decisions, member);
        let Some(Strategy::Rolling { max_unavailable }) =
            decisions.get(name)?.desired.map(|group| group.strategy)
        else {
            return None;
        };
        let group = self.serving.entry(name.clone()).or_default();
        if let Some(pool) = group.pool {
            return Some(pool);
        }
        let limits = group.limits(max_unavailable);
        let together = limits.iter().map(|(region, limit)| {
            let changed = group.changed.get(region).copied().unwrap_or(0);
            (*limit).min(changed)
        });
        let size = max_unavailable
            .to_count_ceil(group.changed_serving)
            .min(together.sum::<usize>());
        let pool = self.add_pool(
            format!("{name}: update running, rolling"),
            size,
            true,
            FailureScope::All,
        );
        self.order.pools[pool.0 as usize].per_region = limits;
        self.serving.get_mut(name)?.pool = Some(pool);
        Some(pool)
    }
}
