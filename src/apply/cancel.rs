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
    level: Mutex<Level>,
    changed: Notify,
}

/// How far it has come; it only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    #[default]
    Go,
    /// Start nothing new; calls in flight may be answered until then.
    Stopping { until: Option<Instant> },
    /// Calls in flight count as unknown.
    Now,
}

impl CancelHandle {
    /// A handle and what it cancels.
    pub fn new() -> (Self, Cancel) {
        let shared = Arc::new(Shared::default());
        (Self(Arc::clone(&shared)), Cancel(shared))
    }

    /// Nothing new is started and waits are dropped at once. Calls in flight have `grace` until they
    /// count as unknown; none means until [`CancelHandle::now`]. The first call counts.
    pub fn stop(&self, grace: Option<Duration>) {
        let until = grace.map(|grace| Instant::now() + grace);
        self.raise(|level| match level {
            Level::Go => Level::Stopping { until },
            Level::Stopping { .. } | Level::Now => level,
        });
    }

    /// Calls in flight count as unknown at once.
    pub fn now(&self) {
        self.raise(|_| Level::Now);
    }

    fn raise(&self, to: impl FnOnce(Level) -> Level) {
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
        self.level() != Level::Go
    }

    /// Returns once nothing new is to be started.
    pub async fn stopping(&self) {
        self.until(|level| level != Level::Go).await;
    }

    /// Returns once calls in flight count as unknown.
    pub async fn cut_off(&self) {
        self.stopping().await;
        match self.level() {
            Level::Stopping { until: Some(until) } => {
                tokio::select! {
                    biased;
                    () = self.until(|level| level == Level::Now) => {}
                    () = sleep_until(until) => {}
                }
            }
            Level::Go | Level::Stopping { until: None } | Level::Now => {
                self.until(|level| level == Level::Now).await;
            }
        }
    }

    /// How long calls in flight are still waited for; none without a limit.
    pub fn grace(&self) -> Option<Duration> {
        match self.level() {
            Level::Go | Level::Stopping { until: None } => None,
            Level::Stopping { until: Some(until) } => {
                Some(until.saturating_duration_since(Instant::now()))
            }
            Level::Now => Some(Duration::ZERO),
        }
    }

    fn level(&self) -> Level {
        *self.0.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, reached: impl Fn(Level) -> bool) {
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
