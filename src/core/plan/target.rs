//! Whether a saved plan is for this app at all.

use super::options::PlanMode;
use super::saved::SavedPlan;
use super::types::Plan;

/// The target of the reviewed plan, if the new plan has another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherTarget {
    /// Another app.
    #[error("it was made for app `{0}`")]
    App(String),
    /// Another provider.
    #[error("it was made for provider `{0}`")]
    Provider(String),
    /// The same name, but the app was recreated, or belongs to another account.
    #[error("it was made for another app of the same name: its lineage is `{0}`")]
    Lineage(String),
    /// It destroys the app.
    #[error("it destroys the app")]
    Destroy,
    /// It does not destroy the app.
    #[error("it does not destroy the app")]
    NoDestroy,
}

impl SavedPlan {
    /// Checks that both plans are for the same app, provider and lineage. A plan without a lineage, made without
    /// a state, is taken for any; so is a lineage that was derived from names.
    ///
    /// # Errors
    /// What this plan is for.
    pub fn check_target(&self, fresh: &Plan) -> Result<(), OtherTarget> {
        if self.app != fresh.app {
            return Err(OtherTarget::App(self.app.to_string()));
        }
        if self.provider != fresh.provider {
            return Err(OtherTarget::Provider(self.provider.clone()));
        }
        if let (Some(lineage), Some(now)) = (&self.lineage, &fresh.lineage)
            && lineage != now
            && !lineage.is_derived_from_names()
        {
            return Err(OtherTarget::Lineage(lineage.to_string()));
        }
        match (self.destroys_app, fresh.mode == PlanMode::Destroy) {
            (true, false) => Err(OtherTarget::Destroy),
            (false, true) => Err(OtherTarget::NoDestroy),
            (true, true) | (false, false) => Ok(()),
        }
    }
}
