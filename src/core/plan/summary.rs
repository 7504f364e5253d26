//! What a plan comes to: its changes, how many of which kind, and the classes of those that cannot simply
//! be taken back.

use super::types::{Action, Change, Plan, Removal, StepId, Summary, Work};

impl Plan {
    /// The changes among the steps, with their ids.
    pub fn changes(&self) -> impl Iterator<Item = (StepId, &Change)> {
        self.steps.iter().filter_map(|step| match &step.work {
            Work::Change(change) => Some((step.id, &**change)),
            Work::Barrier { .. } => None,
        })
    }

    /// How many steps of each kind.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (_, change) in self.changes() {
            match &change.action {
                Action::Create { replaces: None, .. } => summary.create += 1,
                Action::Create {
                    replaces: Some(_), ..
                } => summary.replace += 1,
                Action::Update { .. } => summary.update += 1,
                Action::Move { .. } => summary.moves += 1,
                Action::Destroy {
                    removal: Removal::Replaced,
                    ..
                } => {}
                Action::Destroy {
                    removal:
                        Removal::GroupRemoved
                        | Removal::CountLowered
                        | Removal::Rebalanced
                        | Removal::Named
                        | Removal::AppDestroyed,
                    ..
                } => summary.destroy += 1,
                Action::Adopt => summary.adopt += 1,
                Action::Forget => summary.forget += 1,
            }
        }
        summary
    }

    /// How many Machines get less CPU or memory: a class of its own, beside what is destroyed.
    pub fn shrinking(&self) -> usize {
        let shrinks = |change: &Change| {
            let kept = !matches!(change.action, Action::Destroy { .. });
            kept && change.changes.iter().any(|field| field.shrinks)
        };
        self.changes().filter(|(_, change)| shrinks(change)).count()
    }

    /// Whether an apply would change neither a Machine nor the state.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none() && self.records.is_empty()
    }

    /// Whether an apply would call the provider at all.
    pub fn calls_provider(&self) -> bool {
        self.changes()
            .any(|(_, change)| !matches!(change.action, Action::Adopt | Action::Forget))
    }
}

impl Summary {
    /// Whether everything is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}
