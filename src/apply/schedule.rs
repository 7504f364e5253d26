//! Decides which step may run: the plan's graph, pools and barriers, and the result of steps whose dependencies
//! failed. Knows no provider and no time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::{GroupName, Region};
use crate::core::plan::{Action, Frees, Outcome, Plan, Removal, StepId, Work};

/// The state of every step of a run.
pub(super) struct Schedule<'a> {
    plan: &'a Plan,
    dependents: Vec<Vec<StepId>>,
    /// Open dependencies by step.
    open_needs: Vec<usize>,
    outcomes: Vec<Option<Outcome>>,
    pools: Vec<PoolState<'a>>,
    running: usize,
    /// Running steps that hold no place any more: their Machines exist and pass their gates.
    only_gated: BTreeSet<StepId>,
    halted: bool,
    /// Changes whose Machines do not serve although they are done, by their first step.
    keeps_place: BTreeSet<StepId>,
    /// Groups whose config the plan changes.
    new_config: BTreeSet<&'a GroupName>,
}

#[derive(Default)]
struct PoolState<'a> {
    /// Ready steps that begin a change, by region.
    ready: BTreeMap<Option<&'a Region>, BTreeSet<StepId>>,
    /// Ready steps that complete a change: each keeps the place of the first half.
    second_halves: BTreeSet<StepId>,
    /// Changes that have begun and not ended, and of which region they are.
    begun: BTreeMap<StepId, Option<&'a Region>>,
    any_done: bool,
    members: Vec<StepId>,
}

impl<'a> PoolState<'a> {
    fn is_ready(&self, step: StepId, region: Option<&'a Region>) -> bool {
        let ready = self.ready.get(&region);
        ready.is_some_and(|ready| ready.contains(&step)) || self.second_halves.contains(&step)
    }

    fn remove_ready(&mut self, step: StepId, region: Option<&'a Region>) {
        if let Some(ready) = self.ready.get_mut(&region) {
            ready.remove(&step);
        }
        self.second_halves.remove(&step);
    }
}

/// Whether creates are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreatePolicy {
    Allow,
    /// They would only queue for the shared create limit.
    Defer,
}

/// Steps that ended without a start, in order.
pub(super) type Unstarted = Vec<(StepId, Outcome)>;

fn step_index(step: StepId) -> usize {
    step.0 as usize
}

