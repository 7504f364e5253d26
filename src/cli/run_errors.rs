//! The errors of a preview or a run, as a user reads them.

use crate::core::plan::codes::FLEET_VANISHED;
use crate::observe::ObserveError;
use crate::run::RunError;
use crate::ui::Failure;

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::State { error, place } => Self::of_state(&error, &place),
            RunError::Store(error) => error.into(),
            RunError::Observe(error) => error.into(),
            RunError::Journal(error) => error.into(),
            RunError::InvalidPlan(findings) => {
                let bug = Self::bug("the plan does not pass its own check; nothing was changed");
                findings.into_iter().fold(bug, Self::cause)
            }
            RunError::Offline => Self::bug("a plan made without the provider cannot be applied"),
        }
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Provider(error) => error.into(),
            ObserveError::FleetVanished { .. } | ObserveError::AppGone { .. } => {
                Self::new(FLEET_VANISHED, error.to_string())
                    .hint("this answer is not used for a plan; try again in a moment")
            }
        }
    }
}
