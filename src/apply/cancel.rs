//! Cancelling a run: first start nothing new, then wait for nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The side that cancels: whoever hears signals.
#[derive(Clone)]
pub struct CancelHandle(Arc<Shared>);

/// The side that is cancelled.
#[derive(Clone)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    level: Mutex<CancelLevel>,
    changed: Notify,
}

/// How far it has come; it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum CancelLevel {
    #[default]
    Running,
    /// Start nothing new; calls in flight may be answered until then.
    Stopping { until: Option<Instant> },
    /// Calls in flight count as unknown.
    Aborted,
}

impl CancelHandle {
    /// A handle and what it cancels.
    pub fn new() -> (Self, Cancel) {
        let shared = Arc::new(Shared::default());
        (Self(Arc::clone(&shared)), Cancel(shared))
    }

    /// Nothing new is started and waits are dropped at once. Calls in flight have `grace` until they
    /// count as unknown; none means until [`CancelHandle::abort`]. The first call counts.
    pub fn stop(&self, grace: Option<Duration>) {
        let until = grace.map(|grace| Instant::now() + grace);
        self.raise(|level| match level {
            CancelLevel::Running => CancelLevel::Stopping { until },
            CancelLevel::Stopping { .. } | CancelLevel::Aborted => level,
        });
    }

    /// Calls in flight count as unknown at once.
    pub fn abort(&self) {
        self.raise(|_| CancelLevel::Aborted);
    }

    fn raise(&self, to: impl FnOnce(CancelLevel) -> CancelLevel) {
        let mut level = self.0.level.lock().unwrap_or_else(PoisonError::into_inner);
        *level = to(*level);
        drop(level);
        self.0.changed.notify_waiters();
    }
}

impl Cancel {
    /// Something that is never cancelled.
    pub fn never() -> Self {
        CancelHandle::new().1
    }

    /// Whether nothing new is to be started.
    pub fn is_stopping(&self) -> bool {
        self.level() != CancelLevel::Running
    }

    /// Returns once nothing new is to be started.
    pub async fn stopping(&self) {
        self.until(|level| level != CancelLevel::Running).await;
    }

    /// Returns once calls in flight count as unknown.
    pub async fn aborted(&self) {
        self.stopping().await;
        match self.level() {
            CancelLevel::Stopping { until: Some(until) } => {
                tokio::select! {
                    biased;
                    () = self.until(|level| level == CancelLevel::Aborted) => {}
                    () = sleep_until(until) => {}
                }
            }
            CancelLevel::Running | CancelLevel::Stopping { until: None } | CancelLevel::Aborted => {
                self.until(|level| level == CancelLevel::Aborted).await;
            }
        }
    }

    /// How long calls in flight are still waited for; none without a limit.
    pub fn grace(&self) -> Option<Duration> {
        match self.level() {
            CancelLevel::Running | CancelLevel::Stopping { until: None } => None,
            CancelLevel::Stopping { until: Some(until) } => {
                Some(until.saturating_duration_since(Instant::now()))
            }
            CancelLevel::Aborted => Some(Duration::ZERO),
        }
    }

    fn level(&self) -> CancelLevel {
        *self.0.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, reached: impl Fn(CancelLevel) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Enlisted before the level is read, so that a change between the two is not missed.
            changed.as_mut().enable();
            if reached(self.level()) {
                return;
            }
            changed.await;
        }
    }
}
