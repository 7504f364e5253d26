//! Machines that are updated first: their last change was never seen healthy (rule 29). One is updated alone, then
//! the others together, since they cost no capacity. No other Machine goes down before all of them have
//! passed.

use std::collections::BTreeMap;

use super::updates::StepSlot;
use super::{FailureScope, FirstSteps, Primaries, StepBuilder, change_of_member};
use crate::core::fleet::{DesiredGroup, GroupName, OnFailure, Strategy};
use crate::core::plan::decision::{
    AwaitMethod, AwaitedMachine, ChangeRole, ChangedMachine, GroupDecision,
};
use crate::core::plan::gates::{Wave, gate};
use crate::core::plan::types::{Action, PoolId, StepId, Work};

impl StepBuilder<'_, '_, '_> {
    /// Adds the first steps of every desired group. If a failure stops the release, those of one group block
    /// all groups: otherwise a release that never became healthy in one would continue in the others.
    pub(super) fn add_first_steps<'n>(
        &mut self,
        groups: &[(&'n GroupName, &DesiredGroup, &GroupDecision<'_>)],
        on_failure: OnFailure,
    ) -> BTreeMap<&'n GroupName, FirstSteps> {
        let mut firsts: BTreeMap<&GroupName, FirstSteps> = BTreeMap::new();
        let mut of_all = Vec::new();
        for (name, group, decision) in groups {
            let mut first = FirstSteps::default();
            let unproven = self.add_unproven(name, group, decision, &mut first);
            first.passed = self.add_barrier(format!("{name}: all confirmed"), unproven);
            of_all.extend(first.passed);
            firsts.insert(name, first);
        }
        let all = match on_failure {
            OnFailure::Stop | OnFailure::Rollback => {
                self.add_barrier("every group: all confirmed".to_owned(), of_all)
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

    fn add_unproven(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &GroupDecision<'_>,
        first: &mut FirstSteps,
    ) -> Vec<StepId> {
        let is_first = |changed: &&ChangedMachine<'_>| {
            changed.role == ChangeRole::Primary
                && group.strategy != Strategy::Immediate
                && Wave::of(group, &changed.member) == Wave::Failing
        };
        let changed: Vec<_> = decision.changed.iter().filter(is_first).collect();
        let total = decision.unproven.len() + changed.len();
        if total == 0 {
            return Vec::new();
        }
        if self.host_may_be_full {
            self.index_watchers(decision);
        }
        let pool = self.add_pool(
            format!("{name}: not yet confirmed"),
            total,
            true,
            FailureScope::All,
        );
        let mut steps = Vec::new();
        for awaited in &decision.unproven {
            steps.push(self.add_awaited(awaited, pool));
        }
        let slot = StepSlot {
            pool,
            after: None,
            gate: gate(group),
        };
        // Standby targets are set once everything else is laid out.
        let ids = changed.iter().map(|changed| changed.member.id.clone());
        let mut primaries = Primaries {
            stay: ids.collect(),
            new: Vec::new(),
        };
        for changed in changed {
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

    fn add_awaited(&mut self, awaited: &AwaitedMachine<'_>, pool: PoolId) -> StepId {
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
