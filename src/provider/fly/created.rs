//! Machines that this process has just created. The platform may briefly respond that they do not exist
//! (docs/platform/machines-api.md 6), which must not count as gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::{AppName, MachineId};
use crate::provider::{ErrorClass, ProviderError};

/// How long such a response is tolerated: as long as lists may lag.
const VISIBILITY_LAG: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct CreatedMachines(Mutex<BTreeMap<(AppName, MachineId), Instant>>);

impl CreatedMachines {
    /// Records a created Machine.
    pub(super) fn insert(&self, app: &AppName, id: &MachineId) {
        let mut table = self.table();
        table.retain(|_, at| at.elapsed() < VISIBILITY_LAG);
        table.insert((app.clone(), id.clone()), Instant::now());
    }

    /// Forgets a Machine that is being destroyed.
    pub(super) fn remove(&self, app: &AppName, id: &MachineId) {
        self.table().remove(&(app.clone(), id.clone()));
    }

    /// Makes a not-found error transient if the Machine was just created.
    pub(super) fn retry_if_just_created(
        &self,
        app: &AppName,
        id: &MachineId,
        mut error: ProviderError,
    ) -> ProviderError {
        let key = (app.clone(), id.clone());
        let created_at = self.table().get(&key).copied();
        let young = created_at.is_some_and(|at| at.elapsed() < VISIBILITY_LAG);
        if error.class == ErrorClass::NotFound && young {
            error.class = ErrorClass::Transient;
        }
        error
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<(AppName, MachineId), Instant>> {
        // No code panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
