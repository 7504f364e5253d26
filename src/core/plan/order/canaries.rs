//! Canaries come before everything else of their groups: first those that earlier runs have left go, then the new ones
//! are tried, all at once, and nothing of these groups begins before all of them have passed.

use super::{FailureScope, StepBuilder};
use crate::core::fleet::GroupName;
use crate::core::plan::canary::Canaries;
use crate::core::plan::types::{StepId, Work};

impl StepBuilder<'_, '_, '_> {
    /// Adds the canaries. Every change that is added later waits for those of its group.
    pub(super) fn add_canaries(&mut self, canaries: Canaries<'_>) {
        for (name, left) in canaries.left {
            let first = self.order.steps.len();
            self.add_destroys(&name, &left, None);
            let steps = self.order.steps[first..].iter().map(|step| step.id);
            let steps: Vec<StepId> = steps.collect();
            let gone = self.add_barrier(format!("{name}: no canary is left"), steps);
            self.tried.extend(gone.map(|gone| (name, gone)));
        }
        if canaries.steps.is_empty() {
            return;
        }
        let total = canaries.steps.len();
        let pool = self.add_pool("canaries".to_owned(), total, false, FailureScope::Release);
        let names: Vec<GroupName> = canaries.steps.iter().map(|one| one.group.clone()).collect();
        let steps = canaries.steps.into_iter();
        let steps: Vec<StepId> = steps
            .map(|change| self.push_step(Some(pool), Vec::new(), Work::Change(Box::new(change))))
            .collect();
        if let Some(passed) = self.add_barrier("every canary has passed".to_owned(), steps) {
            self.tried
                .extend(names.into_iter().map(|name| (name, passed)));
        }
    }
}
