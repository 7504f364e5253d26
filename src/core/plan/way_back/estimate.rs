//! What a plan says about a rollback before it is applied.

use serde::Serialize;

use crate::core::fleet::{GroupName, OnFailure};
use crate::core::plan::options::PlanMode;
use crate::core::plan::types::{Action, Plan, Work};

/// At most how many Machines of a group a rollback changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RollbackEstimate {
    /// Updated or moved: they get back their previous config.
    pub put_back: u32,
    /// Replaced: new Machines with the previous config.
    pub restored: u32,
    /// Created: they are destroyed.
    pub destroyed: u32,
}

impl RollbackEstimate {
    /// The total of Machines.
    pub fn machines(self) -> u32 {
        self.put_back + self.restored + self.destroyed
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Plan {
    /// What a rollback of this group's changes would undo; none if the plan rolls nothing back.
    pub fn rollback_estimate(&self, group: &GroupName) -> Option<RollbackEstimate> {
        if self.on_failure != OnFailure::Rollback || self.mode != PlanMode::Normal {
            return None;
        }
        let mut estimate = RollbackEstimate::default();
        for step in &self.steps {
            let Work::Change(change) = &step.work else {
                continue;
            };
            // The failures of `immediate` stop nothing, and its changes are not undone.
            let pool = step.pool.and_then(|pool| self.pools.get(pool.0 as usize));
            if change.group != *group || pool.is_none_or(|pool| !pool.stops_release) {
                continue;
            }
            match &change.action {
                Action::Update { .. } | Action::Move { .. } => estimate.put_back += 1,
                Action::Create {
                    replaces: Some(_), ..
                } => estimate.restored += 1,
                Action::Create { replaces: None, .. } => estimate.destroyed += 1,
                Action::Destroy { .. }
                | Action::Wait
                | Action::Start
                | Action::Adopt
                | Action::Forget
                | Action::Once { .. }
                | Action::Switch { .. }
                | Action::Canary { .. } => {}
            }
        }
        (!estimate.is_empty()).then_some(estimate)
    }
}
