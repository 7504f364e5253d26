//! Cancellation of a run: first start nothing new, then stop waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The cancelling side: the signal handler.
#[derive(Clone)]
pub struct CancelHandle(Arc<Shared>);

/// The cancelled side.
#[derive(Clone)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    level: Mutex<CancelLevel>,
    changed: Notify,
}

/// The level; it only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum CancelLevel {
    #[default]
    Running,
    /// Start nothing new; calls in flight may complete until then.
    Stopping { until: Option<Instant> },
    /// Calls in flight count as unknown.
    Aborted,
}

impl CancelHandle {
    /// A handle and its token.
    pub fn new() -> (Self, Cancel) {
        let shared = Arc::new(Shared::default());
        (Self(Arc::clone(&shared)), Cancel(shared))
    }

    /// Starts nothing new and drops waits. Calls in flight have `grace` to complete, `None` for no limit, until
    /// [`CancelHandle::abort`].
    pub fn stop(&self, grace: Option<Duration>) {
        let until = grace.map(|grace| Instant::now() + grace);
        self.raise(|level| match level {
            CancelLevel::Running => CancelLevel::Stopping { until },
            CancelLevel::Stopping { .. } | CancelLevel::Aborted => level,
        });
    }

    /// Calls in flight count as unknown immediately.
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
    /// A token that is never cancelled.
    pub fn never() -> Self {
        CancelHandle::new().1
    }

    /// Whether nothing new may start.
    pub fn is_stopping(&self) -> bool {
        self.level() != CancelLevel::Running
    }

    /// Returns once nothing new may start.
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

    /// The remaining time for calls in flight; `None` without a limit.
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
            // Registered before the level is read, so that no change is missed.
            changed.as_mut().enable();
            if reached(self.level()) {
                return;
            }
            changed.await;
        }
    }
}
