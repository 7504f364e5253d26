//! Machines that are updated first: their last change was never seen healthy (rule 29). One is updated alone, then
//! the others together, since they cost no capacity. No other Machine goes down before all of them have
//! passed.

use std::collections::BTreeMap;

use super::group_lists::{Group, GroupLists};
use super::standbys::Primaries;
use super::updates::StepSlot;
use super::{FailureScope, FirstSteps, StepBuilder, change_of_member};
use crate::core::fleet::{DesiredGroup, GroupName, OnFailure, Strategy};
use crate::core::plan::decision::{
    AwaitMethod, AwaitedMachine, ChangeRole, ChangedMachine, GroupDecision,
};
use crate::core::plan::gates::{WaveClass, gate};
use crate::core::plan::types::{Action, PoolId, StepId, WaveName, Work};
use crate::core::plan::unproven::failing_text;

/// Machines without changes that must be seen healthy, by group: their pool and their steps.
pub(super) type AwaitedFirst = BTreeMap<GroupName, (PoolId, Vec<StepId>)>;

impl StepBuilder<'_, '_, '_> {
    /// Adds the waits for Machines without changes. They take nothing down, so no list of groups holds them back.
    pub(super) fn add_awaited_first(&mut self, lists: &GroupLists<'_, '_>) -> AwaitedFirst {
        let mut awaited = AwaitedFirst::new();
        for (name, group, decision) in lists.lists.iter().flatten() {
            let total = decision.unproven.len() + failing(group, decision).count();
            if total == 0 {
                continue;
            }
            let pool = self.add_pool(
                format!("{name}: not yet confirmed"),
                total,
                true,
                FailureScope::All,
            );
            let unproven = decision.unproven.iter();
            let steps = unproven
                .map(|machine| self.add_awaited(machine, pool))
                .collect();
            awaited.insert((*name).clone(), (pool, steps));
        }
        awaited
    }

    /// Adds the first steps of the groups of a list. If a failure stops the release, those of one group block
    /// all groups: otherwise a release that never became healthy in one would continue in the others.
    pub(super) fn add_first_steps<'n>(
        &mut self,
        groups: &[Group<'n, '_>],
        awaited: &mut AwaitedFirst,
        on_failure: OnFailure,
        after: Option<StepId>,
    ) -> BTreeMap<&'n GroupName, FirstSteps> {
        let mut firsts: BTreeMap<&GroupName, FirstSteps> = BTreeMap::new();
        let mut of_list = Vec::new();
        for (name, group, decision) in groups {
            let mut first = FirstSteps::default();
            if let Some((pool, steps)) = awaited.get_mut(*name) {
                let changed =
                    self.add_failing((*name, *group, *decision), *pool, after, &mut first);
                steps.extend(changed);
                let reason = shared_reason(group, decision);
                self.record_wave(name, WaveName::ToStartAgain, steps, (gate(group), reason));
                first.passed = self.add_barrier(format!("{name}: all confirmed"), steps.clone());
            }
            of_list.extend(first.passed);
            firsts.insert(name, first);
        }
        let all = match on_failure {
            OnFailure::Stop | OnFailure::Rollback => {
                let in_list = |name: &GroupName| groups.iter().any(|(listed, ..)| *listed == name);
                let elsewhere = awaited.iter().filter(|(name, _)| !in_list(name));
                of_list.extend(elsewhere.flat_map(|(_, (_, steps))| steps.iter().copied()));
                self.add_barrier("every group: all confirmed".to_owned(), of_list)
            }
            OnFailure::Group => None,
        };
        for (name, _, decision) in groups {
            let mut passed: Vec<StepId> = self.add_unhealthy(name, decision);
            let first = firsts.entry(name).or_default();
            passed.extend(all.or(first.passed));
            first.passed = self.add_barrier(format!("{name}: no failures"), passed);
        }
        firsts
    }

    /// Adds the changes of Machines whose last change was never seen healthy.
    fn add_failing(
        &mut self,
        (name, group, decision): Group<'_, '_>,
        pool: PoolId,
        after: Option<StepId>,
        first: &mut FirstSteps,
    ) -> Vec<StepId> {
        if self.host_may_be_full {
            self.index_watchers(decision);
        }
        let gate = gate(group);
        let slot = StepSlot { pool, after, gate };
        // Standby targets are set once everything else is laid out.
        let ids = failing(group, decision).map(|changed| changed.member.id.clone());
        let mut primaries = Primaries {
            stay: ids.collect(),
            new: Vec::new(),
        };
        let mut steps = Vec::new();
        for changed in failing(group, decision) {
            let created = primaries.new.len();
            steps.push(self.add_update(name, decision, changed, &mut primaries, slot));
            let new: Option<&StepId> = primaries.new.get(created);
            let replaced = new.map(|new| (changed.member.id.clone(), *new));
            first.replaced.extend(replaced);
        }
        steps
    }

    /// Machines that fail their checks are awaited in parallel.
    fn add_unhealthy(&mut self, name: &GroupName, decision: &GroupDecision<'_>) -> Vec<StepId> {
        let total = decision.unhealthy.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.add_pool(
            format!("{name}: failing checks"),
            total,
            false,
            FailureScope::Release,
        );
        let unhealthy = decision.unhealthy.iter();
        unhealthy
            .map(|awaited| self.add_awaited(awaited, pool))
            .collect()
    }

    pub(super) fn add_awaited(&mut self, awaited: &AwaitedMachine<'_>, pool: PoolId) -> StepId {
        let action = match awaited.method {
            AwaitMethod::Wait => Action::Wait,
            AwaitMethod::Start => Action::Start,
        };
        let mut step = change_of_member(
            &awaited.member,
            action,
            awaited.reason.clone(),
            awaited.gate,
        );
        step.precondition = Some(awaited.precondition.clone());
        self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(step)))
    }
}

/// The changes of Machines whose last change was never seen healthy, and that do not serve.
fn failing<'d, 'a>(
    group: &'d DesiredGroup,
    decision: &'d GroupDecision<'a>,
) -> impl Iterator<Item = &'d ChangedMachine<'a>> {
    decision.changed.iter().filter(|changed| {
        changed.role == ChangeRole::Primary
            && group.strategy != Strategy::Immediate
            && WaveClass::of(group, &changed.member) == WaveClass::Failing
    })
}

/// Why its Machines are started again or awaited, if all have the same reason.
fn shared_reason(group: &DesiredGroup, decision: &GroupDecision<'_>) -> Option<String> {
    let awaited = decision
        .unproven
        .iter()
        .map(|awaited| awaited.reason.clone());
    let changed = failing(group, decision).map(|changed| failing_text(group, &changed.member));
    let mut reasons = awaited.chain(changed);
    let first = reasons.next()?;
    reasons.all(|reason| reason == first).then_some(first)
}
