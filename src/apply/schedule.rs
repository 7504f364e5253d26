//! Which step may run when: the graph of the plan, its pools and barriers, and what becomes of steps
//! whose needs did not end in Done. Knows no provider and no time.

use std::collections::BTreeSet;

use crate::core::plan::{Outcome, Plan, StepId, Work};

/// The state of every step of one run.
pub(super) struct Schedule<'a> {
    plan: &'a Plan,
    dependents: Vec<Vec<StepId>>,
    /// Needs that have not ended yet, by step.
    open_needs: Vec<usize>,
    outcomes: Vec<Option<Outcome>>,
    pools: Vec<PoolState>,
    running: usize,
    halted: bool,
}

#[derive(Default)]
struct PoolState {
    ready: BTreeSet<StepId>,
    running: usize,
    any_done: bool,
    members: Vec<StepId>,
}

/// Steps that ended without having been started, in the order in which that was settled.
pub(super) type Unstarted = Vec<(StepId, Outcome)>;

fn at(step: StepId) -> usize {
    step.0 as usize
}

impl<'a> Schedule<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let count = plan.steps.len();
        // Steps without a pool share one more, which has no size of its own.
        let mut schedule = Self {
            plan,
            dependents: vec![Vec::new(); count],
            open_needs: plan.steps.iter().map(|step| step.needs.len()).collect(),
            outcomes: vec![None; count],
            pools: (0..=plan.pools.len())
                .map(|_| PoolState::default())
                .collect(),
            running: 0,
            halted: false,
        };
        for step in &plan.steps {
            for need in &step.needs {
                schedule.dependents[at(*need)].push(step.id);
            }
            if matches!(step.work, Work::Change(_)) {
                let pool = schedule.pool_of(step.id);
                schedule.pools[pool].members.push(step.id);
            }
        }
        let free = plan.steps.iter().filter(|step| step.needs.is_empty());
        let free: Vec<StepId> = free.map(|step| step.id).collect();
        schedule.release(free);
        schedule
    }

    /// The next step that may start, lowest id first; it counts as running from now on.
    pub(super) fn start(&mut self, parallelism: usize) -> Option<StepId> {
        if self.halted || self.running >= parallelism.max(1) {
            return None;
        }
        let with_room = (0..self.pools.len()).filter(|pool| self.has_room(*pool));
        let (step, pool) = with_room
            .filter_map(|pool| Some((*self.pools[pool].ready.first()?, pool)))
            .min()?;
        self.pools[pool].ready.remove(&step);
        self.pools[pool].running += 1;
        self.running += 1;
        Some(step)
    }

    /// Takes the end of a running step; gives the steps that will not be started because of it.
    pub(super) fn finish(&mut self, step: StepId, outcome: Outcome) -> Unstarted {
        let pool = self.pool_of(step);
        self.running -= 1;
        self.pools[pool].running -= 1;
        let done = outcome == Outcome::Done;
        self.pools[pool].any_done |= done;
        let mut unstarted = Vec::new();
        self.settle(step, outcome, &mut unstarted);
        let stops = self
            .plan
            .pools
            .get(pool)
            .is_some_and(|pool| pool.stops_on_failure);
        if !done && stops {
            self.stop_pool(pool, &mut unstarted);
        }
        unstarted
    }

    /// Starts nothing from now on.
    pub(super) fn halt(&mut self) {
        self.halted = true;
    }

    /// Settles every step that was never started; called when none runs any more.
    pub(super) fn close(&mut self) -> Unstarted {
        let mut unstarted = Vec::new();
        for step in &self.plan.steps {
            if self.outcomes[at(step.id)].is_none() {
                self.settle_unstarted(step.id, Outcome::NotStarted, &mut unstarted);
            }
        }
        unstarted
    }

    /// What came of a step; every one has ended once [`Schedule::close`] was called.
    pub(super) fn outcome(&self, step: StepId) -> Option<&Outcome> {
        self.outcomes[at(step)].as_ref()
    }

    fn has_room(&self, pool: usize) -> bool {
        let state = &self.pools[pool];
        let Some(rule) = self.plan.pools.get(pool) else {
            return true;
        };
        let size = if rule.first_alone && !state.any_done {
            1
        } else {
            rule.size.max(1)
        };
        state.running < size
    }

    fn pool_of(&self, step: StepId) -> usize {
        let none = self.plan.pools.len();
        let pool = self.plan.steps[at(step)].pool;
        pool.map_or(none, |pool| (pool.0 as usize).min(none))
    }

    /// The pool's steps that have not begun are not begun any more.
    fn stop_pool(&mut self, pool: usize, unstarted: &mut Unstarted) {
        for step in self.pools[pool].members.clone() {
            let waits = self.open_needs[at(step)] > 0 || self.pools[pool].ready.contains(&step);
            if waits && self.outcomes[at(step)].is_none() {
                self.settle_unstarted(step, Outcome::NotStarted, unstarted);
            }
        }
    }

    fn settle_unstarted(&mut self, step: StepId, outcome: Outcome, unstarted: &mut Unstarted) {
        let pool = self.pool_of(step);
        self.pools[pool].ready.remove(&step);
        unstarted.push((step, outcome.clone()));
        self.settle(step, outcome, unstarted);
    }

    /// Notes an end and carries it on to whoever needs the step: Done releases, anything else skips.
    fn settle(&mut self, step: StepId, outcome: Outcome, unstarted: &mut Unstarted) {
        let mut ended = vec![(step, outcome)];
        let mut released = Vec::new();
        while let Some((step, outcome)) = ended.pop() {
            let skipped = match &outcome {
                Outcome::Done => None,
                // The root is what a person wants to know, not the barrier in between.
                Outcome::Skipped { because } => Some(*because),
                Outcome::Failed { .. } | Outcome::Unknown { .. } | Outcome::NotStarted => {
                    Some(step)
                }
            };
            self.outcomes[at(step)] = Some(outcome);
            for index in 0..self.dependents[at(step)].len() {
                let dependent = self.dependents[at(step)][index];
                let open = &mut self.open_needs[at(dependent)];
                match skipped {
                    None => {
                        *open = open.saturating_sub(1);
                        if *open == 0 && self.outcomes[at(dependent)].is_none() {
                            released.push(dependent);
                        }
                    }
                    Some(because) if self.outcomes[at(dependent)].is_none() => {
                        let outcome = Outcome::Skipped { because };
                        self.outcomes[at(dependent)] = Some(outcome.clone());
                        unstarted.push((dependent, outcome.clone()));
                        ended.push((dependent, outcome));
                    }
                    Some(_) => {}
                }
            }
        }
        self.release(released);
    }

    /// Steps without open needs become ready; a barrier among them is done at once.
    fn release(&mut self, mut released: Vec<StepId>) {
        while let Some(step) = released.pop() {
            match self.plan.steps[at(step)].work {
                Work::Change(_) => {
                    let pool = self.pool_of(step);
                    self.pools[pool].ready.insert(step);
                }
                Work::Barrier { .. } => {
                    self.outcomes[at(step)] = Some(Outcome::Done);
                    for index in 0..self.dependents[at(step)].len() {
                        let dependent = self.dependents[at(step)][index];
                        let open = &mut self.open_needs[at(dependent)];
                        *open = open.saturating_sub(1);
                        if *open == 0 && self.outcomes[at(dependent)].is_none() {
                            released.push(dependent);
                        }
                    }
                }
            }
        }
    }
}
