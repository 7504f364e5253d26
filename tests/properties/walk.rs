//! One of the orders in which the steps of a plan may run.

use std::collections::BTreeSet;

use aeroform::core::fleet::MachineState;
use aeroform::core::plan::{Action, Plan, StepId, Work};

/// What a moment of the walk does to the number of running Machines per group.
pub(crate) struct ServingChange {
    pub(crate) down: Vec<(aeroform::core::fleet::GroupName, i64)>,
}

/// Runs the steps in a random order that needs and pools allow: each step begins, and ends later.
pub(crate) fn walk(plan: &Plan, seed: u64) -> Vec<ServingChange> {
    let mut random = seed | 1;
    let mut next = move |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % n as u64).unwrap()
    };
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    let mut flying: Vec<StepId> = Vec::new();
    let mut moments = Vec::new();
    let mut pool_ended: BTreeSet<u32> = BTreeSet::new();
    while done.len() < plan.steps.len() {
        let ready: Vec<StepId> = plan
            .steps
            .iter()
            .filter(|s| !done.contains(&s.id) && !flying.contains(&s.id))
            .filter(|s| s.needs.iter().all(|need| done.contains(need)))
            .filter(|s| {
                let Some(pool) = s.pool else { return true };
                let size = &plan.pools[pool.0 as usize];
                let busy = flying
                    .iter()
                    .filter(|f| plan.steps[f.0 as usize].pool == Some(pool))
                    .count();
                busy < size.size && (busy == 0 || !size.first_alone || pool_ended.contains(&pool.0))
            })
            .map(|s| s.id)
            .collect();
        let begin = !ready.is_empty() && (flying.is_empty() || next(2) == 0);
        let id = if begin {
            ready[next(ready.len())]
        } else {
            flying.remove(next(flying.len()))
        };
        let mut down = Vec::new();
        if let Work::Change(change) = &plan.steps[id.0 as usize].work {
            let runs = change.state.is_none_or(MachineState::should_run);
            let by = match (&change.action, begin) {
                (Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. }, true) => -1,
                (Action::Update { .. } | Action::Move { .. }, false) => 1,
                (Action::Create { standby_for, .. }, false) => i64::from(standby_for.is_empty()),
                (Action::Destroy { .. }, false)
                | (Action::Create { .. }, true)
                | (
                    Action::Wait
                    | Action::Start
                    | Action::Adopt
                    | Action::Forget
                    | Action::Once { .. }
                    | Action::Switch { .. }
                    | Action::Canary { .. },
                    _,
                ) => 0,
            };
            let by = if runs { by } else { 0 };
            down.push((change.group.clone(), by));
        }
        if begin {
            flying.push(id);
        } else {
            done.insert(id);
            pool_ended.extend(plan.steps[id.0 as usize].pool.map(|pool| pool.0));
        }
        moments.push(ServingChange { down });
    }
    moments
}
