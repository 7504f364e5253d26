//! The Machines that this process has just made. The platform may say for a moment that there is no such
//! Machine (docs/platform/machines-api.md 6), and whoever waits for one then must not take it for gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::{AppName, MachineId};
use crate::provider::{ErrorClass, ProviderError};

/// How long one may not be known yet: as long as lists may lag.
const VISIBILITY_LAG: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct CreatedMachines(Mutex<BTreeMap<(AppName, MachineId), Instant>>);

impl CreatedMachines {
    /// This one was made now.
    pub(super) fn insert(&self, app: &AppName, id: &MachineId) {
        let mut table = self.table();
        table.retain(|_, at| at.elapsed() < VISIBILITY_LAG);
        table.insert((app.clone(), id.clone()), Instant::now());
    }

    /// It is not waited for any more: somebody destroys it.
    pub(super) fn remove(&self, app: &AppName, id: &MachineId) {
        self.table().remove(&(app.clone(), id.clone()));
    }

    /// The error, which passes where it says that there is no such Machine and there was one a moment ago.
    pub(super) fn retry_if_just_created(
        &self,
        app: &AppName,
        id: &MachineId,
        mut error: ProviderError,
    ) -> ProviderError {
        let key = (app.clone(), id.clone());
        let made = self.table().get(&key).copied();
        let young = made.is_some_and(|at| at.elapsed() < VISIBILITY_LAG);
        if error.class == ErrorClass::NotFound && young {
            error.class = ErrorClass::Transient;
        }
        error
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<(AppName, MachineId), Instant>> {
        // Nothing between lock and unlock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
