//! The world's time where there is a runtime.

use std::time::Duration;

use tokio::time::Instant;

use super::world::Clock;

/// Tokio's clock, counted from its making: paused with it, moved with it.
pub struct TokioClock {
    start: Instant,
    ahead: Duration,
}

impl TokioClock {
    /// A clock that begins now. Needs a tokio runtime around it.
    pub fn start() -> Self {
        Self::starting_at(Duration::ZERO)
    }

    /// A clock that says this time now.
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
