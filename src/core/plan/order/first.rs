//! Who goes first: Machines whose last change nobody has seen work (rule 29). One alone, then the others of
//! them together, since they cost no capacity; nobody else goes down before all of them have passed.

use std::collections::BTreeMap;

use super::changes::Slot;
use super::{Build, First, Primaries, Stops, of_member};
use crate::core::fleet::{DesiredGroup, GroupName, OnFailure, Strategy};
use crate::core::plan::decision::{Awaited, Changed, Decision, Proof, Role};
use crate::core::plan::gates::{Wave, gate};
use crate::core::plan::types::{Action, PoolId, StepId, Work};

impl Build<'_, '_, '_> {
    /// Lays them out for every group that is wanted. Where a failure stops the release, those of one group hold
    /// up all groups: else a release that never came up in one would go on in the others.
    pub(super) fn first<'n>(
        &mut self,
        wanted: &[(&'n GroupName, &DesiredGroup, &Decision<'_>)],
        on_failure: OnFailure,
    ) -> BTreeMap<&'n GroupName, First> {
        let mut firsts: BTreeMap<&GroupName, First> = BTreeMap::new();
        let mut of_all = Vec::new();
        for (name, group, decision) in wanted {
            let mut first = First::default();
            let unproven = self.unproven(name, group, decision, &mut first);
            first.passed = self.barrier(format!("{name}: all seen to work"), unproven);
            of_all.extend(first.passed);
            firsts.insert(name, first);
        }
        let all = match on_failure {
            OnFailure::Stop => self.barrier("every group: all seen to work".to_owned(), of_all),
            OnFailure::Group => None,
        };
        for (name, _, decision) in wanted {
            let mut passed: Vec<StepId> = self.sick(name, decision);
            let first = firsts.entry(name).or_default();
            passed.extend(all.or(first.passed));
            first.passed = self.barrier(format!("{name}: none fails"), passed);
        }
        firsts
    }

    fn unproven(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &Decision<'_>,
        first: &mut First,
    ) -> Vec<StepId> {
        let is_first = |changed: &&Changed<'_>| {
            changed.role == Role::Primary
                && group.strategy != Strategy::Immediate
                && Wave::of(group, &changed.member) == Wave::Failing
        };
        let changed: Vec<_> = decision.changed.iter().filter(is_first).collect();
        let total = decision.unproven.len() + changed.len();
        if total == 0 {
            return Vec::new();
        }
        if self.may_lack_room {
            self.watch(decision);
        }
        let pool = self.pool(
            format!("{name}: never seen to work"),
            total,
            true,
            Stops::All,
        );
        let mut steps = Vec::new();
        for awaited in &decision.unproven {
            steps.push(self.awaited(awaited, pool));
        }
        let slot = Slot {
            pool,
            after: None,
            gate: gate(group),
        };
        // Whom the standbys watch is told once everything else is laid out.
        let ids = changed.iter().map(|changed| changed.member.id.clone());
        let mut primaries = Primaries {
            stay: ids.collect(),
            new: Vec::new(),
        };
        for changed in changed {
            let made = primaries.new.len();
            steps.push(self.update(name, decision, changed, &mut primaries, slot));
            let new: Option<&StepId> = primaries.new.get(made);
            let replaced = new.map(|new| (changed.member.id.clone(), *new));
            first.replaced.extend(replaced);
        }
        steps
    }

    /// Those that fail their checks are waited for side by side.
    fn sick(&mut self, name: &GroupName, decision: &Decision<'_>) -> Vec<StepId> {
        let total = decision.sick.len();
        if total == 0 {
            return Vec::new();
        }
        let pool = self.pool(
            format!("{name}: failing checks"),
            total,
            false,
            Stops::Release,
        );
        let sick = decision.sick.iter();
        sick.map(|awaited| self.awaited(awaited, pool)).collect()
    }

    fn awaited(&mut self, awaited: &Awaited<'_>, pool: PoolId) -> StepId {
        let action = match awaited.proof {
            Proof::Wait => Action::Wait,
            Proof::Start => Action::Start,
        };
        let mut step = of_member(
            &awaited.member,
            action,
            awaited.reason.clone(),
            awaited.gate,
        );
        step.pin = Some(awaited.pin.clone());
        self.push(Some(pool), Vec::new(), Work::Change(Box::new(step)))
    }
}