impl<'a> Schedule<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let count = plan.steps.len();
        // Steps without a pool share one without a size.
        let mut schedule = Self {
            plan,
            dependents: vec![Vec::new(); count],
            open_needs: plan.steps.iter().map(|step| step.needs.len()).collect(),
            outcomes: vec![None; count],
            pools: (0..=plan.pools.len())
                .map(|_| PoolState::default())
                .collect(),
            running: 0,
            only_gated: BTreeSet::new(),
            halted: false,
            keeps_place: BTreeSet::new(),
            new_config: plan.groups_with_new_config(),
        };
        for step in &plan.steps {
            for need in &step.needs {
                schedule.dependents[step_index(*need)].push(step.id);
            }
            if matches!(step.work, Work::Change(_)) {
                let pool = schedule.pool_of(step.id);
                schedule.pools[pool].members.push(step.id);
            }
        }
        let free = plan.steps.iter().filter(|step| step.needs.is_empty());
        let free: Vec<StepId> = free.map(|step| step.id).collect();
        schedule.mark_ready(free);
        schedule
    }

    /// The next step that may start, of several pools the lowest id; it then counts as running. Creates can be held back so
    /// that they do not take the permits of other steps.
    pub(super) fn start(&mut self, parallelism: usize, creates: CreatePolicy) -> Option<StepId> {
        if self.halted || self.running >= parallelism.max(1) {
            return None;
        }
        let next = (0..self.pools.len()).filter_map(|pool| {
            let step = self.next_in_pool(pool)?;
            Some((step, pool))
        });
        let (step, pool) = next
            .filter(|(step, _)| creates == CreatePolicy::Allow || !self.is_create(*step))
            .min()?;
        let region = self.region_of(step);
        let state = &mut self.pools[pool];
        state.remove_ready(step, region);
        let change = self.plan.steps[step_index(step)].completes.unwrap_or(step);
        state.begun.entry(change).or_insert(region);
        self.running += 1;
        Some(step)
    }

    /// Records the result of a running step; returns the steps that will not start because of it.
    pub(super) fn finish(&mut self, step: StepId, outcome: Outcome) -> Unstarted {
        let pool = self.pool_of(step);
        if !self.only_gated.remove(&step) {
            self.running -= 1;
        }
        let done = outcome == Outcome::Done;
        let fails = matches!(outcome, Outcome::Failed { .. } | Outcome::Unknown { .. });
        // A change is done with its last half: a destroy-first change has not created yet.
        if !done || !self.has_second_half(step) {
            let change = self.plan.steps[step_index(step)].completes.unwrap_or(step);
            if !done || !self.keeps_place.contains(&change) {
                self.pools[pool].begun.remove(&change);
            }
            self.pools[pool].any_done |= done;
        }
        let mut unstarted = Vec::new();
        let rule = self.plan.pools.get(pool);
        // Before the result spreads: its pool stopped, whatever waited for this step.
        if !done && rule.is_some_and(|pool| pool.stops_on_failure) {
            self.stop_pool(pool, &mut unstarted);
        }
        self.settle(step, outcome, &mut unstarted);
        let stops_release = rule.is_some_and(|pool| pool.stops_release);
        if fails && stops_release && self.plan.on_failure.stops_release() {
            self.stop_release(&mut unstarted);
        }
        unstarted
    }

    /// A create whose Machine exists: in a pool that frees its places then, the next one may begin. It counts as no
    /// step that runs, either, so that the greens of a swap pass their gates side by side.
    pub(super) fn created(&mut self, step: StepId) {
        let pool = self.pool_of(step);
        let frees = self.plan.pools.get(pool);
        if frees.is_some_and(|pool| pool.frees == Frees::WhenCreated)
            && self.pools[pool].begun.remove(&step).is_some()
        {
            self.running -= 1;
            self.only_gated.insert(step);
        }
    }

    /// A change that ends well, but whose Machine does not serve: nothing else takes its place in the pool.
    pub(super) fn keep_place(&mut self, step: StepId) {
        let change = self.plan.steps[step_index(step)].completes;
        self.keeps_place.insert(change.unwrap_or(step));
    }

    /// Stops starting steps.
    pub(super) fn halt(&mut self) {
        self.halted = true;
    }

    /// Closes every step that was never started, when none is running.
    pub(super) fn close(&mut self) -> Unstarted {
        let mut unstarted = Vec::new();
        for step in &self.plan.steps {
            if self.outcomes[step_index(step.id)].is_none() {
                self.settle_unstarted(step.id, Outcome::NotStarted, &mut unstarted);
            }
        }
        unstarted
    }

    /// The result of a step; every step has one after [`Schedule::close`].
    pub(super) fn outcome(&self, step: StepId) -> Option<&Outcome> {
        self.outcomes[step_index(step)].as_ref()
    }

    fn is_create(&self, step: StepId) -> bool {
        let work = &self.plan.steps[step_index(step)].work;
        matches!(work, Work::Change(change) if matches!(change.action, Action::Create { .. }))
    }

    /// The step of a pool to start next: what completes a change, then the ready step with the lowest id of the
    /// region with room that has most of them left, so that no region remains as a tail.
    fn next_in_pool(&self, pool: usize) -> Option<StepId> {
        let state = &self.pools[pool];
        if let Some(second_half) = state.second_halves.first() {
            return Some(*second_half);
        }
        let rule = self.plan.pools.get(pool);
        let is_first = rule.is_some_and(|rule| rule.first_alone && !state.any_done);
        let size = match rule {
            None => usize::MAX,
            Some(_) if is_first => 1,
            Some(rule) => rule.size.max(1),
        };
        if state.begun.len() >= size {
            return None;
        }
        let has_room = |region: Option<&Region>| {
            let limit = rule.and_then(|rule| rule.per_region.get(region?));
            let begun = state.begun.values().filter(|begun| **begun == region);
            limit.is_none_or(|limit| begun.count() < *limit)
        };
        let with_room = state.ready.iter().filter(|(region, _)| has_room(**region));
        let nexts = with_room.filter_map(|(_, ready)| Some((ready.len(), *ready.first()?)));
        // The plan says which one goes first; without limits of regions there is no tail.
        let by_region = rule.is_some_and(|rule| !rule.per_region.is_empty()) && !is_first;
        let next = nexts.min_by_key(|(left, step)| (by_region.then_some(Reverse(*left)), *step));
        Some(next?.1)
    }

    fn region_of(&self, step: StepId) -> Option<&'a Region> {
        match &self.plan.steps[step_index(step)].work {
            Work::Change(change) => Some(&change.region),
            Work::Barrier { .. } => None,
        }
    }

    fn pool_of(&self, step: StepId) -> usize {
        let none = self.plan.pools.len();
        let pool = self.plan.steps[step_index(step)].pool;
        pool.map_or(none, |pool| (pool.0 as usize).min(none))
    }

    /// Whether another step completes the change that this one begins.
    fn has_second_half(&self, step: StepId) -> bool {
        let mut dependents = self.dependents[step_index(step)].iter();
        dependents.any(|next| self.plan.steps[step_index(*next)].completes == Some(step))
    }

    fn is_wait(&self, step: StepId, pool: usize) -> bool {
        let unready = self.open_needs[step_index(step)] > 0
            || self.pools[pool].is_ready(step, self.region_of(step));
        unready && self.outcomes[step_index(step)].is_none()
    }

    /// Cancels the pool's changes that have not started.
    fn stop_pool(&mut self, pool: usize, unstarted: &mut Unstarted) {
        for step in self.pools[pool].members.clone() {
            if self.is_wait(step, pool) && !self.is_half_done(step, pool) {
                self.settle_unstarted(step, Outcome::NotStarted, unstarted);
            }
        }
    }

    /// Cancels the rest of the release in all groups: changes, removals, and new Machines with the new config
    /// (rule 29).
    fn stop_release(&mut self, unstarted: &mut Unstarted) {
        for pool in 0..self.pools.len() {
            for step in self.pools[pool].members.clone() {
                let is_over = !self.is_half_done(step, pool) && !self.runs_after_failure(step);
                if self.is_wait(step, pool) && is_over {
                    self.settle_unstarted(step, Outcome::NotStarted, unstarted);
                }
            }
        }
    }

    /// Whether a step is not part of a failed release.
    fn runs_after_failure(&self, step: StepId) -> bool {
        let Work::Change(change) = &self.plan.steps[step_index(step)].work else {
            return true;
        };
        match &change.action {
            Action::Create { green: Some(_), .. }
            | Action::Create {
                replaces: Some(_), ..
            }
            | Action::Update { .. }
            | Action::Move { .. }
            | Action::Canary { .. } => false,
            Action::Create { .. } => !self.new_config.contains(&change.group),
            // The steps of a destroy have no release, and neither has what an earlier run has left.
            Action::Destroy { removal, .. } => matches!(
                removal,
                Removal::AppDestroyed | Removal::Canary | Removal::Swapped | Removal::SwapUndone
            ),
            // Once a swap is switched it goes to its end.
            Action::Switch { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. } => true,
        }
    }

    /// Whether the first half of this change has started: it is completed, since half a change leaves one
    /// Machine too many or too few.
    fn is_half_done(&self, step: StepId, pool: usize) -> bool {
        let first = self.plan.steps[step_index(step)].completes;
        first.is_some_and(|first| {
            let outcome = self.outcomes[step_index(first)].as_ref();
            outcome.is_none_or(|outcome| *outcome == Outcome::Done) && !self.is_wait(first, pool)
        })
    }

    fn settle_unstarted(&mut self, step: StepId, outcome: Outcome, unstarted: &mut Unstarted) {
        let pool = self.pool_of(step);
        let region = self.region_of(step);
        self.pools[pool].remove_ready(step, region);
        unstarted.push((step, outcome.clone()));
        self.settle(step, outcome, unstarted);
    }

    /// Records a result and propagates it: Done releases dependent steps, anything else skips them.
    fn settle(&mut self, step: StepId, outcome: Outcome, unstarted: &mut Unstarted) {
        let mut ended = vec![(step, outcome)];
        let mut released = Vec::new();
        while let Some((step, outcome)) = ended.pop() {
            let skipped = match &outcome {
                Outcome::Done => None,
                // Reports the root cause, not the barrier in between.
                Outcome::Skipped { because } => Some(*because),
                Outcome::Failed { .. } | Outcome::Unknown { .. } | Outcome::NotStarted => {
                    Some(step)
                }
            };
            self.outcomes[step_index(step)] = Some(outcome);
            for index in 0..self.dependents[step_index(step)].len() {
                let dependent = self.dependents[step_index(step)][index];
                let open = &mut self.open_needs[step_index(dependent)];
                match skipped {
                    None => {
                        *open = open.saturating_sub(1);
                        if *open == 0 && self.outcomes[step_index(dependent)].is_none() {
                            released.push(dependent);
                        }
                    }
                    Some(because) if self.outcomes[step_index(dependent)].is_none() => {
                        let outcome = Outcome::Skipped { because };
                        self.outcomes[step_index(dependent)] = Some(outcome.clone());
                        unstarted.push((dependent, outcome.clone()));
                        ended.push((dependent, outcome));
                    }
                    Some(_) => {}
                }
            }
        }
        self.mark_ready(released);
    }

    /// Steps without open dependencies become ready; a barrier completes immediately.
    fn mark_ready(&mut self, mut released: Vec<StepId>) {
        while let Some(step) = released.pop() {
            match self.plan.steps[step_index(step)].work {
                Work::Change(_) => {
                    let pool = self.pool_of(step);
                    let region = self.region_of(step);
                    let first = self.plan.steps[step_index(step)].completes;
                    let state = &mut self.pools[pool];
                    if first.is_some_and(|first| state.begun.contains_key(&first)) {
                        state.second_halves.insert(step);
                    } else {
                        state.ready.entry(region).or_default().insert(step);
                    }
                }
                Work::Barrier { .. } => {
                    self.outcomes[step_index(step)] = Some(Outcome::Done);
                    for index in 0..self.dependents[step_index(step)].len() {
                        let dependent = self.dependents[step_index(step)][index];
                        let open = &mut self.open_needs[step_index(dependent)];
                        *open = open.saturating_sub(1);
                        if *open == 0 && self.outcomes[step_index(dependent)].is_none() {
                            released.push(dependent);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
