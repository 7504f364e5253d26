//! The leases of this process: the nonce and the number of holders per Machine.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::fleet::{AppName, MachineId};

#[derive(Default)]
pub(super) struct Leases(Mutex<BTreeMap<Key, HeldLease>>);

type Key = (AppName, MachineId);

struct HeldLease {
    nonce: String,
    why: String,
    holders: u32,
}

impl Leases {
    /// The nonce for calls about this Machine.
    pub(super) fn nonce(&self, app: &AppName, id: &MachineId) -> Option<String> {
        let held = self.lock();
        let found = held
            .get(&key(app, id))
            .filter(|held| !held.nonce.is_empty());
        found.map(|held| held.nonce.clone())
    }

    /// The lease's description; `None` if not held.
    pub(super) fn why(&self, app: &AppName, id: &MachineId) -> Option<String> {
        self.lock().get(&key(app, id)).map(|held| held.why.clone())
    }

    /// Adds a holder under this nonce.
    pub(super) fn acquire(&self, app: &AppName, id: &MachineId, nonce: String, why: &str) {
        let mut table = self.lock();
        let held = table.entry(key(app, id)).or_insert_with(|| HeldLease {
            nonce: String::new(),
            why: why.to_owned(),
            holders: 0,
        });
        held.nonce = nonce;
        held.holders += 1;
    }

    /// Replaces the nonce after a refresh; does nothing if the lease is not held.
    pub(super) fn renew(&self, app: &AppName, id: &MachineId, nonce: String) {
        if let Some(held) = self.lock().get_mut(&key(app, id)) {
            held.nonce = nonce;
        }
    }

    /// Removes a holder; returns the nonce when none is left.
    pub(super) fn release(&self, app: &AppName, id: &MachineId) -> Option<String> {
        let mut table = self.lock();
        let key = key(app, id);
        let held = table.get_mut(&key)?;
        held.holders = held.holders.saturating_sub(1);
        if held.holders > 0 {
            return None;
        }
        let gone = table.remove(&key)?;
        (!gone.nonce.is_empty()).then_some(gone.nonce)
    }

    /// The platform does not know this nonce any more: calls use none until the lease is acquired again.
    pub(super) fn invalidate(&self, app: &AppName, id: &MachineId) {
        if let Some(held) = self.lock().get_mut(&key(app, id)) {
            held.nonce.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, HeldLease>> {
        // No code panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(app: &AppName, id: &MachineId) -> Key {
    (app.clone(), id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_two_hold_is_let_go_of_by_the_second() {
        let (leases, app) = (Leases::default(), AppName::new("shop").unwrap());
        let id = MachineId::new("a1").unwrap();
        assert_eq!(leases.release(&app, &id), None);
        leases.acquire(&app, &id, "n1".to_owned(), "");
        leases.acquire(&app, &id, "n1".to_owned(), "");
        assert_eq!(leases.nonce(&app, &id), Some("n1".to_owned()));
        assert_eq!(leases.release(&app, &id), None);
        assert_eq!(leases.release(&app, &id), Some("n1".to_owned()));
        assert_eq!(leases.nonce(&app, &id), None);
    }
}
