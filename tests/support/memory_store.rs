//! An in-memory store for tests. It can fail a chosen write, crash with its process and lose its lock;
//! otherwise it keeps the contract of real stores.

#![allow(dead_code, reason = "each binary uses its part")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aeroform::store::{
    Holder, LockStatus, LockWait, StateLock, StateStore, StoreError, StoredText, Version, WriteNote,
};
use async_trait::async_trait;
use tokio::time::Instant;

/// How often a waiter polls.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A place in memory. Clones are clients of the same place, like two processes with one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore {
    place: Arc<Mutex<MemoryFile>>,
}

/// How a chosen write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailWrite {
    /// Refused before it takes effect.
    Before,
    /// It takes effect, but an error is returned.
    After,
    /// The process dies before it takes effect; nothing works until [`MemoryStore::restart`].
    CrashBefore,
    /// The process dies after it took effect.
    CrashAfter,
}

#[derive(Debug, Default)]
struct MemoryFile {
    text: Option<String>,
    versions: u64,
    writes: u64,
    fault: Option<(u64, FailWrite)>,
    fired: bool,
    dead: bool,
    lock: Option<(u64, Holder)>,
    locks: u64,
}

impl MemoryStore {
    /// A place that contains this text.
    pub(crate) fn with_text(text: impl Into<String>) -> Self {
        let store = Self::default();
        store.inner().text = Some(text.into());
        store
    }

    /// The current text.
    pub(crate) fn text(&self) -> Option<String> {
        self.inner().text.clone()
    }

    /// The number of attempted writes, including refused ones.
    pub(crate) fn writes(&self) -> u64 {
        self.inner().writes
    }

    /// Fails one write; 1 is the next one.
    pub(crate) fn fail_write(&self, which: u64, how: FailWrite) {
        let mut place = self.inner();
        place.fault = Some((place.writes + which, how));
        place.fired = false;
    }

    /// Whether the chosen fault has happened; tests assert it.
    pub(crate) fn fired(&self) -> bool {
        self.inner().fired
    }

    /// Restarts the process after a crash: written text remains, its lock is free, and no fault is set.
    pub(crate) fn restart(&self) {
        let mut place = self.inner();
        place.dead = false;
        place.fault = None;
        place.lock = None;
    }

    /// Removes the lock from its holder.
    pub(crate) fn lose_lock(&self) {
        self.inner().lock = None;
    }

    fn inner(&self) -> MutexGuard<'_, MemoryFile> {
        self.place
            .lock()
            .expect("no holder of this mutex panics while it has it")
    }
}

impl MemoryFile {
    fn version(&self) -> Version {
        Version(self.versions.to_string())
    }

    fn write_if_version(
        &mut self,
        text: &str,
        if_version: &Version,
    ) -> Result<Version, StoreError> {
        self.writes += 1;
        let fault = match self.fault {
            Some((which, how)) if which == self.writes => {
                self.fired = true;
                Some(how)
            }
            Some(_) | None => None,
        };
        if matches!(fault, Some(FailWrite::CrashBefore)) {
            self.dead = true;
        }
        if self.dead || matches!(fault, Some(FailWrite::Before)) {
            return Err(refused("write"));
        }
        if *if_version != self.version() {
            return Err(StoreError::Changed {
                place: LOCATION.to_owned(),
            });
        }
        self.text = Some(text.to_owned());
        self.versions += 1;
        match fault {
            Some(FailWrite::After) => Err(refused("write")),
            Some(FailWrite::CrashAfter) => {
                self.dead = true;
                Err(refused("write"))
            }
            Some(FailWrite::Before | FailWrite::CrashBefore) | None => Ok(self.version()),
        }
    }
}

const LOCATION: &str = "memory";

fn refused(what: &'static str) -> StoreError {
    StoreError::Io {
        what,
        place: LOCATION.to_owned(),
        source: std::io::Error::other("a failure injected by a test"),
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    fn location(&self) -> String {
        LOCATION.to_owned()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        let place = self.inner();
        if place.dead {
            return Err(refused("read"));
        }
        Ok(StoredText {
            text: place.text.clone(),
            version: place.version(),
        })
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        _note: &WriteNote,
    ) -> Result<Version, StoreError> {
        self.inner().write_if_version(text, if_version)
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        let deadline = Instant::now().checked_add(patience);
        let mut shown_holder = None;
        loop {
            let other = {
                let mut place = self.inner();
                if place.dead {
                    return Err(refused("lock"));
                }
                let Some((_, other)) = &place.lock else {
                    place.locks += 1;
                    let id = place.locks;
                    place.lock = Some((id, holder.clone()));
                    let store = self.clone();
                    return Ok(Box::new(MemoryLock { store, id }));
                };
                other.clone()
            };
            if deadline.is_some_and(|at| at <= Instant::now()) {
                return Err(StoreError::Locked {
                    holder: Some(Box::new(other)),
                });
            }
            if shown_holder.as_ref() != Some(&other) {
                waiting(Some(&other));
                shown_holder = Some(other);
            }
            tokio::time::sleep(LOCK_POLL_INTERVAL).await;
        }
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        let place = self.inner();
        let held = |(_, holder): &(u64, Holder)| LockStatus::Held(Some(holder.clone()));
        Ok(place.lock.as_ref().map_or(LockStatus::Free, held))
    }
}

/// A held lock of a [`MemoryStore`].
struct MemoryLock {
    store: MemoryStore,
    id: u64,
}

#[async_trait]
impl StateLock for MemoryLock {
    fn is_held(&self) -> bool {
        let place = self.store.inner();
        !place.dead && place.lock.as_ref().is_some_and(|(id, _)| *id == self.id)
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut place = self.store.inner();
        if place.lock.as_ref().is_some_and(|(id, _)| *id == self.id) {
            place.lock = None;
        }
    }
}
