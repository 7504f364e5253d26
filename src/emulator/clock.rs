//! The emulator's time on a tokio runtime.

use std::time::Duration;

use tokio::time::Instant;

use super::world::Clock;

/// Tokio's clock, counted from its creation; it can be paused and advanced with tokio's.
pub struct TokioClock {
    start: Instant,
    ahead: Duration,
}

impl TokioClock {
    /// A clock that begins now; requires a tokio runtime.
    pub fn start() -> Self {
        Self::starting_at(Duration::ZERO)
    }

    /// A clock that begins at this time.
    pub fn starting_at(ahead: Duration) -> Self {
        let start = Instant::now();
        Self { start, ahead }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.ahead + self.start.elapsed()
    }
}
